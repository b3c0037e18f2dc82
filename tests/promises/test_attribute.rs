//! `#[tractor::test]` in a crate outside of this workspace: what it runs, what it finds fault
//! with, and what it shows then.
//!
//! The crate is made below the target directory from the files in `tests/user_crate`, and is
//! built once.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::{fs, io};

use crate::support::{command, executable};

/// The directory of the crate.
static KRATE: LazyLock<PathBuf> = LazyLock::new(|| make().expect("the crate can be written"));

fn make() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let krate = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user_crate");
    fs::create_dir_all(krate.join("tests"))?;
    fs::create_dir_all(krate.join("src"))?;
    fs::write(
        krate.join("src/lib.rs"),
        "//! Nothing: the tests are the crate.\n",
    )?;
    let manifest = format!(
        "[package]\nname = \"user-crate\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[dependencies]\ntractor = {{ path = {root:?} }}\n\
         futures = \"0.3\"\nrstest = {{ version = \"0.26\", default-features = false }}\n\n\
         [profile.dev]\ndebug = false\n"
    );
    fs::write(krate.join("Cargo.toml"), manifest)?;
    // The versions that this workspace has locked, which are at hand.
    fs::copy(root.join("Cargo.lock"), krate.join("Cargo.lock"))?;
    for name in ["passing.rs", "failing.rs"] {
        fs::copy(
            root.join("tests/user_crate").join(name),
            krate.join("tests").join(name),
        )?;
    }
    Ok(krate)
}

fn cargo(args: &[&str]) -> Command {
    let mut cargo = command(env!("CARGO"));
    cargo
        .args(["test", "--offline", "--color", "never"])
        .args(args);
    cargo
        .current_dir(&*KRATE)
        .env("CARGO_TARGET_DIR", KRATE.join("target"));
    cargo
        .env_remove("RUSTFLAGS")
        .env_remove("TRACTOR_LOG")
        .env("RUST_BACKTRACE", "0");
    // With it the harness would take itself for one that runs tests on its main thread.
    cargo.env_remove("RUST_TEST_THREADS");
    cargo
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("it can be started");
    let text = [&*output.stdout, &*output.stderr]
        .map(String::from_utf8_lossy)
        .concat();
    (output, text)
}

/// That all pass, and so many.
fn check_passing(args: &[&str]) {
    let (output, text) = run(&mut cargo(&[&["--test", "passing"], args].concat()));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("17 passed; 0 failed"), "{text}");
}

#[test]
fn tests_pass_side_by_side() {
    check_passing(&["--", "--test-threads=8"]);
}

#[test]
fn tests_pass_one_by_one_on_the_harnesss_main_thread() {
    check_passing(&["--", "--test-threads=1"]);
}

#[test]
fn tests_pass_in_a_process_each() {
    let passing = executable(cargo(&["--test", "passing"]), "passing");
    let (output, list) = run(command(&passing).args(["--list", "--format", "terse"]));
    assert!(output.status.success(), "{list}");
    let names: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    assert_eq!(names.len(), 17, "{list}");
    for name in names {
        // As nextest runs them.
        let (output, text) = run(command(&passing).args([name, "--exact", "--nocapture"]));
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }
}

/// Who does not ask for fault points has none.
#[test]
fn a_users_program_knows_nothing_of_fault_plans() {
    let passing = executable(cargo(&["--test", "passing"]), "passing");
    let program = fs::read(passing).expect("it was built");
    let knows = |word: &[u8]| program.windows(word.len()).any(|part| part == word);
    assert!(knows(b"TRACTOR_LOG"), "its words can be found");
    assert!(!knows(b"TRACTOR_FAULTS"));
}

/// What is said of a test that has failed.
fn said_of<'a>(text: &'a str, test: &str) -> &'a str {
    let begin = format!("---- {test} stdout ----\n");
    let said = text.split_once(&begin).map(|(_, behind)| behind);
    let said = said.unwrap_or_else(|| panic!("nothing is said of {test}:\n{text}"));
    said.split("\n---- ").next().unwrap_or_default()
}

#[test]
fn each_failure_is_told_with_what_its_tree_has_printed() {
    let (output, text) = run(&mut cargo(&["--test", "failing"]));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("1 passed; 10 failed"), "{text}");
    let check = |test: &str, parts: &[&str]| {
        let said = said_of(&text, test);
        for part in parts {
            assert!(said.contains(part), "{test} does not say {part:?}:\n{said}");
        }
    };
    let outputs = ["the root's output", "a child's output", "a child's errors"];
    check("asserts", &outputs);
    check("asserts", &["as everybody knows", "tests/failing.rs:"]);
    assert_eq!(
        text.matches("a child's output").count(),
        1,
        "it is told once:\n{text}"
    );
    check(
        "returns_an_error",
        &["actor 'unstarted' was not started", "/no/such/place"],
    );
    check(
        "leaks_a_process",
        &["has left processes behind: 'sleep' (pid "],
    );
    check(
        "leaks_a_descriptor",
        &["has left descriptors open", "/dev/zero"],
    );
    check("leaks_a_socket", &["has left sockets: /", "/left"]);
    check("leaks_a_zombie", &["has not reaped: 'true' (pid "]);
    check(
        "hangs",
        &[
            "hanging",
            "=== what 'root' ",
            "=== what 'idler' ",
            "failing::idle",
            "did not end within 4s",
            "still there: ",
            "'idler' (pid ",
        ],
    );
    check("leaves", &["exited with code 0 before the test ended"]);
    check("does_not_panic", &["did not panic as expected"]);
    check(
        "runs_a_tree_in_the_harness",
        &["'child' was not started", "#[tractor::test]"],
    );
}
