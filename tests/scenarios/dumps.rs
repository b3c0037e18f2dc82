//! T44: what a tree tells of itself on SIGUSR1 and `dump_tree`, also where threads are blocked.
//! Parents tell before their children, and nobody dies of it.

use std::path::Path;

use tractor_core::process::{Process, Signal};

use crate::chance::Chance;
use crate::seeds::{each_seed, hold_back};
use crate::support::{Ended, Program, program, scratch, signal};

/// A tree that stands until something happens to it: `left` and `right` with their leaves, of each
/// of which one has its thread asleep.
pub(crate) struct Standing {
    pub(crate) program: Program,
    /// Those of `left`, of `right` and of their leaves.
    pub(crate) pids: Vec<u32>,
    /// How many leaves each of the two has.
    leaves: [u64; 2],
}

impl Standing {
    /// Starts one, with its sockets in that place, and waits until everybody is there.
    pub(crate) fn start(place: &Path, chance: &mut Chance) -> Self {
        let leaves = [(); 2].map(|()| 1 + chance.below(3));
        let mut command = program("fault_programs");
        command.arg("stands").arg(place);
        for leaves in leaves {
            command.arg(leaves.to_string());
            command.arg(chance.below(leaves).to_string());
        }
        let mut program = Program::start(command);
        let pids = program.wait_for("standing ");
        let pids = pids.split(' ').map(|pid| pid.parse().expect("a number"));
        let pids: Vec<_> = pids.collect();
        assert_eq!(pids.len() as u64, 2 + leaves.iter().sum::<u64>());
        Self {
            program,
            pids,
            leaves,
        }
    }

    /// Waits until so many of it have told all.
    fn wait_for_ends(&mut self, actors: usize) {
        (0..actors).for_each(|_| drop(self.program.wait_for("=== end of ")));
    }
}

fn terminate(program: Program) -> Ended {
    signal(program.pid(), Signal::Terminate);
    program.end()
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
fn t44_every_actor_tells_what_it_does_after_its_parent() {
    let name = "t44_every_actor_tells_what_it_does_after_its_parent";
    each_seed(name, |chance| {
        let place = scratch();
        let mut tree = Standing::start(place.as_ref(), chance);
        hold_back(chance.delay(20));
        let root = tree.program.pid();
        signal(root, Signal::User1);
        tree.wait_for_ends(1 + tree.pids.len());
        hold_back(chance.delay(5));
        check_order(root, &tree.pids, tree.leaves, &terminate(tree.program));
    });
}

/// The root has told what it does before `left` and `right`, and these before their leaves.
fn check_order(root: u32, pids: &[u32], leaves: [u64; 2], ended: &Ended) {
    let (begin, end) = (
        |name: &str, pid: u32| format!("=== what '{name}' (pid {pid}) is doing"),
        |name: &str, asked: &str| format!("=== end of '{name}'; asking {asked}"),
    );
    for (branch, name, leaves) in [(pids[0], "left", leaves[0]), (pids[1], "right", leaves[1])] {
        let leaves = vec!["'leaf'"; leaves as usize].join(", ");
        let daemon = format!("'{name}' (pid {branch}), daemon, running");
        assert_in_order(
            ended,
            &[
                begin("root", root),
                format!("awaits of '{name}': fault_programs::standing::branch_out"),
                daemon,
                end("root", "'left', 'right'"),
                begin(name, branch),
                "fault_programs::standing::branch_out".to_owned(),
                end(name, &leaves),
            ],
        );
    }
    for leaf in &pids[2..] {
        assert_in_order(
            ended,
            &[end("root", "'left', 'right'"), begin("leaf", *leaf)],
        );
    }
}

#[test]
fn t44_a_part_of_the_tree_can_be_asked_and_who_is_stopped_is_named() {
    let name = "t44_a_part_of_the_tree_can_be_asked_and_who_is_stopped_is_named";
    each_seed(name, |chance| {
        let place = scratch();
        let mut tree = Standing::start(place.as_ref(), chance);
        let (mut branches, mut leaves) = (tree.pids[..2].to_vec(), tree.pids[2..].to_vec());
        chance.shuffle(&mut leaves);
        let stopped = &leaves[..1 + chance.below(leaves.len() as u64) as usize];
        stopped.iter().for_each(|pid| stop(*pid));
        chance.shuffle(&mut branches);
        for branch in branches {
            hold_back(chance.delay(5));
            signal(branch, Signal::User1);
        }
        tree.wait_for_ends(tree.pids.len() - stopped.len());
        let ended = terminate(tree.program);
        assert!(
            !ended.output.contains("=== what 'root'"),
            "{}",
            ended.output
        );
        let named = ended
            .output
            .matches("'leaf' is not asked: it is stopped (SIGSTOP)");
        assert_eq!(named.count(), stopped.len(), "{}", ended.output);
        for pid in stopped {
            assert!(
                !ended
                    .output
                    .contains(&format!("=== what 'leaf' (pid {pid})"))
            );
        }
    });
}

#[test]
fn t44_any_actor_can_have_the_whole_tree_told_and_tells_itself_although_its_thread_is_blocked() {
    each_seed("t44, by an actor whose thread is blocked", |chance| {
        let branches = 1 + chance.below(3);
        let mut command = program("fault_programs");
        command.arg("dumps").arg(branches.to_string());
        command.arg(chance.delay(5).as_micros().to_string());
        let mut program = Program::start(command);
        program.wait_for("=== end of 'leaf'");
        hold_back(chance.delay(5));
        let ended = terminate(program);
        let mut lines = vec!["=== end of 'root'; asking 'branch'"];
        lines.extend((0..branches).map(|_| "=== what 'branch'"));
        lines.extend([
            "=== what 'leaf'",
            "running",
            "fault_programs::standing::dump_and_block",
        ]);
        let lines: Vec<_> = lines.into_iter().map(str::to_owned).collect();
        assert_in_order(&ended, &lines);
    });
}
