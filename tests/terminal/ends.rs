//! Trees that end while somebody is at a prompt, or wants one, each by its id in `docs/deadlocks.md`.

use std::fs;
use std::time::Duration;

use rexpect::process::Signal as Own;
use rstest::rstest;
use tractor_core::process::Signal;

use crate::queueing::pid_of;
use crate::screen::Screen;
use crate::shortage::wrap;
use crate::support::{is_alive, signal};

/// D09, D31, D32, D34: the root has cancelled what is at a prompt two levels down. No ladder
/// reaches it until the prompt is left, however long that takes, and then it ends.
#[rstest]
#[case::in_async_code("async_pause_two_levels_down", false)]
#[case::in_a_blocked_executor("pause_two_levels_down", false)]
#[case::interrupted("pause_two_levels_down", true)]
fn a_prompt_outlives_the_ladders_of_all_above_it(#[case] program: &str, #[case] interrupts: bool) {
    let mut screen = Screen::of(program).interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'leaf'", "the leaf"]);
    screen.moment("cancel");
    screen.text("the root has cancelled");
    // What must not happen would happen after four seconds, and a stall be told after six.
    pass(Duration::from_secs(7));
    screen.line("tree");
    screen.prompt_after(&["middle (pid", "leaf (pid"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    for told in ["has stalled", "has kept a thread"] {
        assert!(!ended.all.contains(told), "{ended:?}");
    }
}

/// Fault 6 and 7: the prompt goes with those who are below the one that is killed.
#[rstest]
#[case::plain(false)]
#[case::interrupted(true)]
fn when_the_middle_is_killed_the_prompt_below_goes_too(#[case] interrupts: bool) {
    let mut screen = Screen::of("pause_two_levels_down").interrupted(interrupts);
    screen.prompt_after(&["Paused actor 'leaf'", "the leaf"]);
    let middle = pid_of(&mut screen, "middle");
    signal(middle, Signal::Kill);
    screen.prompt_after(&["Crashed actor 'root'", "'middle'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// Fault 8, D15: nobody stays at a prompt without a root, and the terminal is as it was.
#[rstest]
#[case::in_an_actor("subactor_breakpoint")]
#[case::in_the_root("root_actor_breakpoint")]
#[case::two_levels_down("pause_two_levels_down")]
fn when_the_root_is_killed_nobody_stays_at_a_prompt(#[case] program: &str) {
    let mut screen = Screen::of(program);
    screen.prompt_after(&["Paused actor"]);
    screen.signal(Own::SIGKILL);
    assert_eq!(screen.end().signal(), Some(Own::SIGKILL));
}

/// A terminal that hangs up, of a root that ignores the signal for that, ends the prompt.
#[test]
fn when_the_terminal_hangs_up_the_root_goes_on() {
    let mut screen = Screen::with("root_actor_breakpoint", |command, _| {
        // Another terminal in between, which can be taken away.
        let script = "trap '' HUP; exec script --quiet --command \"$*\" /dev/null";
        wrap(command, script);
    })
    .without_history();
    screen.prompt_after(&["Paused actor 'root'"]);
    screen.signal(Own::SIGKILL);
    screen.until_gone();
}

/// D20: whatever becomes of the line editor, the prompt comes again.
#[test]
fn when_the_editor_is_killed_the_prompt_comes_again() {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt_after(&["Paused actor 'root'"]);
    for _ in 0..3 {
        let editors: Vec<_> = screen.processes().into_iter().filter(is_editor).collect();
        let [editor] = editors[..] else {
            panic!("one editor, not {editors:?}");
        };
        signal(editor, Signal::Kill);
        screen.prompt();
    }
    screen.line("answer");
    screen.prompt_after(&["answer = 42"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

fn is_editor(pid: &u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.trim() == "tractor-editor")
}

/// D03: Ctrl-C while somebody is about to ask for the terminal: either it is for the prompt or it
/// ends the tree, and nobody waits for what does not come.
#[test]
fn ctrl_c_at_any_moment_is_for_the_prompt_or_ends_the_tree() {
    for ms in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240] {
        let mut screen = Screen::of("subactor_breakpoint");
        // Before it is itself there is no terminal that could end.
        while screen.processes().is_empty() {
            std::thread::yield_now();
        }
        pass(Duration::from_millis(ms));
        screen.signal(Own::SIGINT);
        let ended = screen.quit();
        let is_one = ended.code() == Some(1) || ended.signal() == Some(Own::SIGINT);
        assert!(is_one, "after {ms} ms: {ended:?}");
    }
}

/// D04: who pauses when the tree is ending already is refused, and told so.
#[test]
fn a_pause_after_the_end_has_begun_is_refused() {
    let mut screen = Screen::of("pause_after_the_end_has_begun");
    screen.text("the child is there");
    screen.control('c');
    screen.text("Paused actor 'child'");
    screen.text("going on");
    screen.text("the child has cleaned up");
    assert_eq!(screen.end().signal(), Some(Own::SIGINT));
}

/// D14: when nobody has the terminal any more, Ctrl-C is what it always is.
#[test]
fn when_the_holder_is_gone_ctrl_c_ends_the_tree() {
    let mut screen = Screen::of("lonely_holder");
    screen.prompt_after(&["Paused actor 'holder'"]);
    let root = pid_of(&mut screen, "root");
    let holder = pid_of(&mut screen, "holder");
    signal(holder, Signal::Kill);
    // Either may be first: one is told by the system, the other by the link.
    let before = screen.text("is gone, and its prompt with it");
    if !before.contains("it is over: true") {
        screen.text("it is over: true");
    }
    // The first may come while the terminal is being put back.
    while is_alive(root) {
        screen.signal(Own::SIGINT);
        pass(Duration::from_millis(300));
    }
    assert_eq!(screen.end().signal(), Some(Own::SIGINT));
}

/// Lets time pass where it is the time itself that matters.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}
