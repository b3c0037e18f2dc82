//! Conversations: what the files below share, and an actor that can be asked.

// The opening, and what moves the view.
mod looking;
// Values, ways out, questions, garbage.
mod talking;

use std::cell::RefCell;
use std::time::Duration;

use tractor_core::{Ending, Error, TaskState};
use tractor_ipc::ActorId;

use super::frames::tests::BACKTRACE;
use super::locate::tests::Memory;
use super::values::tests::capture;
use super::*;
use crate::scene::{Capture, Place, Why};

const SOURCE: &str = "\
use demo::Order;

struct Loader;

impl Loader {
    fn note(&self) {}

    fn load(&self, c: Order) {
        let limit = 3;

        // The place.
        breakpoint!(c, limit);
        for n in 0..limit {
            self.note();
        }
    }
}
";

/// An actor in which two calls run.
#[derive(Default)]
struct Busy {
    cancelled: RefCell<Vec<u64>>,
    skipped: RefCell<Vec<Skip>>,
}

impl World for Busy {
    fn tasks(&self) -> Vec<TaskLine> {
        vec![TaskLine {
            number: 7,
            function: "demo::load".to_owned(),
            caller: Some(ActorId::new("boss", 1)),
            age: Duration::from_secs(61),
            state: TaskState::Waiting,
        }]
    }
    fn links(&self) -> Vec<LinkLine> {
        vec![LinkLine {
            peer: ActorId::new("boss", 1),
            age: Duration::from_secs(2),
            bytes_in: 10,
            bytes_out: 20,
            bytes_queued: 5,
            calls: 0,
            tasks: 1,
        }]
    }
    fn cancel_task(&self, number: u64) -> bool {
        self.cancelled.borrow_mut().push(number);
        number == 7
    }
    fn skip(&self, skip: Skip) {
        self.skipped.borrow_mut().push(skip);
    }
    fn log(&self, count: usize) -> Vec<String> {
        let lines = ["load begins", "no \x1b[5mtea"].map(str::to_owned);
        lines.into_iter().take(count).collect()
    }
    fn runtime_vars(&self) -> Vec<(String, String)> {
        vec![("debug_mode".to_owned(), "true".to_owned())]
    }
    fn facts(&self) -> Vec<(String, String)> {
        vec![("build".to_owned(), "4f2a".to_owned())]
    }
}

fn scene(captures: Vec<Capture>) -> Scene {
    Scene {
        actor: ActorId::new("worker", 1),
        pid: 123,
        task: Some("load 7".to_owned()),
        why: Why::Pause,
        place: Some(Place {
            file: "src/main.rs".to_owned(),
            line: 12,
            module: "demo".to_owned(),
            manifest_dir: Some("/w/demo".to_owned()),
        }),
        captures,
        error: None,
        backtrace: Some(BACKTRACE.to_owned()),
    }
}

fn crash() -> Scene {
    let panicked = Ending::Panicked {
        message: "index out of \x1b[5mrange".to_owned(),
        location: Some("src/main.rs:12:5".to_owned()),
    };
    Scene {
        why: Why::Crash,
        error: Some(Error::new(ActorId::new("worker", 1), panicked).with_pid(123)),
        ..scene(vec![capture("limit", &3)])
    }
}

fn repl(scene: Scene) -> Repl {
    Repl::with_sources(scene, Memory::with("/w/demo/src/main.rs", SOURCE))
}

/// What is shown in answer to a line.
#[track_caller]
fn shown(repl: &mut Repl, line: &str) -> String {
    match repl.run(line, &Busy::default()) {
        Step::Show(text) => text,
        step => panic!("`{line}` gave {step:?}"),
    }
}

/// The numbers of the lines of source that are shown.
fn numbers(shown: &str) -> Vec<usize> {
    let number = |line: &str| line.get(3..)?.split_whitespace().next()?.parse().ok();
    shown.lines().filter_map(number).collect()
}

fn step(repl: &mut Repl, line: &str) -> Step {
    repl.run(line, &Busy::default())
}
