//! What the compiler says when the macros are misused.
//!
//! Each `compile_errors/NAME.rs` is a program that must not compile; each line of `NAME.stderr`
//! must occur in what the compiler says of it, in one error or at most as many as a line `errors: N`
//! says: one for each thing that is missing, or one too many. All are
//! checked at once, in a crate made for it below the target directory, so that a second run has the
//! dependencies built.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

#[test]
fn misuse_is_explained_at_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = cases(&root.join("tests/compile_errors")).expect("the cases are readable");
    let krate = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_errors");
    write_crate(root, &krate, &cases).expect("the crate is writable");
    let output = check(&krate);

    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in messages(&output) {
        let place = cases.iter().find(|case| message.contains(&case.place()));
        if let Some(case) = place {
            said.entry(&case.name).or_default().push(message);
        }
    }
    let mut problems = String::new();
    for case in &cases {
        let messages = said.get(&*case.name).map_or(&[][..], Vec::as_slice);
        let said = messages.concat();
        for line in case.lines().filter(|line| !said.contains(line)) {
            problems += &format!("\n{}: nothing says {line:?}, but:\n{said}", case.name);
        }
        if messages.len() > case.errors() {
            let (found, most) = (messages.len(), case.errors());
            problems += &format!("\n{}: {found} errors, more than {most}:\n{said}", case.name);
        }
    }
    assert!(
        problems.is_empty(),
        "{problems}\n\nthe whole output:\n{output}"
    );
}

/// What a line with the number of errors begins with.
const COUNT: &str = "errors: ";

/// One program, and what must be said of it.
struct Case {
    name: String,
    program: String,
    expected: String,
}

impl Case {
    /// What must be said of it.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.expected.lines();
        lines.filter(|line| !line.starts_with(COUNT))
    }

    /// In how many errors at most.
    fn errors(&self) -> usize {
        let count = self.expected.lines().find_map(|it| it.strip_prefix(COUNT));
        count.map_or(1, |count| count.parse().expect("a number"))
    }

    /// How a message names a place in the program.
    fn place(&self) -> String {
        format!("--> src/bin/{}.rs:", self.name)
    }
}

fn cases(folder: &Path) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_program = path.extension().is_some_and(|extension| extension == "rs");
        let Some(name) = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| is_program)
        else {
            continue;
        };
        cases.push(Case {
            name: name.to_owned(),
            program: fs::read_to_string(&path)?,
            expected: fs::read_to_string(path.with_extension("stderr"))?,
        });
    }
    Ok(cases)
}

/// A crate of its own with the versions that this workspace has locked.
fn write_crate(root: &Path, krate: &Path, cases: &[Case]) -> io::Result<()> {
    let programs = krate.join("src/bin");
    // A program that was renamed must not be checked under its old name.
    match fs::remove_dir_all(&programs) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(&programs)?;
    let manifest = format!(
        "[package]\nname = \"compile-errors\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[dependencies]\ntractor = {{ path = {root:?} }}\n\
         futures = \"0.3\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n"
    );
    fs::write(krate.join("Cargo.toml"), manifest)?;
    fs::copy(root.join("Cargo.lock"), krate.join("Cargo.lock"))?;
    for case in cases {
        fs::write(programs.join(format!("{}.rs", case.name)), &case.program)?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo is no actor; it is waited for right here"
)]
fn check(krate: &Path) -> String {
    let output = Command::new(env!("CARGO"))
        .args([
            "check",
            "--bins",
            "--keep-going",
            "--offline",
            "--quiet",
            "--color",
            "never",
        ])
        .current_dir(krate)
        .env("CARGO_TARGET_DIR", krate.join("target"))
        // Warnings of one program would hide behind those of another.
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The output cut before each error or warning.
fn messages(output: &str) -> Vec<&str> {
    let starts = |line: &str| line.starts_with("error") || line.starts_with("warning");
    let mut messages = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in output.split_inclusive('\n') {
        if starts(line) {
            messages.push(&output[start..end]);
            start = end;
        }
        end += line.len();
    }
    messages.push(&output[start..]);
    messages
}
