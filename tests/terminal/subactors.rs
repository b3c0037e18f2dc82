//! Prompts in an actor below the root, and then in the root.

use rstest::rstest;

use crate::screen::Screen;

pub(crate) const NAME_ERROR: &str = "name 'doggypants' is not defined";

/// D08.
#[rstest]
#[case::continued("continue", false)]
#[case::continued_interrupted("continue", true)]
#[case::next("n", false)]
#[case::next_interrupted("n", true)]
fn subactor_error(#[case] answer: &str, #[case] interrupts: bool) {
    let mut screen = Screen::of("subactor_error").interrupted(interrupts);
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

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn subactor_breakpoint(#[case] interrupts: bool) {
    let paused = "Paused actor 'breakpoint_forever'";
    let mut screen = Screen::of("subactor_breakpoint").interrupted(interrupts);
    screen.prompt_after(&[paused]);
    for _ in 0..10 {
        screen.line("next");
        screen.prompt_after(&["gdb"]);
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

/// D17: a task that has a context open fails right after a prompt of its own.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn pm_in_subactor(#[case] interrupts: bool) {
    let mut screen = Screen::of("pm_in_subactor").interrupted(interrupts);
    let by_hand = ["Crashed actor 'child'", "pm_in_subactor.rs", "by hand"];
    screen.prompt_after(&by_hand);
    screen.line("c");
    let by_itself = screen.prompt_after(&["Crashed actor 'child'", "looks_first", NAME_ERROR]);
    assert!(!by_itself.contains("by hand\r\n  "), "{by_itself}");
    screen.line("c");
    for _ in ["by hand", "by itself"] {
        screen.prompt_after(&["Crashed actor 'root'", "'child'", NAME_ERROR]);
        screen.line("c");
    }
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains(NAME_ERROR), "{ended:?}");
}

/// D23: without a shield a cancelled task has no prompt, and the log says why.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn shielded_pause(#[case] interrupts: bool) {
    let mut screen = Screen::of("shielded_pause").interrupted(interrupts);
    for actor in ["cancelled_before_pause", "root"] {
        let paused = format!("Paused actor '{actor}'");
        for round in 1..=3 {
            screen.prompt_after(&[&paused, &format!("INSIDE SHIELDED PAUSE {round}")]);
            screen.line("c");
        }
        screen.prompt_after(&[&paused]);
        screen.line("c");
        screen.text("the task is cancelled");
    }
    assert_eq!(screen.end().code(), Some(0));
}

/// One is debugged, and neither the root nor its sibling.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn per_actor_debug(#[case] interrupts: bool) {
    let mut screen = Screen::of("per_actor_debug").interrupted(interrupts);
    let opened = screen.prompt_after(&["Crashed actor 'debugged_boi'", "RuntimeError"]);
    assert!(!opened.contains("crash_boi"), "{opened}");
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    for text in ["'crash_boi'", "RuntimeError"] {
        assert!(ended.tail.contains(text), "no {text}: {ended:?}");
    }
    assert!(!ended.tail.contains("Crashed actor"), "{ended:?}");
}

/// Nobody asks for a prompt, and nobody waits for one.
#[test]
fn debug_mode_hang() {
    assert_eq!(Screen::of("debug_mode_hang").end().code(), Some(0));
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
