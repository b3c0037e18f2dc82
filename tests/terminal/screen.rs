//! [`Screen`]: a program in a terminal of its own.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rexpect::process::{Signal, WaitStatus};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use rustix::fs::{Mode, OFlags};
use rustix::pty::ptsname;
use rustix::termios::{InputModes, LocalModes, OutputModes, tcgetattr};

use crate::support::{PATIENCE, Scratch, command, marked, program, scratch};

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
    /// All that has appeared.
    pub(crate) all: String,
    /// Where it has left things.
    pub(crate) place: Scratch,
}

impl Screen {
    /// Starts the program of this name.
    pub(crate) fn of(name: &str) -> Self {
        Self::start(name, |_, _| {})
    }

    /// Starts the program of this name with its standard output in the file `out` of its place.
    pub(crate) fn redirected(name: &str) -> Self {
        Self::start(name, |command, place| {
            command.stdout(File::create(place.join("out")).expect("it is a directory"));
        })
    }

    /// Starts a shell with job control, and in its foreground the program of this name.
    pub(crate) fn in_shell(name: &str) -> Self {
        let debugged = program("debugged").get_program().to_owned();
        let mut screen = Self::run(command("sh"), |shell, _| {
            shell.arg("-i").env("PS1", "shell$ ").env_remove("ENV");
        });
        screen.text("shell$ ");
        screen.line(&format!("echo; '{}' {name}", debugged.display()));
        screen
    }

    fn start(name: &str, change: impl FnOnce(&mut Command, &Path)) -> Self {
        Self::run(program("debugged"), |command, place| {
            command.arg(name);
            change(command, place);
        })
    }

    fn run(mut command: Command, change: impl FnOnce(&mut Command, &Path)) -> Self {
        let place = scratch();
        command
            .env("TRACTOR_TEST_RUN", place.as_ref())
            .env("XDG_RUNTIME_DIR", place.as_ref())
            .env("XDG_STATE_HOME", place.as_ref())
            .env("TERM", "xterm")
            .env("RUST_BACKTRACE", "0");
        change(&mut command, place.as_ref());
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

    /// The terminal's other side.
    pub(crate) fn terminal(&self) -> File {
        let terminal = self.session.process().get_file_handle();
        terminal.expect("a descriptor is free")
    }

    /// The terminal as the program has it. It does not end before this is closed.
    pub(crate) fn inside(&self) -> File {
        let path = ptsname(self.terminal(), Vec::new()).expect("it is a terminal");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&*path, flags, Mode::empty());
        opened.expect("it is ours").into()
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

    /// Waits for the next prompt, before which all of these texts have appeared since the last one.
    #[track_caller]
    pub(crate) fn prompt_after(&mut self, texts: &[&str]) -> String {
        let seen = self.prompt();
        for text in texts {
            assert!(seen.contains(text), "no {text:?} in:\n{seen}");
        }
        seen
    }

    /// Waits for a text, and gives what has appeared before it.
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
        self.check_settings();
        self.seen.push_str(&tail);
        Ended {
            status,
            tail,
            all: self.seen,
            place: self.place,
        }
    }

    /// The terminal is as it was: as a new one, but without echo.
    #[track_caller]
    pub(crate) fn check_settings(&self) {
        let now = tcgetattr(self.terminal()).expect("it is a terminal");
        let local = LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        assert!(now.local_modes.contains(local), "{now:?}");
        assert!(!now.local_modes.contains(LocalModes::ECHO), "{now:?}");
        let output = OutputModes::OPOST | OutputModes::ONLCR;
        assert!(now.output_modes.contains(output), "{now:?}");
        assert!(now.input_modes.contains(InputModes::ICRNL), "{now:?}");
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
