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

/// Goes on at every prompt up to the root's, and gives who had them.
fn go_on(screen: &mut Screen) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let text = screen.prompt();
        // What others say meanwhile has the same prompt drawn again below it.
        let Some((_, opened)) = text.split_once("ed actor '") else {
            continue;
        };
        let actor = opened.split('\'').next().unwrap_or_default().to_owned();
        seen.push(actor);
        screen.line("c");
        if seen.last().is_some_and(|actor| actor == "root") {
            return seen;
        }
    }
}

/// Whoever crashes first has the first prompt. The others are cancelled by its failure, perhaps
/// before they have their turn; the root comes last, and its error names all that failed.
#[rstest]
#[case::side_by_side("multi_subactors", 4)]
#[case::below_each_other("multi_nested_subactors_error_up_through_nurseries", 8)]
#[case::while_the_root_fails("root_cancelled_but_child_is_in_tty_lock", 6)]
fn failures_have_their_turns_and_the_root_the_last(#[case] program: &str, #[case] actors: usize) {
    let mut screen = Screen::of(program);
    let seen = go_on(&mut screen);
    assert!((2..=actors + 1).contains(&seen.len()), "{seen:?}");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    for text in [NAME_ERROR, "'name_error"] {
        assert!(ended.tail.contains(text), "no {text:?}: {ended:?}");
    }
}

/// The root panics in its block: its prompt waits for its turn like any other.
#[test]
fn multi_subactor_root_errors() {
    let mut screen = Screen::of("multi_subactor_root_errors");
    let seen = go_on(&mut screen);
    assert!((1..=4).contains(&seen.len()), "{seen:?}");
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// Two at a breakpoint at once have it one after the other, then who fails, then the root.
#[test]
fn taking_turns() {
    let mut screen = Screen::of("taking_turns");
    let first = screen.prompt_after(&["Paused actor '", "total = "]);
    let (mine, other) = match first.contains("'east'") {
        true => ("bolt", "west"),
        false => ("screw", "east"),
    };
    screen.line("order.items[0].0");
    screen.prompt_after(&[&format!("order.items[0].0 = \"{mine}\"")]);
    screen.line("c");
    screen.prompt_after(&[&format!("Paused actor '{other}'")]);
    screen.line("c");
    for actor in ["shipper", "root"] {
        screen.prompt_after(&[
            &format!("Crashed actor '{actor}'"),
            "order 7 has no address",
        ]);
        screen.line("c");
    }
    assert_eq!(screen.end().code(), Some(1));
}
