//! What happens to those who have the terminal or wait for it, each by its id in `docs/deadlocks.md`.

use std::time::Instant;

use rstest::rstest;
use tractor_core::process::Signal;

use crate::screen::Screen;
use crate::support::{PATIENCE, signal};

/// The process that `tree` shows for an actor.
#[track_caller]
pub(crate) fn pid_of(screen: &mut Screen, actor: &str) -> u32 {
    let entry = format!("{actor} (pid ");
    screen.line("tree");
    let tree = screen.prompt_after(&[&entry]);
    let pid = tree
        .rsplit_once(&entry)
        .and_then(|(_, rest)| rest.split(')').next());
    pid.and_then(|pid| pid.parse().ok()).expect("it is shown")
}

/// Asks who waits, until nobody does.
#[track_caller]
fn until_nobody_waits(screen: &mut Screen) {
    while !screen.waiting().is_empty() {}
}

/// Who waits, in their turns, when there are so many.
#[track_caller]
fn waiting(screen: &mut Screen, count: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < PATIENCE, "so many do not wait");
        let names = screen.waiting();
        if names.len() >= count {
            return names;
        }
    }
}

/// The user lets the last of the queue go first; the others keep their turns.
#[test]
fn whom_the_user_prefers_is_next() {
    let mut screen = Screen::of("several_wait");
    screen.prompt_after(&["Paused actor '"]);
    let [first, second, third] = &waiting(&mut screen, 3)[..] else {
        panic!("there are four");
    };
    screen.line("queue go 4");
    screen.prompt_after(&["nobody waits as number 4", "3 waits: "]);
    screen.line("queue go 3");
    let is_next = format!("'{third}' is next");
    screen.prompt_after(&[&is_next, &format!("1 waits: '{third}'")]);
    for next in [third, first, second] {
        screen.line("c");
        screen.prompt_after(&[&format!("Paused actor '{next}'")]);
    }
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

/// The holder is at its prompt, and the other one waits.
fn holder_and_waiter(interrupts: bool) -> Screen {
    let mut screen = Screen::of("holder_and_waiter").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'holder'"]);
    screen.moment("wait");
    screen.until_waiting("waiter");
    screen
}

/// D02, D11, D18, D37: who waits is cancelled, at once, as a task and as an actor, and nobody
/// else is disturbed.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn who_waits_is_cancelled_at_once(#[case] interrupts: bool) {
    let mut screen = holder_and_waiter(interrupts);
    screen.moment("give up");
    screen.text("the call is given up");
    until_nobody_waits(&mut screen);
    screen.moment("wait again");
    screen.until_waiting("waiter");
    screen.moment("end");
    screen.text("the waiter is cancelled");
    until_nobody_waits(&mut screen);
    screen.line("\"here\"");
    screen.prompt();
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.tail.contains("Paused"), "{ended:?}");
}

/// Fault 6, D12.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn when_the_holder_is_killed_who_waits_has_the_prompt(#[case] interrupts: bool) {
    let mut screen = holder_and_waiter(interrupts);
    let holder = pid_of(&mut screen, "holder");
    signal(holder, Signal::Kill);
    screen.prompt_after(&["is gone, and its prompt with it", "Paused actor 'waiter'"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'holder'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// Fault 6.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn who_is_killed_while_it_waits_is_left_out(#[case] interrupts: bool) {
    let mut screen = holder_and_waiter(interrupts);
    let waiter = pid_of(&mut screen, "waiter");
    signal(waiter, Signal::Kill);
    until_nobody_waits(&mut screen);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'waiter'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// D05, D05b, D06: a second task of an actor is let past, and who is at the prompt may need it.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn a_second_task_is_let_past(#[case] interrupts: bool) {
    let mut screen = Screen::of("pause_beside_a_pause").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'child'", "the first"]);
    screen.moment("second");
    screen.text("passed by");
    screen.text("the second is past");
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.tail.contains("Paused"), "{ended:?}");
}

/// D35: a prompt of the root holds up neither its calls nor its registrar, nor the lock.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn the_root_serves_while_it_is_paused(#[case] interrupts: bool) {
    let mut screen = Screen::of("root_serves_while_paused").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'root'", "the root"]);
    screen.moment("ask");
    screen.text("served 6");
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}
