//! Signals to the root cancel the tree, and the shell sees which one it was; more of them leave
//! it less time. Actors never see the terminal's Ctrl-C.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal as RawSignal, kill_process_group};
use tractor_core::process::Signal;

use crate::support::{Ended, Program, command, program, signal};

fn start(name: &str) -> Program {
    let mut command = program("programs");
    // Its own group, as a shell gives it.
    command.arg(name).env_remove("TRACTOR_LOG").process_group(0);
    Program::start(command)
}

/// Waits for these lines, in whatever order they come.
fn wait_for_all(tree: &mut Program, lines: &[&str]) {
    for line in lines {
        if !tree.lines().iter().any(|seen| seen == line) {
            tree.wait_for(line);
        }
    }
}

fn grown() -> Program {
    let mut tree = start("grows");
    wait_for_all(&mut tree, &READY);
    tree
}

/// What the program `grows` says when its actors are ready.
const READY: [&str; 4] = ["root ready", "level3 ready", "level2 ready", "level1 ready"];

/// Sends SIGINT, and waits until it has arrived: two that wait at once would be one.
fn interrupt(pid: u32) {
    signal(pid, Signal::Interrupt);
    let waits = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        mask.is_some_and(|mask| mask.trim() != "0000000000000000")
    };
    while fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| waits(&status)) {
        thread::yield_now();
    }
}

/// That each actor dropped what it held, once, and nobody was killed.
fn check_cleaned(ended: &Ended) {
    for ready in READY {
        let cleaned = ready.replace("ready", "cleaned");
        let count = ended.output.lines().filter(|line| *line == cleaned).count();
        assert_eq!(count, 1, "{cleaned}? {}", ended.output);
    }
}

#[test]
fn an_interrupt_cancels_the_whole_tree_and_is_seen_by_the_shell() {
    let tree = grown();
    signal(tree.pid(), Signal::Interrupt);
    let ended = tree.end();
    assert_eq!(ended.signal(), Some(2), "{}", ended.output);
    check_cleaned(&ended);
}

#[test]
fn a_termination_does_the_same() {
    let tree = grown();
    signal(tree.pid(), Signal::Terminate);
    let ended = tree.end();
    assert_eq!(ended.signal(), Some(15), "{}", ended.output);
    check_cleaned(&ended);
}

#[test]
fn the_terminals_interrupt_reaches_the_root_only() {
    let tree = grown();
    let group = Pid::from_raw(i32::try_from(tree.pid()).unwrap()).unwrap();
    kill_process_group(group, RawSignal::INT).expect("it leads its group");
    let ended = tree.end();
    assert_eq!(ended.signal(), Some(2), "{}", ended.output);
    check_cleaned(&ended);
}

#[test]
fn a_shell_reports_130_and_143() {
    for (number, signal_to_send) in [(130, Signal::Interrupt), (143, Signal::Terminate)] {
        let programs = program("programs");
        let mut shell = command("sh");
        // The root's number, then its status as the shell has it.
        let script = r#""$0" grows & echo "pid $!"; wait $!; echo "status $?""#;
        shell.args(["-mc", script]).arg(programs.get_program());
        let mut shell = Program::start(shell);
        let pid = shell.wait_for("pid ").parse().expect("a number");
        wait_for_all(&mut shell, &READY);
        signal(pid, signal_to_send);
        assert_eq!(shell.wait_for("status "), number.to_string());
        check_cleaned(&shell.end());
    }
}

/// How long a tree whose child resists takes to end after this many interrupts.
fn time_to_end(interrupts: u32) -> (Duration, Ended) {
    let mut tree = start("resists");
    tree.wait_for("resisting ready");
    let begin = Instant::now();
    for _ in 0..interrupts {
        interrupt(tree.pid());
    }
    let ended = tree.end();
    (begin.elapsed(), ended)
}

#[test]
fn a_child_that_resists_is_brought_down_within_the_ladder() {
    let (time, ended) = time_to_end(1);
    assert_eq!(ended.signal(), Some(2), "{}", ended.output);
    assert!(time < Duration::from_secs(15), "{time:?}");
}

#[test]
fn a_second_interrupt_shortens_the_time() {
    let (time, ended) = time_to_end(2);
    assert_eq!(ended.signal(), Some(2), "{}", ended.output);
    // Half a second is given, instead of nearly four.
    assert!(time < Duration::from_millis(2500), "{time:?}");
}

#[test]
fn a_third_interrupt_kills_also_a_root_that_is_blocked() {
    let mut tree = start("blocks");
    wait_for_all(&mut tree, &["root blocked", "below ready"]);
    interrupt(tree.pid());
    tree.wait_for("below cleaned");
    interrupt(tree.pid());
    interrupt(tree.pid());
    let ended = tree.end();
    assert_eq!(ended.signal(), Some(2), "{}", ended.output);
}
