//! Prompts in the root.

use rstest::rstest;

use crate::screen::Screen;

#[rstest]
#[case::continued("c")]
#[case::quit("q")]
fn root_actor_error(#[case] answer: &str) {
    let mut screen = Screen::of("root_actor_error");
    screen.prompt_after(&["Crashed actor 'root'", "AssertionError", "-> "]);
    screen.line(answer);
    let ended = screen.end();
    assert_eq!(ended.code(), Some(101), "it panicked: {ended:?}");
}

#[test]
fn root_actor_breakpoint_is_continued() {
    let mut screen = Screen::of("root_actor_breakpoint");
    let seen = screen.prompt_after(&["Paused actor 'root'", "answer = 42"]);
    assert!(!seen.contains("Error"), "{seen}");
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.tail.contains("Error"), "{ended:?}");
}

#[test]
fn root_actor_breakpoint_is_quit() {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt();
    screen.line("q");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("DebuggerQuit"), "{ended:?}");
}

#[test]
fn root_actor_breakpoint_forever() {
    let mut screen = Screen::of("root_actor_breakpoint_forever");
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
