//! F53 in debug mode: a random walk in a terminal, whose actors pause and have prompts for what
//! fails, while a user types, or does nothing, and somebody kills and stops actors and the line
//! editor. The root is asked to end in the middle of it, and then nobody is left.

use std::time::Instant;

use rexpect::process::WaitStatus;
use tractor_core::process::{Process, Signal};

use crate::chance::Chance;
use crate::screen::Screen;
use crate::seeds::{hold_back, seeds};
use crate::support::{marked, program, scratch};
use crate::tree::{BOUNDED, ms, note, within};

#[test]
fn f53_walk_with_prompts_ends() {
    for seed in seeds() {
        note(&format!("F53 (with prompts), seed {seed}"));
        walk(seed);
    }
}

fn walk(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut command = program("programs");
    command.args(["walks_with_prompts", &seed.to_string()]);
    // What is typed where no prompt is has no history.
    let mut screen = Screen::start(command, scratch()).without_history();
    screen.text("walking as ");
    let root = screen.text("\n").trim().parse();
    let mut user = User {
        screen,
        root: root.expect("a pid is a number"),
        unread: String::new(),
        // Few walks have it: whoever is stopped costs its parent a second.
        stops: chance.below(4) == 0,
    };
    for _ in 0..chance.below(15) {
        user.act(&mut chance);
    }
    // The tree closes, and who has the prompt may finish.
    if chance.coin() {
        user.signal_root(Signal::Interrupt);
        for _ in 0..chance.below(6) {
            user.act(&mut chance);
        }
    }
    let begin = Instant::now();
    user.signal_root(Signal::Terminate);
    let ended = user.screen.end();
    within(begin, BOUNDED, "a walking root with prompts");
    let was_asked = matches!(ended.status, WaitStatus::Signaled(..));
    // Who quits the root's own prompt ends it well.
    assert!(
        was_asked || matches!(ended.code(), Some(0 | 1)),
        "{ended:?}"
    );
}

/// Who sits at the terminal of a tree, and has a shell beside it.
struct User {
    screen: Screen,
    root: u32,
    /// What has appeared since a prompt was answered.
    unread: String,
    stops: bool,
}

impl User {
    /// Does one thing at a prompt, or without one.
    fn act(&mut self, chance: &mut Chance) {
        match chance.below(12) {
            0 => self.torment(chance),
            1 => hold_back(chance.delay(100)),
            // Keys that nobody waits for.
            2 => self.screen.keys("tree\rc\r"),
            3 => self.screen.control('c'),
            _ => self.answer(chance),
        }
    }

    /// Waits a while for a prompt, and answers it if there is one.
    fn answer(&mut self, chance: &mut Chance) {
        let begin = Instant::now();
        while !self.unread.contains("(tdb@") {
            if begin.elapsed() > ms(200) {
                return;
            }
            hold_back(ms(2));
            self.unread += &self.screen.take();
        }
        self.unread.clear();
        match chance.below(8) {
            0 => self.screen.line("q"),
            1 => self.screen.control('d'),
            2 => self.screen.control('c'),
            3 => self.screen.line("queue"),
            _ => self.screen.line("c"),
        }
    }

    /// Sends a signal to anybody but the root.
    fn torment(&mut self, chance: &mut Chance) {
        let mark = format!("TRACTOR_TEST_RUN={}", self.screen.place().display());
        let mut others = marked(&mark);
        others.retain(|pid| *pid != self.root);
        if others.is_empty() {
            return;
        }
        let victim = *chance.pick(&others);
        let signal = match chance.below(4) {
            0 | 1 if self.stops => Signal::Stop,
            2 if self.stops => Signal::Continue,
            3 => Signal::Terminate,
            _ => Signal::Kill,
        };
        send(victim, signal);
    }

    fn signal_root(&self, signal: Signal) {
        send(self.root, signal);
    }
}

/// To whoever may be gone meanwhile.
fn send(pid: u32, signal: Signal) {
    if let Ok(process) = Process::open(pid) {
        note(&format!("{signal:?} to {pid}"));
        let _ = process.signal(signal);
    }
}
