//! Without a terminal nobody waits: the report is printed, and the program goes on.

use crate::support::{Program, program};

fn run(name: &str) -> (Option<i32>, String) {
    let mut command = program("debugged");
    command.arg(name).env("RUST_BACKTRACE", "0");
    let ended = Program::start(command).end();
    (ended.status.code(), ended.output)
}

#[test]
fn a_breakpoint_prints_its_report_and_goes_on() {
    let (code, output) = run("root_actor_breakpoint");
    assert_eq!(code, Some(0), "{output}");
    for text in [
        "Paused actor 'root'",
        "answer = 42",
        "no terminal",
        "going on",
    ] {
        assert!(output.contains(text), "no {text:?} in:\n{output}");
    }
}

#[test]
fn a_crash_prints_its_report_in_each_actor_that_it_reaches_and_goes_on() {
    let (code, output) = run("subactor_error");
    assert_eq!(code, Some(1), "{output}");
    for text in ["Crashed actor 'name_error'", "Crashed actor 'root'"] {
        assert!(output.contains(text), "no {text:?} in:\n{output}");
    }
}
