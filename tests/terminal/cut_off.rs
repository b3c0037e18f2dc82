//! Actors that cannot be reached, or will not answer.

use rexpect::process::Signal;
use rstest::rstest;

use crate::screen::Screen;

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn subactor_bp_in_ctx_is_quit_early(#[case] interrupts: bool) {
    let mut screen = Screen::of("subactor_bp_in_ctx").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'bp_boi'", "just_bp", "round = 1"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'bp_boi'", "just_bp", "round = 2"]);
    screen.line("q");
    screen.prompt_after(&["Crashed actor 'root'", "'bp_boi'", "DebuggerQuit"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("DebuggerQuit"), "{ended:?}");
}

/// D13: nobody waits for an actor that is cut off, nor it for anybody.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn subactor_bp_in_ctx_is_cut_off(#[case] interrupts: bool) {
    let mut screen = Screen::of("subactor_bp_in_ctx").interrupted(interrupts);
    for round in 1..=3 {
        let round = format!("round = {round}");
        screen.prompt_after(&["Paused actor 'bp_boi'", "just_bp", &round]);
        screen.line("c");
    }
    // It has no prompt; its end is the root's failure.
    screen.prompt_after(&["Crashed actor 'root'", "'bp_boi'"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("'bp_boi'"), "{ended:?}");
}

/// D14: where nobody has a prompt, Ctrl-C is what it always is.
#[test]
fn open_ctx_modnofound() {
    let mut screen = Screen::of("open_ctx_modnofound");
    screen.text("refused");
    screen.text("hidden");
    screen.control('c');
    assert_eq!(screen.end().signal(), Some(Signal::SIGINT));
}
