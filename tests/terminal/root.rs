//! Prompts in the root.

use rstest::rstest;

use crate::screen::Screen;

/// D08.
#[rstest]
#[case::continued("c", false)]
#[case::continued_interrupted("c", true)]
#[case::quit("q", false)]
#[case::quit_interrupted("q", true)]
fn root_actor_error(#[case] answer: &str, #[case] interrupts: bool) {
    let mut screen = Screen::of("root_actor_error").interrupted(interrupts);
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError", "-> "]);
    screen.line(answer);
    let ended = screen.end();
    assert_eq!(ended.code(), Some(101), "it panicked: {ended:?}");
}

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_actor_breakpoint_is_continued(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_actor_breakpoint").interrupted(interrupts);
    let seen = screen.prompt_after(&["Paused actor 'root'", "answer = 42"]);
    assert!(!seen.contains("Error"), "{seen}");
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.tail.contains("Error"), "{ended:?}");
}

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_actor_breakpoint_is_quit(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_actor_breakpoint").interrupted(interrupts);
    screen.prompt();
    screen.line("q");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("DebuggerQuit"), "{ended:?}");
}

/// D07.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_actor_breakpoint_forever(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_actor_breakpoint_forever").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'root'", "round = 0"]);
    for _ in 0..10 {
        screen.line("next");
        screen.prompt_after(&["gdb"]);
    }
    for round in 1..5 {
        screen.line("continue");
        screen.prompt_after(&["Paused actor 'root'", &format!("round = {round}")]);
    }
    screen.line("q");
    assert_eq!(screen.end().code(), Some(1));
}

/// A frame is chosen by number, also after steps that were refused.
#[test]
fn a_frame_is_chosen_after_a_refused_step() {
    let mut screen = Screen::of("root_actor_error");
    screen.prompt_after(&["Crashed actor 'root'"]);
    for step in ["n", "s"] {
        screen.line(step);
        screen.prompt_after(&["gdb"]);
    }
    screen.line("up");
    let above = screen.prompt_after(&["root_actor_error"]);
    screen.line("down");
    screen.prompt();
    screen.line("up");
    let again = screen.prompt_after(&["root_actor_error"]);
    assert_eq!(above, again, "it leads to the same frame");
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101));
}

/// What was passed over does not keep the next one from its prompt.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn recurrent_root_errors(#[case] interrupts: bool) {
    let mut screen = Screen::of("recurrent_root_errors").interrupted(interrupts);
    for error in 1..=3 {
        let left = format!("left: {error}");
        screen.prompt_after(&["Crashed actor 'root'", "AssertionError", &left]);
        screen.line("c");
        screen.text(&format!("error {error} is passed over"));
    }
    screen.prompt_after(&["Crashed actor 'root'", "the last one"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(101));
}

/// D24: the root's own crash has its prompt although the tree is ending.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn root_self_cancelled_w_error(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_self_cancelled_w_error").interrupted(interrupts);
    screen.prompt_after(&["the root has cancelled itself", "Paused actor 'root'"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(101), "{ended:?}");
}

/// D19: who writes down a value for one prompt may need another, and waits for nobody.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn pause_in_a_paused_task(#[case] interrupts: bool) {
    let mut screen = Screen::of("pause_in_a_paused_task").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'root'", "inner"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'root'", "value = written down"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}
