//! A crate outside of this workspace, for the tests that see the library as a user does.
//!
//! The crate is made below the target directory from the files in `tests/user_crate`, and is
//! built once; with tokio a second time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::{fs, io};

use crate::support::command;

/// The directory of the crate.
static KRATE: LazyLock<PathBuf> = LazyLock::new(|| make().expect("the crate can be written"));

/// With signals tokio has sockets of its own for the life of the process.
const TOKIO: &str = r#""net", "signal", "time""#;

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
         futures = \"0.3\"\nrstest = {{ version = \"0.26\", default-features = false }}\n\
         tokio = {{ version = \"1\", features = [{TOKIO}], optional = true }}\n\n\
         [features]\ntokio1 = [\"tractor/tokio1\", \"dep:tokio\"]\n\n\
         [[test]]\nname = \"tokio\"\nrequired-features = [\"tokio1\"]\n\n\
         [profile.dev]\ndebug = false\n"
    );
    fs::write(krate.join("Cargo.toml"), manifest)?;
    // The versions that this workspace has locked, which are at hand.
    fs::copy(root.join("Cargo.lock"), krate.join("Cargo.lock"))?;
    for name in ["passing.rs", "failing.rs", "tokio.rs"] {
        fs::copy(
            root.join("tests/user_crate").join(name),
            krate.join("tests").join(name),
        )?;
    }
    Ok(krate)
}

/// Cargo in the crate. It downloads nothing.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(env!("CARGO"));
    cargo.args(arguments);
    cargo
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never");
    cargo
        .current_dir(&*KRATE)
        .env("CARGO_TARGET_DIR", KRATE.join("target"));
    cargo
        .env_remove("RUSTFLAGS")
        .env_remove("TRACTOR_LOG")
        .env("RUST_BACKTRACE", "0");
    // This test may be one of nextest's itself.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"NEXTEST") {
            cargo.env_remove(name);
        }
    }
    // With it the harness would take itself for one that runs tests on its main thread.
    cargo.env_remove("RUST_TEST_THREADS");
    cargo
}

/// Runs it to its end: what it has printed.
pub(crate) fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("it can be started");
    let text = [&*output.stdout, &*output.stderr]
        .map(String::from_utf8_lossy)
        .concat();
    (output, text)
}
