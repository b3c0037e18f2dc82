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

/// Sends a signal, and waits until it has arrived: two of one kind that wait at once would be one.
fn send(pid: u32, sent: Signal) {
    signal(pid, sent);
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

/// The two that people and service managers send, with their numbers.
const BOTH: [(Signal, i32); 2] = [(Signal::Interrupt, 2), (Signal::Terminate, 15)];

/// After two signals half a second is given, instead of nearly four: no end lies on the other side
/// of this.
const SHORTENED: Duration = Duration::from_millis(2500);

/// How long a tree whose child resists takes to end after so many of a signal.
fn time_to_end(sent: Signal, times: u32) -> (Duration, Ended) {
    let mut tree = start("resists");
    tree.wait_for("resisting ready");
    let begin = Instant::now();
    for _ in 0..times {
        send(tree.pid(), sent);
    }
    let ended = tree.end();
    (begin.elapsed(), ended)
}

#[test]
fn a_child_that_resists_is_brought_down_within_the_ladder() {
    for (sent, number) in BOTH {
        let (time, ended) = time_to_end(sent, 1);
        assert_eq!(ended.signal(), Some(number), "{}", ended.output);
        // It has its time, which a second signal would cut short.
        assert!(
            (SHORTENED..Duration::from_secs(15)).contains(&time),
            "{number}: {time:?}"
        );
    }
}

#[test]
fn a_second_signal_shortens_the_time() {
    for (sent, number) in BOTH {
        let (time, ended) = time_to_end(sent, 2);
        assert_eq!(ended.signal(), Some(number), "{}", ended.output);
        assert!(time < SHORTENED, "{number}: {time:?}");
    }
}

#[test]
fn a_third_signal_kills_also_a_root_that_is_blocked() {
    for (sent, number) in BOTH {
        let mut tree = start("blocks");
        wait_for_all(&mut tree, &["root blocked", "below ready"]);
        send(tree.pid(), sent);
        tree.wait_for("below cleaned");
        send(tree.pid(), sent);
        send(tree.pid(), sent);
        let ended = tree.end();
        assert_eq!(ended.signal(), Some(number), "{}", ended.output);
    }
}

/// Whichever came first is what the shell sees.
#[test]
fn signals_of_two_kinds_count_together_and_a_shell_is_told_the_first() {
    for ([first, second], number) in [
        ([Signal::Interrupt, Signal::Terminate], 130),
        ([Signal::Terminate, Signal::Interrupt], 143),
    ] {
        let programs = program("programs");
        let mut shell = command("sh");
        let script = r#""$0" blocks & echo "pid $!"; wait $!; echo "status $?""#;
        shell.args(["-mc", script]).arg(programs.get_program());
        let mut shell = Program::start(shell);
        let pid = shell.wait_for("pid ").parse().expect("a number");
        wait_for_all(&mut shell, &["root blocked", "below ready"]);
        send(pid, first);
        shell.wait_for("below cleaned");
        send(pid, second);
        send(pid, second);
        assert_eq!(shell.wait_for("status "), number.to_string());
        shell.end();
    }
}
