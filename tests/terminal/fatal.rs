//! Fault 10: actors that die of a fatal signal have a prompt before they do, one, and then die
//! of that signal.

use tractor_core::process::Signal;

use crate::screen::Screen;
use crate::support::signal;

#[test]
fn a_segmentation_fault_has_a_prompt_and_its_status_after_it() {
    let mut screen = Screen::of("segfault_in_subactor");
    screen.prompt_after(&[
        "Crashed actor 'native'",
        "signal 11 (SIGSEGV) while debugged::debugging::fatal_signals::read_null was running",
    ]);
    for _ in 0..3 {
        screen.control('c');
        screen.prompt();
    }
    screen.line("info");
    screen.prompt_after(&["thread", "address   0x0"]);
    screen.line("tree");
    screen.prompt_after(&["root (pid ", "native (pid "]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "signal 11 (SIGSEGV)"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1));
    assert!(ended.tail.contains("signal 11 (SIGSEGV)"), "{ended:?}");
}

/// The standard library tells of the overflow, and aborts, when the prompt is over: that has none.
#[test]
fn an_overflow_of_the_stack_has_one_prompt() {
    let mut screen = Screen::of("stack_overflow_in_subactor");
    screen.prompt_after(&["Crashed actor 'native'", "signal 11 (SIGSEGV)"]);
    screen.line("c");
    screen.prompt_after(&[
        "has overflowed its stack",
        "Crashed actor 'root'",
        "signal 6 (SIGABRT)",
    ]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn an_abort_at_any_depth_has_a_prompt_and_then_each_parent_has() {
    let mut screen = Screen::of("abort_in_subactor");
    for name in ["native", "middle", "root"] {
        screen.prompt_after(&[&format!("Crashed actor '{name}'"), "signal 6 (SIGABRT)"]);
        screen.control('c');
        screen.prompt();
        screen.line("c");
    }
    assert_eq!(screen.end().code(), Some(1));
}

/// Each of the two panics has one; that the process aborts for them has none.
#[test]
fn a_panic_that_aborts_has_the_prompts_of_its_panics_only() {
    let mut screen = Screen::of("double_panic_in_subactor");
    for text in ["panicked at", "and once more"] {
        screen.prompt_after(&["Crashed actor 'native'", text]);
        screen.line("c");
    }
    screen.prompt_after(&["Crashed actor 'root'", "signal 6 (SIGABRT)"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn sigterm_ends_the_tree_although_a_stricken_actor_waits() {
    let mut screen = Screen::of("segfault_in_subactor");
    screen.prompt_after(&["Crashed actor 'native'"]);
    screen.signal(rexpect::process::Signal::SIGTERM);
    let ended = screen.end();
    let sent = rexpect::process::Signal::SIGTERM;
    assert_eq!(ended.signal(), Some(sent), "{ended:?}");
}

#[test]
fn a_stricken_actor_that_is_killed_loses_its_prompt() {
    let mut screen = Screen::of("segfault_in_subactor");
    let opened = screen.prompt_after(&["Crashed actor 'native'"]);
    signal(crate::disturbed::pid_in(&opened), Signal::Kill);
    screen.prompt_after(&["Crashed actor 'root'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}
