//! The root and a child both have something to say, and who comes second waits.

use rstest::rstest;

use crate::screen::Screen;
use crate::subactors::NAME_ERROR;

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_error_before_child_error(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_error_before_child_error").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.moment("child");
    screen.until_waiting("child");
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'child'", NAME_ERROR]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'child'", NAME_ERROR]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// D36.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_error_after_child_error(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_error_after_child_error").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'child'", NAME_ERROR]);
    screen.moment("root");
    screen.until_waiting("root");
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'child'", NAME_ERROR]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_error_before_child_breakpoint(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_error_before_child_breakpoint").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.moment("child");
    screen.until_waiting("child");
    screen.line("c");
    screen.prompt_after(&["Paused actor 'child'", "later = true"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// D36.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_error_after_child_breakpoint(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_error_after_child_breakpoint").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'child'", "later = false"]);
    screen.moment("root");
    screen.until_waiting("root");
    screen.line("later");
    screen.prompt_after(&["later = false"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// D38: the root has waited long enough, just when a child is at a prompt; and D35: it could do
/// that.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_timeout_while_child_crashed(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_timeout_while_child_crashed").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'name_error'", NAME_ERROR]);
    screen.moment("timeout");
    screen.text("the root has waited long enough");
    screen.until_waiting("root");
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "TooSlowError"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// D33: the root fails while a child is half-born, which disturbs no prompt and hangs nothing.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn fast_error_in_root_after_spawn(#[case] interrupts: bool) {
    let mut screen = Screen::of("fast_error_in_root_after_spawn").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// A breakpoint pauses again after another task of the actor has failed.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn breakpoint_after_error_in_other_task(#[case] interrupts: bool) {
    let name = "breakpoint_after_error_in_other_task";
    let mut screen = Screen::of(name).interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'child'", "round = 1"]);
    screen.moment("failure");
    screen.until_waiting("child");
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'child'", NAME_ERROR]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'child'", "round = 2"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", NAME_ERROR]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}
