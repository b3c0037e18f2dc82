//! Prompts of far actors, which are linked with their parents over the network: the same as those
//! of all others.

use rstest::rstest;
use tractor_core::process::Signal;

use crate::queueing::pid_of;
use crate::screen::Screen;
use crate::support::signal;

/// Shows what has been captured, by paths that are typed and completed.
fn look_at_the_visit(screen: &mut Screen, place: &str) {
    screen.line("visit.stops[1].0");
    screen.prompt_after(&[&format!("visit.stops[1].0 = \"{place}\"")]);
    screen.completed("visit.pl", "visit.place");
    screen.prompt_after(&[&format!("visit.place = \"{place}\"")]);
    screen.completed("loca", "locals");
    screen.prompt_after(&["visit: Visit = Visit {", "bridge"]);
    screen.line("p nothing");
    screen.prompt_after(&["nothing"]);
}

/// Each level has its prompts, and an error has one at each level that it reaches.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn far_actors_have_their_prompts(#[case] interrupts: bool) {
    let mut screen = Screen::of("far_actors").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'far'", "look_around"]);
    look_at_the_visit(&mut screen, "far");
    screen.line("tree");
    screen.prompt_after(&["root (pid ", "  far (pid "]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'camp'", "\"here\" = \"here\""]);
    screen.completed("conti", "continue");
    screen.prompt_after(&["Paused actor 'outpost'"]);
    look_at_the_visit(&mut screen, "outpost");
    screen.line("tree");
    screen.prompt_after(&["  far (pid ", "    outpost (pid "]);
    screen.line("c");
    for actor in ["outpost", "far", "root"] {
        let crashed = format!("Crashed actor '{actor}'");
        screen.prompt_after(&[&crashed, "there is no map of outpost"]);
        screen.line("c");
    }
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(
        ended.tail.contains("there is no map of outpost"),
        "{ended:?}"
    );
}

#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn a_far_prompt_is_quit(#[case] interrupts: bool) {
    let mut screen = Screen::of("far_actors").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'far'"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'camp'"]);
    screen.line("c");
    screen.prompt_after(&["Paused actor 'outpost'"]);
    screen.line("q");
    for actor in ["far", "root"] {
        let crashed = format!("Crashed actor '{actor}'");
        screen.prompt_after(&[&crashed, "'outpost'", "DebuggerQuit"]);
        screen.line("c");
    }
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.tail.contains("DebuggerQuit"), "{ended:?}");
}

/// Fault 6, over the network.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn when_a_far_holder_is_killed_who_waits_has_the_prompt(#[case] interrupts: bool) {
    let mut screen = Screen::of("far_holder_and_waiter").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'holder'"]);
    screen.moment("wait");
    screen.until_waiting("waiter");
    let holder = pid_of(&mut screen, "holder");
    signal(holder, Signal::Kill);
    screen.prompt_after(&["is gone, and its prompt with it", "Paused actor 'waiter'"]);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'holder'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// Fault 10: what its signal handler says does not go over the network.
#[test]
fn a_far_actor_that_is_struck_by_a_signal_has_a_prompt() {
    let mut screen = Screen::of("far_abort").interrupted(true);
    for name in ["far", "root"] {
        screen.prompt_after(&[&format!("Crashed actor '{name}'"), "signal 6 (SIGABRT)"]);
        screen.line("c");
    }
    assert_eq!(screen.end().code(), Some(1));
}

/// A tree with far actors that is ended from a far prompt leaves nobody.
#[test]
fn the_tree_is_killed_from_a_far_prompt() {
    let mut screen = Screen::of("far_actors");
    screen.prompt_after(&["Paused actor 'far'"]);
    screen.line("kill");
    screen.prompt_after(&["`kill` once more"]);
    screen.line("kill");
    let ended = screen.end();
    assert_ne!(ended.code(), Some(0), "{ended:?}");
}
