//! [`Screen`]: a program in a terminal of its own.

// Each test binary uses its part; naming the whole here keeps the rest from counting as unused.
const _: fn() = || {
    let _ = (
        Screen::of,
        Screen::start,
        Screen::signal,
        Screen::place,
        Screen::prompt_after,
        Screen::text,
        Screen::take,
        Screen::keys,
        Screen::control,
        |ended: Ended| ended.tail,
    );
};

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rexpect::process::{Signal, WaitStatus};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::support::{PATIENCE, Scratch, marked, program, scratch};

/// Before every prompt.
const PROMPT: &str = r"\(tdb@[^)]+\) ";

/// A program in a terminal of its own, with what it leaves in a directory of its own.
pub(crate) struct Screen {
    session: PtySession,
    place: Scratch,
    seen: String,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: WaitStatus,
    /// What has appeared since the last prompt.
    pub(crate) tail: String,
}

impl Screen {
    /// Starts the example of this name.
    pub(crate) fn of(name: &str) -> Self {
        let mut command = program("debugged");
        command.arg(name);
        Self::start(command, scratch())
    }

    /// Starts a program that leaves what it leaves in `place`.
    pub(crate) fn start(mut command: Command, place: Scratch) -> Self {
        command
            .env("TRACTOR_TEST_RUN", place.as_ref())
            .env("XDG_RUNTIME_DIR", place.as_ref())
            .env("XDG_STATE_HOME", place.as_ref())
            .env("TERM", "xterm")
            .env("RUST_BACKTRACE", "0");
        let patience = u64::try_from(PATIENCE.as_millis()).expect("it is short");
        let options = Options::new()
            .timeout_ms(Some(patience))
            .strip_ansi_escape_codes(true);
        let session = spawn_with_options(command, options).expect("a terminal is free");
        Self {
            session,
            place,
            seen: String::new(),
        }
    }

    /// Sends its root a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.session
            .process_mut()
            .signal(signal)
            .expect("it is there");
    }

    /// Where it leaves things.
    pub(crate) fn place(&self) -> &Path {
        self.place.as_ref()
    }

    /// Waits for the next prompt, and gives what has appeared since the last one.
    #[track_caller]
    pub(crate) fn prompt(&mut self) -> String {
        match self.session.exp_regex(PROMPT) {
            Ok((text, prompt)) => {
                self.seen.push_str(&format!("{text}{prompt}"));
                text
            }
            Err(error) => panic!("no prompt came: {error}\nbefore that:\n{}", self.seen),
        }
    }

    /// Takes what has appeared, without waiting for more.
    pub(crate) fn take(&mut self) -> String {
        let text: String = std::iter::from_fn(|| self.session.try_read()).collect();
        self.seen.push_str(&text);
        text
    }

    /// Waits for the next prompt, before which all of these texts have appeared since the last one.
    #[track_caller]
    pub(crate) fn prompt_after(&mut self, texts: &[&str]) -> String {
        let seen = self.prompt();
        for text in texts {
            assert!(seen.contains(text), "no {text:?} in:\n{seen}");
        }
        seen
    }

    /// Waits for a text, and gives what has appeared before it since the last one.
    #[track_caller]
    pub(crate) fn text(&mut self, text: &str) -> String {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.seen.push_str(&format!("{before}{text}"));
                before
            }
            Err(error) => panic!("no {text:?} came: {error}\nbefore that:\n{}", self.seen),
        }
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Types keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.session.send(keys).expect("it reads");
        self.session.flush().expect("it reads");
    }

    /// Types Ctrl and a letter.
    pub(crate) fn control(&mut self, letter: char) {
        self.session.send_control(letter).expect("it reads");
    }

    /// Waits for the program's end, and checks that nothing of it is left.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let tail = match self.session.exp_eof() {
            Ok(tail) => tail,
            Err(error) => panic!("it did not end: {error}\nbefore that:\n{}", self.seen),
        };
        let status = self.session.process().wait().expect("nobody else waits");
        let mark = format!("TRACTOR_TEST_RUN={}", self.place.as_ref().display());
        let begun = Instant::now();
        let mut left = marked(&mark);
        // Their ends are under way, and nothing tells of the last one's.
        while !left.is_empty() && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
            left = marked(&mark);
        }
        assert!(
            left.is_empty(),
            "left: {left:?}; its output:\n{}",
            self.seen
        );
        Ended { status, tail }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Only a test that has failed comes here before the end. The tree goes with its root, at
        // once: what it was doing stays as it was in its journal.
        if std::thread::panicking() {
            let _ = self.session.process_mut().signal(Signal::SIGKILL);
        }
    }
}

impl Ended {
    /// Its exit code, if it exited.
    pub(crate) fn code(&self) -> Option<i32> {
        match self.status {
            WaitStatus::Exited(_, code) => Some(code),
            _ => None,
        }
    }
}
