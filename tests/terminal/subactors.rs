//! Prompts in actors below the root, one at a time.

use rstest::rstest;

use crate::screen::Screen;

const NAME_ERROR: &str = "name 'doggypants' is not defined";

#[rstest]
#[case::continued("continue")]
#[case::next("n")]
fn subactor_error(#[case] answer: &str) {
    let mut screen = Screen::of("subactor_error");
    screen.prompt_after(&["Crashed actor 'name_error'", NAME_ERROR]);
    screen.line(answer);
    if answer == "n" {
        // It needs gdb, and ends nothing.
        screen.prompt_after(&["gdb"]);
        screen.line("c");
    }
    screen.prompt_after(&["Crashed actor 'root'", "'name_error'", NAME_ERROR]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains(NAME_ERROR), "{ended:?}");
}

#[test]
fn subactor_breakpoint() {
    let paused = "Paused actor 'breakpoint_forever'";
    let mut screen = Screen::of("subactor_breakpoint");
    screen.prompt_after(&[paused]);
    for _ in 0..10 {
        screen.line("next");
        screen.prompt();
    }
    for round in 1..=5 {
        screen.line("continue");
        screen.prompt_after(&[paused, &format!("round = {round}")]);
    }
    screen.line("q");
    screen.prompt_after(&[
        "Crashed actor 'root'",
        "'breakpoint_forever'",
        "DebuggerQuit",
    ]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("DebuggerQuit"), "{ended:?}");
}

/// Four actors and the root share the terminal; each failure has its prompt before anybody is
/// cancelled because of it, and who is cancelled while it waits goes on without one.
#[test]
fn multi_subactors() {
    let mut screen = Screen::of("multi_subactors");
    let mut seen = Vec::new();
    loop {
        let text = screen.prompt();
        let (_, opened) = text.split_once("ed actor '").expect("it says where");
        let actor = opened.split('\'').next().unwrap_or_default().to_owned();
        let is_root = actor == "root";
        seen.push(actor);
        screen.line("c");
        if is_root {
            break;
        }
    }
    // Whoever was first; the others may be cancelled by its failure before they have their turn.
    let first = seen.first().map(String::as_str);
    let all = ["breakpoint_forever", "name_error", "name_error_1"];
    assert!(first.is_some_and(|first| all.contains(&first)), "{seen:?}");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains(NAME_ERROR), "{ended:?}");
}
