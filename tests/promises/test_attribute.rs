//! `#[tractor::test]` in a crate outside of this workspace: what it runs, what it finds fault
//! with, and what it shows then.

use std::fs;

use crate::outside::{cargo, run};
use crate::support::{command, executable};

/// That all pass, and so many.
fn check_passing(args: &[&str]) {
    let (output, text) = run(&mut cargo(&[&["test", "--test", "passing"], args].concat()));
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

/// Whether nextest is there. Without it nobody runs the tests as it does but
/// [`tests_pass_in_a_process_each`].
#[expect(
    clippy::print_stderr,
    reason = "whoever reads this test's output is to know"
)]
fn has_nextest() -> bool {
    let (output, text) = run(&mut cargo(&["nextest", "--version"]));
    if !output.status.success() {
        eprintln!("nextest is not run, which is not installed: {text}");
    }
    output.status.success()
}

#[test]
fn tests_pass_in_a_process_each() {
    let passing = executable(cargo(&["test", "--test", "passing"]), "passing");
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

#[test]
fn tests_pass_under_nextest() {
    if has_nextest() {
        let (output, text) = run(&mut cargo(&["nextest", "run", "--test", "passing"]));
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains("17 tests run: 17 passed, 0 skipped"),
            "{text}"
        );
    }
}

/// Who does not ask for fault points has none.
#[test]
fn a_users_program_knows_nothing_of_fault_plans() {
    let passing = executable(cargo(&["test", "--test", "passing"]), "passing");
    let program = fs::read(passing).expect("it was built");
    let knows = |word: &[u8]| program.windows(word.len()).any(|part| part == word);
    assert!(knows(b"TRACTOR_LOG"), "its words can be found");
    assert!(!knows(b"TRACTOR_FAULTS"));
}

/// The tests that fail, and what is said of each.
const FAILURES: [(&str, &[&str]); 10] = [
    (
        "asserts",
        &[
            "the root's output",
            "a child's output",
            "a child's errors",
            "as everybody knows",
            "tests/failing.rs:",
        ],
    ),
    (
        "returns_an_error",
        &["actor 'unstarted' was not started", "/no/such/place"],
    ),
    (
        "leaks_a_process",
        &["has left processes behind: 'sleep' (pid "],
    ),
    (
        "leaks_a_descriptor",
        &["has left descriptors open", "/dev/zero"],
    ),
    ("leaks_a_socket", &["has left sockets: /", "/left"]),
    ("leaks_a_zombie", &["has not reaped: 'true' (pid "]),
    (
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
    ),
    ("leaves", &["exited with code 0 before the test ended"]),
    ("does_not_panic", &["did not panic as expected"]),
    (
        "runs_a_tree_in_the_harness",
        &["'child' was not started", "#[tractor::test]"],
    ),
];

/// That each failure is told in a section of its own, which begins with what `heading` makes of
/// the test's name and ends with the next `begin`.
fn check_failures(text: &str, heading: impl Fn(&str) -> String, begin: &str) {
    for (test, parts) in FAILURES {
        let said = text.split_once(&heading(test)).map(|(_, behind)| behind);
        let said = said.unwrap_or_else(|| panic!("nothing is said of {test}:\n{text}"));
        let said = said.split(begin).next().unwrap_or_default();
        for part in parts {
            assert!(said.contains(part), "{test} does not say {part:?}:\n{said}");
        }
    }
    assert_eq!(
        text.matches("a child's output").count(),
        1,
        "it is told once:\n{text}"
    );
}

#[test]
fn each_failure_is_told_with_what_its_tree_has_printed() {
    let (output, text) = run(&mut cargo(&["test", "--test", "failing"]));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("1 passed; 10 failed"), "{text}");
    let heading = |test: &str| format!("---- {test} stdout ----\n");
    check_failures(&text, heading, "\n---- ");
}

#[test]
fn nextest_tells_the_same_failures() {
    if has_nextest() {
        let tests = ["nextest", "run", "--test", "failing", "--no-fail-fast"];
        let (output, text) = run(&mut cargo(&tests));
        assert_eq!(output.status.code(), Some(100), "{text}");
        assert!(text.contains("11 tests run: 1 passed, 10 failed"), "{text}");
        let heading = |test: &str| format!(" user-crate::failing {test}\n");
        check_failures(&text, heading, " user-crate::failing ");
    }
}
