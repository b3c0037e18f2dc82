//! What happens while a prompt is open does not end it, unless it has to.

use tractor_core::process::Signal;

use crate::screen::Screen;
use crate::support::signal;

#[test]
fn ctrl_c_prompts_again_and_changes_nothing() {
    let mut screen = Screen::of("subactor_breakpoint");
    screen.prompt_after(&["Paused actor 'breakpoint_forever'"]);
    for _ in 0..50 {
        screen.control('c');
        screen.prompt();
    }
    screen.line("round");
    screen.prompt_after(&["round = 0"]);
    screen.line("c");
    screen.prompt_after(&["round = 1"]);
    screen.line("q");
    screen.prompt_after(&["Crashed actor 'root'"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// A key that comes in the same moment is not lost.
#[test]
fn what_is_typed_right_behind_ctrl_c_counts() {
    let mut screen = Screen::of("root_actor_breakpoint").without_history();
    screen.prompt();
    for _ in 0..20 {
        screen.keys("half a line\u{3}answer\r");
        screen.prompt_after(&["answer = 42"]);
    }
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn a_signal_to_the_root_is_for_the_prompt_as_well() {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt();
    screen.signal(rexpect::process::Signal::SIGINT);
    screen.line("answer");
    screen.prompt_after(&["answer = 42"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn sigterm_ends_the_tree_although_a_prompt_is_open() {
    let mut screen = Screen::of("subactor_breakpoint");
    screen.prompt();
    screen.signal(rexpect::process::Signal::SIGTERM);
    let ended = screen.end();
    let sent = rexpect::process::Signal::SIGTERM;
    assert_eq!(ended.signal(), Some(sent), "{ended:?}");
}

/// A stopped holder cannot give its prompt back; it is ended all the same.
#[test]
fn sigterm_ends_the_tree_although_the_holder_is_stopped() {
    let mut screen = Screen::of("subactor_breakpoint");
    let opened = screen.prompt_after(&["Paused actor 'breakpoint_forever' (pid "]);
    signal(pid_in(&opened), Signal::Stop);
    screen.signal(rexpect::process::Signal::SIGTERM);
    let ended = screen.end();
    let sent = rexpect::process::Signal::SIGTERM;
    assert_eq!(ended.signal(), Some(sent), "{ended:?}");
}

/// It is named, with what its process does; and going on, it has its prompt again.
#[test]
fn a_holder_that_is_stopped_is_named_and_has_its_prompt_when_it_goes_on() {
    let mut screen = Screen::of("subactor_breakpoint");
    let opened = screen.prompt_after(&["Paused actor 'breakpoint_forever' (pid "]);
    let pid = pid_in(&opened);
    signal(pid, Signal::Stop);
    screen.line("round");
    screen.text("'breakpoint_forever' has the terminal and says nothing; its process is stopped");
    signal(pid, Signal::Continue);
    screen.prompt_after(&["round = 0"]);
    screen.line("tree");
    screen.prompt_after(&["breakpoint_forever (pid ", ") is running, has the terminal"]);
    screen.line("q");
    screen.prompt_after(&["Crashed actor 'root'"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

/// The process that a prompt's first line names.
pub(crate) fn pid_in(opened: &str) -> u32 {
    let pid = opened
        .split("(pid ")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    pid.and_then(|pid| pid.parse().ok())
        .expect("it says its pid")
}

#[test]
fn when_the_holder_is_killed_its_death_is_told_and_the_next_has_the_prompt() {
    let mut screen = Screen::of("subactor_breakpoint");
    let opened = screen.prompt_after(&["Paused actor 'breakpoint_forever' (pid "]);
    signal(pid_in(&opened), Signal::Kill);
    screen.prompt_after(&["Crashed actor 'root'", "signal 9"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn odd_input_is_answered_and_the_prompt_comes_again() {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt();
    // What is typed is shown, so each is told by its answer; a long line is drawn again and again.
    let long = "x".repeat(3_000);
    for (line, answer) in [("contineu", "did you mean"), (&*long, "characters")] {
        screen.line(line);
        screen.text(answer);
        screen.prompt();
    }
    screen.line("answer");
    screen.prompt_after(&["answer = 42"]);
    screen.control('d');
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn what_was_typed_is_kept_for_the_next_time() {
    let mut screen = Screen::of("root_actor_breakpoint");
    screen.prompt();
    screen.line("answer");
    screen.prompt();
    screen.line("c");
    let history = screen.place().join("tractor/history");
    let kept = std::fs::read_to_string(&history);
    assert!(
        kept.is_ok_and(|kept| kept.contains("answer")),
        "{history:?}"
    );
    assert_eq!(screen.end().code(), Some(0));
}
