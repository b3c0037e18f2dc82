//! What the tests of gdb and of lldb have in common: whether a debugger is here, how it is left, and
//! how the program ends after it.

use std::process::{Command, Stdio};

use tractor_core::process::Signal;

use crate::screen::Screen;
use crate::support::{command, program, signal};

/// What the variable holds that nobody captured.
pub(crate) const SECRET: &str = "= 4712";

/// Whether a debugger is here. Says so if it is not, because then a test shows nothing.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the test's output is told"
)]
pub(crate) fn is_here(debugger: &str) -> bool {
    let version = command(debugger).arg("--version").output();
    let is_here = version.is_ok_and(|version| version.status.success());
    if !is_here {
        eprintln!("skipped: {debugger} is not installed here");
    }
    is_here
}

/// Has it left, which it asks about in such words.
pub(crate) fn leave(screen: &mut Screen, question: &str) {
    screen.line_elsewhere("quit");
    screen.text(question);
    screen.line_elsewhere("y");
}

/// Has it end in the middle of its work, with something typed ahead, and waits for the prompt of
/// the root, to which nothing of that has come.
pub(crate) fn kill(screen: &mut Screen, debugger: &str) {
    screen.line_elsewhere("info");
    signal(screen.process(debugger), Signal::Kill);
    screen.prompt_after(&[&format!("{debugger} was killed by signal 9")]);
    screen.line("c");
    let next = screen.prompt_after(&["Crashed actor 'root'"]);
    assert!(!next.contains("actor   "), "{next}");
    screen.line("c");
}

/// The end of a program, with this code, and with the terminal as if no debugger had been there.
pub(crate) fn end_as_ever(screen: Screen, code: i32) -> String {
    let ended = screen.end();
    assert_eq!(ended.code(), Some(code), "{ended:?}");
    assert_eq!(ended.settings, settings_without_debugger(), "{ended:?}");
    ended.tail
}

/// The same, when the task has gone on behind its pause.
pub(crate) fn end_with_the_secret(screen: Screen) {
    let tail = end_as_ever(screen, 0);
    assert!(tail.contains("the secret is 4712"), "{tail}");
}

/// The same, when SIGTERM ends the root.
pub(crate) fn end_by_sigterm(mut screen: Screen) {
    let sent = rexpect::process::Signal::SIGTERM;
    screen.signal(sent);
    let ended = screen.end();
    assert_eq!(ended.signal(), Some(sent), "{ended:?}");
    assert_eq!(ended.settings, settings_without_debugger(), "{ended:?}");
}

/// What a prompt says where the system lets nobody attach.
pub(crate) fn is_told_why(mut screen: Screen, debugger: &str) {
    screen.prompt();
    screen.line(debugger);
    let cannot = format!("{debugger} cannot attach to process");
    screen.prompt_after(&[&cannot, "PR_SET_DUMPABLE"]);
    screen.line("c");
    end_as_ever(screen, 0);
}

/// The settings that a program leaves in which nobody has called a debugger.
fn settings_without_debugger() -> String {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt();
    screen.line("c");
    screen.end().settings
}

/// The program, without the right to trace everything, which its user may have.
pub(crate) fn without_right() -> Command {
    let program = program("debugged");
    let drops = ["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"];
    let mut dropped = command("setpriv");
    dropped.args(drops);
    let mut tried = command("setpriv");
    let tried = tried.args(drops).arg("true").stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        dropped.arg(program.get_program());
        return dropped;
    }
    // Only who has the right may drop it.
    program
}
