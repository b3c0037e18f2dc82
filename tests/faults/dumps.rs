//! What a tree tells of itself on SIGUSR1 and `dump_tree`, also where threads are blocked.

use tractor_core::process::{Process, Signal};

use crate::support::{Ended, Program, Scratch, program, scratch, signal};

/// Starts a tree, with the pids of `left`, `right` and four leaves, and where its sockets are.
fn standing() -> (Program, Vec<u32>, Scratch) {
    let place = scratch();
    let mut command = program("fault_programs");
    command.arg("stands").arg(place.as_ref());
    let mut program = Program::start(command);
    let pids = program.wait_for("standing ");
    let pids = pids.split(' ').map(|pid| pid.parse().expect("a number"));
    (program, pids.collect(), place)
}

/// Stops a process. Nothing tells anybody but its parent when it has.
fn stop(pid: u32) {
    signal(pid, Signal::Stop);
    let process = Process::open(pid).expect("it is there");
    while process.state() != Some('T') {
        std::thread::yield_now();
    }
}

/// These lines were printed, in this order.
#[track_caller]
fn assert_in_order(ended: &Ended, lines: &[String]) {
    let mut from = 0;
    for line in lines {
        let found = ended.output[from..].find(line.as_str());
        let at = found.unwrap_or_else(|| panic!("no {line:?} after that in:\n{}", ended.output));
        from += at + line.len();
    }
}

#[test]
fn every_actor_tells_what_it_does_after_its_parent() {
    let (mut program, pids, _place) = standing();
    signal(program.pid(), Signal::User1);
    (0..4).for_each(|_| drop(program.wait_for("=== end of 'leaf'")));
    let root = program.pid();
    signal(root, Signal::Terminate);
    let ended = program.end();
    let (begin, end) = (
        |name: &str, pid: u32| format!("=== what '{name}' (pid {pid}) is doing"),
        |name: &str, asked: &str| format!("=== end of '{name}'; asking {asked}"),
    );
    for (branch, name, leaves) in [
        (pids[0], "left", "'leaf', 'leaf'"),
        (pids[1], "right", "'leaf', 'leaf'"),
    ] {
        let daemon = format!("'{name}' (pid {branch}), daemon, running");
        assert_in_order(
            &ended,
            &[
                begin("root", root),
                format!("awaits of '{name}': fault_programs::standing::branch_out"),
                daemon,
                end("root", "'left', 'right'"),
                begin(name, branch),
                "fault_programs::standing::branch_out".to_owned(),
                end(name, leaves),
            ],
        );
    }
    for leaf in &pids[2..] {
        assert_in_order(
            &ended,
            &[end("root", "'left', 'right'"), begin("leaf", *leaf)],
        );
    }
}

#[test]
fn a_part_of_the_tree_can_be_asked_and_who_is_stopped_is_named() {
    let (mut program, pids, _place) = standing();
    let stopped = pids[2];
    stop(stopped);
    for branch in &pids[..2] {
        signal(*branch, Signal::User1);
    }
    (0..3).for_each(|_| drop(program.wait_for("=== end of 'leaf'")));
    signal(program.pid(), Signal::Terminate);
    let ended = program.end();
    assert!(
        !ended.output.contains("=== what 'root'"),
        "{}",
        ended.output
    );
    let named = ended
        .output
        .matches("'leaf' is not asked: it is stopped (SIGSTOP)");
    assert_eq!(named.count(), 1, "{}", ended.output);
    assert!(
        !ended
            .output
            .contains(&format!("=== what 'leaf' (pid {stopped})"))
    );
}

#[test]
fn any_actor_can_have_the_whole_tree_told_and_tells_itself_although_its_thread_is_blocked() {
    let mut command = program("fault_programs");
    command.arg("dumps");
    let mut program = Program::start(command);
    program.wait_for("=== end of 'leaf'");
    signal(program.pid(), Signal::Terminate);
    let ended = program.end();
    assert_in_order(
        &ended,
        &[
            "=== end of 'root'; asking 'branch'",
            "=== what 'branch'",
            "=== what 'leaf'",
            "running",
            "fault_programs::standing::dump_and_block",
        ]
        .map(str::to_owned),
    );
}
