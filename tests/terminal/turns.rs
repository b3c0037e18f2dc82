//! Several actors want the terminal, and have it in turn.

use rstest::rstest;

use crate::screen::Screen;
use crate::subactors::NAME_ERROR;

/// Waits for the prompt of anybody, and gives whose it is.
fn opened(screen: &mut Screen) -> String {
    let text = screen.prompt_after(&["ed actor '"]);
    let (_, opened) = text.rsplit_once("ed actor '").expect("it was waited for");
    opened.split('\'').next().unwrap_or_default().to_owned()
}

/// Answers every prompt up to the root's with these in turn, and gives who had them.
fn answer(screen: &mut Screen, answers: &[&str]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut answers = answers.iter().cycle();
    loop {
        seen.push(opened(screen));
        screen.line(answers.next().copied().unwrap_or_default());
        if seen.last().is_some_and(|actor| actor == "root") {
            return seen;
        }
    }
}

/// Whoever crashes first has the first prompt. The others are cancelled by its failure, perhaps
/// before they have their turn; the root comes last, and its error names all that failed.
///
/// D01, D10, D30, D31: as many levels as there are, none is disturbed, and Ctrl-C at any depth
/// changes nothing.
#[rstest]
#[case::side_by_side("multi_subactors", 4)]
#[case::below_each_other("multi_nested_subactors_error_up_through_nurseries", 12)]
#[case::while_the_root_fails("root_cancelled_but_child_is_in_tty_lock", 6)]
fn failures_have_their_turns_and_the_root_the_last(
    #[case] program: &str,
    #[case] actors: usize,
    #[values(false, true)] interrupts: bool,
) {
    let mut screen = Screen::of(program).interrupted(interrupts);
    let seen = answer(&mut screen, &["c"]);
    assert!((2..=2 * actors + 1).contains(&seen.len()), "{seen:?}");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    for text in [NAME_ERROR, "'name_error"] {
        assert!(ended.tail.contains(text), "no {text:?}: {ended:?}");
    }
}

/// What is quit fails with that, and the others as before.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn multi_nested_subactors_error_up_through_nurseries(#[case] interrupts: bool) {
    let name = "multi_nested_subactors_error_up_through_nurseries";
    let mut screen = Screen::of(name).interrupted(interrupts);
    let seen = answer(&mut screen, &["c", "q"]);
    assert!((2..=25).contains(&seen.len()), "{seen:?}");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    let is_told = |text: &str| ended.tail.contains(text);
    assert!(is_told(NAME_ERROR) || is_told("DebuggerQuit"), "{ended:?}");
    assert!(is_told("relayed by"), "{ended:?}");
}

/// The root panics in its block: its prompt waits for its turn like any other. D36.
///
/// A failure that is answered before that cancels the block, so the first prompt waits for it.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn multi_subactor_root_errors(#[case] interrupts: bool) {
    let mut screen = Screen::of("multi_subactor_root_errors").interrupted(interrupts);
    let first = opened(&mut screen);
    if first != "root" {
        screen.until_waiting("root");
    }
    screen.line("c");
    if first != "root" {
        let later = answer(&mut screen, &["c"]);
        assert!((1..=3).contains(&later.len()), "{later:?}");
    }
    assert_eq!(screen.end().code(), Some(101), "its panic is its end");
}

/// D39: who pauses for ever leaves the others their turns, and a root that has enough gets
/// through.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn multi_daemon_subactors(#[case] interrupts: bool) {
    let mut screen = Screen::of("multi_daemon_subactors").interrupted(interrupts);
    let first = opened(&mut screen);
    let second = match &*first {
        "name_error" => "bp_forever",
        _ => "name_error",
    };
    screen.until_waiting(second);
    screen.line("c");
    assert_eq!(opened(&mut screen), second);
    screen.line("c");
    let seen = answer(&mut screen, &["c"]);
    let failures = seen.iter().filter(|actor| *actor == "name_error");
    assert_eq!(failures.count(), 1, "its second failure: {seen:?}");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains(NAME_ERROR), "{ended:?}");
}

/// Pauses of plain code, one at a time, in whichever order they come. D26.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn sync_bp(#[case] interrupts: bool) {
    let mut screen = Screen::of("sync_bp").interrupted(interrupts);
    for place in ["in the root's main", "the same, async"] {
        screen.prompt_after(&["Paused actor 'root'", place]);
        screen.line("c");
    }
    let places = ["in the child", "in a thread of the root"];
    let mut seen = Vec::new();
    for _ in places {
        let text = screen.prompt_after(&["Paused actor", "\" = \""]);
        seen.extend(
            places
                .into_iter()
                .filter(|it| text.contains(&format!("= \"{it}\""))),
        );
        screen.line("c");
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        ["in a thread of the root", "in the child"],
        "each once"
    );
    screen.prompt_after(&["Paused actor 'root'", "in another thread of the root"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

/// A plain function of the root pauses that a child has called.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn sync_pause_in_a_root_task(#[case] interrupts: bool) {
    let mut screen = Screen::of("sync_pause_in_a_root_task").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'root'", "pause_here", "asked_by = \"child\""]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}
