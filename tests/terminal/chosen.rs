//! What a program has to say about its prompts: which there are, and what happens around them.

use crate::screen::Screen;

/// Asks at the prompt who waits, until somebody does.
fn wait_for_waiter(screen: &mut Screen) {
    loop {
        screen.line("queue");
        // What others print meanwhile has the prompt drawn again.
        screen.text("has it:");
        if screen.prompt().contains("waits:") {
            return;
        }
    }
}

/// The fixture skips the prompts of one actor and stands around those of the others; the filter
/// lets only the panic have one by itself. Both hold in children.
#[test]
fn a_fixture_stands_around_prompts_and_a_filter_chooses_crashes() {
    let mut screen = Screen::of("own_screen");
    let seen = screen.prompt_after(&[
        "the screen is kept",
        "shy fails: true",
        "the screen is left",
        "Paused actor 'open'",
        "answer = 42",
    ]);
    assert!(
        !seen.contains("Crashed") && !seen.contains("taken back"),
        "{seen}"
    );
    screen.line("c");
    let seen = screen.prompt_after(&[
        "the screen is taken back",
        "open fails: true",
        "Crashed actor 'panicking'",
        "IndexError",
    ]);
    assert!(!seen.contains("Crashed actor 'open'"), "{seen}");
    screen.line("c");
    screen.prompt_after(&[
        "the screen is taken back",
        "Crashed actor 'root'",
        "IndexError",
    ]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// Without a runtime a block has prompts on the program's own terminal: for an error, not for one
/// that is not to be caught, and for a panic, with its stack, which then goes on.
#[test]
fn a_crash_handler_needs_no_runtime() {
    let mut screen = Screen::of("crash_handler");
    screen.prompt_after(&["Crashed", "invalid digit found in string"]);
    screen.line("tree");
    screen.prompt_after(&["There is no tree"]);
    screen.line("c");
    screen.text("went on after: Err(Failed(ParseIntError");
    let seen = screen.prompt_after(&["no prompt for: Err(Failed", "AssertionError", "-> "]);
    assert!(seen.contains("assert_eq!(found, 2"), "{seen}");
    screen.line("where");
    screen.prompt_after(&["crash_handler"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(101), "{ended:?}");
}

/// What is skipped at a prompt holds here, in the actor, or in the whole tree.
#[test]
fn breakpoints_are_skipped_from_the_prompt() {
    let mut screen = Screen::of("skipping");
    screen.prompt_after(&["Paused actor 'left'", "round = 0"]);
    screen.line("log 5");
    screen.prompt_after(&["WARN", "round 0 begins"]);
    screen.line("where 1");
    screen.prompt_after(&["rounds`, called by 'root'"]);
    screen.line("skip 2");
    screen.prompt_after(&["stops after 2 more"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'left'", "round = 3"]);
    screen.line("skip actor");
    screen.prompt_after(&["No breakpoint of this actor"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'right'", "round = 0"]);
    screen.line("skip all");
    screen.prompt_after(&["No breakpoint of the tree"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.tail.contains("Paused"), "{ended:?}");
}

/// A second task of an actor at a breakpoint waits for its turn, if the program says so.
#[test]
fn a_second_breakpoint_of_an_actor_waits_if_it_is_to() {
    let mut screen = Screen::of("reentry_queue");
    let first = screen.prompt_after(&["Paused actor 'twofold'"]);
    wait_for_waiter(&mut screen);
    screen.line("c");
    let second = screen.prompt_after(&["Paused actor 'twofold'"]);
    let ones = [first, second].map(|seen| seen.contains("number = 1"));
    assert!(ones[0] != ones[1], "the same one twice");
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

/// Or it panics; that is a crash, which waits for its turn.
#[test]
fn a_second_breakpoint_of_an_actor_is_refused_if_it_is_to() {
    let mut screen = Screen::of("reentry_refuse");
    // Which of the two asks for the terminal first is not said; the failure cancels who waits.
    let mut seen = screen.prompt_after(&["actor 'twofold' (pid"]);
    wait_for_waiter(&mut screen);
    while !seen.contains("Crashed actor 'root'") {
        screen.line("c");
        seen += &screen.prompt_after(&["ed actor '"]);
    }
    for text in [
        "Crashed actor 'twofold'",
        "while another task of this actor",
    ] {
        assert!(seen.contains(text), "no {text:?} in:\n{seen}");
    }
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}
