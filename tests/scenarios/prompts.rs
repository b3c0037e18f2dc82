//! D10, D12, D37: two actors of a tree want its terminal, which only one of them can have, and are
//! killed or cancelled meanwhile. Each tree has a terminal of its own.

use std::fs;
use std::time::Instant;

use rustix::fs::{CWD, Mode, mkfifoat};
use tractor_core::process::Signal;

use crate::screen::Screen;
use crate::seeds::{each_seed, hold_back};
use crate::support::{PATIENCE, program, scratch, signal};
use crate::tree::{PROMPT, ms, within};

/// The prompt goes with the actor that has it, and the other has its turn.
#[test]
fn d12_prompt_of_the_dead_is_free() {
    each_seed("D12", |chance| {
        let mut tree = Pausing::start("unshielded");
        let holder = tree.paused();
        tree.wait_until_another_waits();
        hold_back(chance.delay(20));
        signal(holder.pid, Signal::Kill);
        let next = tree.paused();
        assert_ne!(next.name, holder.name, "the dead are not asked again");
        tree.go_on_and_end();
    });
}

/// Who waits for the terminal, shielded, is not killed for the passing of time, although it is
/// cancelled and its time is used up.
#[test]
fn d10_waiter_is_not_killed_for_time() {
    each_seed("D10", |chance| {
        let mut tree = Pausing::start("shielded");
        let holder = tree.paused();
        tree.wait_until_another_waits();
        let waiter = holder.other();
        tree.cancel(waiter);
        tree.screen.text(&format!("cancelling {waiter}"));
        // Its time is a tenth of a second, and what is shown is that this means nothing.
        hold_back(ms(300) + chance.delay(300));
        assert!(tree.another_waits(), "'{waiter}' is not there any more");
        tree.screen.line("c");
        assert_eq!(tree.paused().name, waiter);
        tree.go_on_and_end();
    });
}

/// A cancel of who waits for the terminal does not wait for the terminal.
#[test]
fn d37_cancelled_waiter_ends_at_once() {
    each_seed("D37", |chance| {
        let mut tree = Pausing::start("unshielded");
        let holder = tree.paused();
        // Also while its request is on its way.
        if chance.below(4) > 0 {
            tree.wait_until_another_waits();
        }
        let waiter = holder.other();
        let begin = Instant::now();
        tree.cancel(waiter);
        tree.screen.text(&format!("ended {waiter}"));
        within(begin, PROMPT, "the end of who waited");
        assert!(!tree.another_waits(), "'{waiter}' still waits");
        tree.go_on_and_end();
    });
}

/// A root whose actors `ada` and `bob` pause, each once.
struct Pausing {
    screen: Screen,
}

/// Who has the prompt.
struct Paused {
    name: String,
    pid: u32,
}

impl Paused {
    fn other(&self) -> &'static str {
        if self.name == "ada" { "bob" } else { "ada" }
    }
}

impl Pausing {
    fn start(how: &str) -> Self {
        let place = scratch();
        for name in ["ada", "bob"] {
            let pipe = place.as_ref().join(name);
            mkfifoat(CWD, pipe, Mode::RUSR | Mode::WUSR).expect("the directory is ours");
        }
        let mut command = program("programs");
        command.args(["prompts", how]);
        let screen = Screen::start(command, place);
        Self { screen }
    }

    /// Waits until somebody new has the prompt.
    fn paused(&mut self) -> Paused {
        loop {
            let text = self.screen.prompt();
            // What others say meanwhile has the same prompt drawn again below it.
            let Some((_, opened)) = text.split_once("Paused actor '") else {
                continue;
            };
            let (name, rest) = opened.split_once("' (pid ").expect("it says its pid");
            let (pid, _) = rest.split_once(')').expect("the pid has an end");
            return Paused {
                name: name.to_owned(),
                pid: pid.parse().expect("a pid is a number"),
            };
        }
    }

    /// Asks at the prompt whether anybody waits for it.
    fn another_waits(&mut self) -> bool {
        self.screen.line("queue");
        loop {
            let text = self.screen.prompt();
            if let Some((_, queue)) = text.split_once("has it:") {
                return queue.contains("waits:");
            }
        }
    }

    fn wait_until_another_waits(&mut self) {
        let begin = Instant::now();
        while !self.another_waits() {
            within(begin, PATIENCE, "the other's request");
        }
    }

    /// Has the actor of this name cancelled.
    fn cancel(&self, name: &str) {
        let pipe = self.screen.place().join(name);
        fs::write(pipe, "").expect("its root reads it");
    }

    /// Leaves the last prompt, with which all is over.
    fn go_on_and_end(mut self) {
        self.screen.line("c");
        let ended = self.screen.end();
        assert_eq!(ended.code(), Some(0), "{ended:?}");
    }
}
