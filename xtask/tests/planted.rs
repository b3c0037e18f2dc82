//! That `cargo xtask test-deadlocks` finds a bug that is in a running tree: by the right scenario,
//! with a graph that shows who waits for whom. Three are planted, one at a time.

use std::process::Command;

/// The lock stays with an actor that was killed, and the next waits for ever.
#[test]
fn lock_that_stays_with_the_dead_is_found() {
    check(
        "loss-releases-nothing",
        "D12",
        &[
            "hangs",
            "waits for the terminal: a prompt",
            "the terminal waits for '",
        ],
        "is gone; at its end: prompt 1 has it, lease 1",
    );
}

/// An actor that waits for the terminal is killed when its time is over.
#[test]
fn ladder_that_ignores_waiters_is_found() {
    check(
        "ladder-forgets-waiters",
        "D10",
        &["waits for the user: a line", "Terminate to '"],
        "is gone; at its end: prompt 1 waits",
    );
}

/// An actor that is cancelled while it waits for the terminal goes on waiting.
#[test]
fn cancel_that_waits_for_the_terminal_is_found() {
    check(
        "cancel-waits-for-the-terminal",
        "D37",
        &[
            "hangs",
            "waits for the user: a line",
            ": its end (Grace, 1 holds",
        ],
        "waits for the terminal: a prompt",
    );
}

/// Runs the command on the scenarios of the terminal with a bug in all of their trees.
fn check(bug: &str, id: &str, shown: &[&str], end: &str) {
    let output = command()
        .args(["test-deadlocks", "--scenario", "D", "--seed", "1"])
        .args(["--patience", "8s", "--planted", bug])
        .output()
        .expect("the command can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let failures: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("FAILED on "))
        .collect();
    assert!(!failures.is_empty(), "{text}");
    for failure in failures {
        assert!(failure.contains(&format!(": {id} (")), "{failure}\n{text}");
    }
    for part in shown.iter().chain([&end]) {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let again = format!("--seed 1 --planted {bug}");
    assert!(text.contains(&again), "no {again:?} in:\n{text}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command is no actor; this waits for its end"
)]
fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
}
