//! [`Screen`]: a program in a terminal of its own, with checks at its end.

// Each test binary uses its part; naming the whole here keeps the rest from counting as unused.
const _: fn() = || {
    let _ = (
        Screen::of,
        Screen::start,
        Screen::run,
        |name| Screen::with(name, |_, _| ()),
        Screen::interrupted,
        Screen::without_history,
        Screen::line_elsewhere,
        Screen::completed,
        Screen::process,
        Screen::signal,
        Screen::place,
        Screen::moment,
        Screen::until_waiting,
        Screen::prompt_after,
        Screen::text,
        Screen::take,
        Screen::keys,
        Screen::control,
        Screen::quit,
        Ended::signal,
        |ended: Ended| (ended.tail, ended.settings, ended.all, ended.place),
        Screen::redirected,
        Screen::in_shell,
        Screen::terminal,
        Screen::inside,
        Screen::check_settings,
        Screen::until_gone,
        Screen::processes,
    );
};

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use rexpect::process::{PtyProcess, Signal, WaitStatus};
use rustix::fs::{Mode, OFlags};
use rustix::pty::ptsname;
use rustix::termios::{LocalModes, Termios, tcgetattr};

use crate::appearing::{Missing, Output};
use crate::support::{PATIENCE, Scratch, command, marked, program, scratch};

/// What every third Ctrl-C in a row is answered with.
const HINT: &str = "`kill` ends the tree";
/// After so many it has come, also if prompts that were only drawn again counted as answers.
const INTERRUPTS_MAX: usize = 30;

/// A program in a terminal of its own, with what it leaves in a directory of its own.
pub(crate) struct Screen {
    process: PtyProcess,
    terminal: File,
    output: Output,
    place: Rc<Scratch>,
    seen: String,
    typed: Vec<String>,
    interrupts: bool,
    keeps_history: bool,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: WaitStatus,
    /// What has appeared since the last prompt.
    pub(crate) tail: String,
    /// The settings that it left the terminal in.
    pub(crate) settings: String,
    /// All that has appeared.
    pub(crate) all: String,
    /// Where it has left things.
    pub(crate) place: Rc<Scratch>,
}

impl Screen {
    /// Starts the example of this name.
    pub(crate) fn of(name: &str) -> Self {
        Self::run(name, program("debugged"))
    }

    /// The same, of a command that is changed before it starts; its directory is given too.
    pub(crate) fn with(name: &str, change: impl FnOnce(&mut Command, &Path)) -> Self {
        let place = scratch();
        let mut command = program("debugged");
        command.arg(name);
        change(&mut command, place.as_ref());
        Self::start(command, place)
    }

    /// Starts the example of this name with its standard output in the file `out` of its place.
    pub(crate) fn redirected(name: &str) -> Self {
        let place = scratch();
        let mut command = program("debugged");
        let out = File::create(place.as_ref().join("out")).expect("it is a directory");
        command.arg(name).stdout(out);
        Self::start(command, place)
    }

    /// Starts a shell with job control, and in its foreground the program of this name.
    pub(crate) fn in_shell(name: &str) -> Self {
        let debugged = program("debugged").get_program().to_owned();
        let mut shell = command("sh");
        shell.arg("-i").env("PS1", "shell$ ").env_remove("ENV");
        let mut screen = Self::start(shell, scratch()).without_history();
        screen.text("shell$ ");
        screen.line(&format!("echo; '{}' {name}", debugged.display()));
        screen
    }

    /// Starts the example of this name, by this command.
    pub(crate) fn run(name: &str, mut command: Command) -> Self {
        command.arg(name);
        Self::start(command, scratch())
    }

    /// Starts a program that leaves what it leaves in `place`.
    pub(crate) fn start(mut command: Command, place: Scratch) -> Self {
        command
            .env("TRACTOR_TEST_RUN", place.as_ref())
            .env("DEBUGGING_MOMENTS", place.as_ref())
            .env("XDG_RUNTIME_DIR", place.as_ref())
            .env("XDG_STATE_HOME", place.as_ref())
            .env("TERM", "xterm")
            .env("RUST_BACKTRACE", "0");
        let process = PtyProcess::new(command).expect("a terminal is free");
        let end = || process.get_file_handle().expect("a descriptor is free");
        Self {
            terminal: end(),
            output: Output::of(end()),
            process,
            place: Rc::new(place),
            seen: String::new(),
            typed: Vec::new(),
            interrupts: false,
            keeps_history: true,
        }
    }

    /// Whether Ctrl-C is pressed three times at every prompt, which must change nothing.
    pub(crate) fn interrupted(mut self, interrupts: bool) -> Self {
        self.interrupts = interrupts;
        self
    }

    /// Its history cannot be kept, and is not looked at.
    pub(crate) fn without_history(mut self) -> Self {
        self.keeps_history = false;
        self
    }

    /// Sends its root a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal).expect("it is there");
    }

    /// Waits for the process of its tree that has this name.
    #[track_caller]
    pub(crate) fn process(&self, name: &str) -> u32 {
        let begun = Instant::now();
        loop {
            let has_name = |pid: &u32| {
                let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                comm.is_ok_and(|comm| comm.trim_end() == name)
            };
            if let Some(pid) = marked(&self.mark()).into_iter().find(has_name) {
                return pid;
            }
            assert!(begun.elapsed() < PATIENCE, "no {name}: {}", self.seen);
            std::thread::yield_now();
        }
    }

    fn mark(&self) -> String {
        format!("TRACTOR_TEST_RUN={}", self.place().display())
    }

    /// The terminal's other side.
    pub(crate) fn terminal(&self) -> &File {
        &self.terminal
    }

    /// The terminal as the program has it. It does not end before this is closed.
    pub(crate) fn inside(&self) -> File {
        let path = ptsname(&self.terminal, Vec::new()).expect("it is a terminal");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&*path, flags, Mode::empty());
        opened.expect("it is ours").into()
    }

    /// Where it leaves things.
    pub(crate) fn place(&self) -> &Path {
        (*self.place).as_ref()
    }

    /// Has the moment of this name come for the program.
    pub(crate) fn moment(&self, name: &str) {
        File::create(self.place().join(name)).expect("the directory is its own");
    }

    /// All of its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        marked(&format!("TRACTOR_TEST_RUN={}", self.place().display()))
    }

    /// Waits for the next prompt, and gives what has appeared since the last one. It may be the
    /// same one that is drawn again, with what somebody had to say above it.
    #[track_caller]
    pub(crate) fn prompt(&mut self) -> String {
        self.prompt_after(&[])
    }

    /// Waits until all of these texts have appeared since the last prompt that was waited for, and
    /// then a prompt, and gives all that has.
    #[track_caller]
    pub(crate) fn prompt_after(&mut self, texts: &[&str]) -> String {
        let mut text = self.next_prompt("", texts);
        while texts.iter().any(|wanted| !text.contains(wanted)) {
            text += &self.next_prompt(&text, texts);
        }
        if self.interrupts {
            self.interrupt();
        }
        text
    }

    #[track_caller]
    fn next_prompt(&mut self, so_far: &str, wanted: &[&str]) -> String {
        match self.output.prompt() {
            Ok((text, prompt)) => {
                self.seen.push_str(&format!("{text}{prompt}"));
                text + &prompt
            }
            Err(missing) => {
                let what = format!("prompt with {wanted:?} above it but {so_far:?}");
                self.fail(&what, &missing)
            }
        }
    }

    /// Takes what has appeared, without waiting for more.
    pub(crate) fn take(&mut self) -> String {
        let text = self.output.take_appeared();
        self.seen.push_str(&text);
        text
    }

    /// Presses Ctrl-C until the third is answered with the hint, each with the prompt again.
    #[track_caller]
    fn interrupt(&mut self) {
        for _ in 0..INTERRUPTS_MAX {
            self.control('c');
            if self.next_prompt("", &[]).contains(HINT) {
                return;
            }
        }
        panic!("Ctrl-C is not heard:\n{}", self.seen);
    }

    /// Waits for a text, and gives what has appeared before it since the last one.
    #[track_caller]
    pub(crate) fn text(&mut self, text: &str) -> String {
        match self.output.text(text) {
            Ok((before, text)) => {
                self.seen.push_str(&before);
                self.seen.push_str(&text);
                before
            }
            Err(missing) => self.fail(text, &missing),
        }
    }

    #[track_caller]
    fn fail(&self, what: &str, missing: &Missing) -> ! {
        let Missing { is_over, instead } = missing;
        let seen = &self.seen;
        let place = self.place().display();
        panic!("no {what} came (over: {is_over}), but {instead:?}, in {place}; before:\n{seen}")
    }

    /// Asks at the prompt who waits, until the actor of this name does.
    #[track_caller]
    pub(crate) fn until_waiting(&mut self, actor: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.waiting().iter().any(|waiting| waiting == actor) {
                return;
            }
        }
        panic!("{actor} does not wait:\n{}", self.seen);
    }

    /// Asks at the prompt who waits, and gives their names in the order of their turns.
    #[track_caller]
    pub(crate) fn waiting(&mut self) -> Vec<String> {
        self.line("queue");
        let queue = self.prompt_after(&["has it:"]);
        let lines = queue.split(" waits: '").skip(1);
        let names = lines.filter_map(|line| line.split('\'').next());
        names.map(str::to_owned).collect()
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
        if self.typed.last().is_none_or(|last| last != line) {
            self.typed.push(line.to_owned());
        }
    }

    /// Types the beginning of a line, and has it completed to this line.
    pub(crate) fn completed(&mut self, begun: &str, line: &str) {
        self.keys(&format!("{begun}\t\r"));
        self.typed.push(line.to_owned());
    }

    /// Types a line to somebody else than a prompt, who keeps no history.
    pub(crate) fn line_elsewhere(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Types keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Types Ctrl and a letter.
    pub(crate) fn control(&mut self, letter: char) {
        let key = u8::try_from(letter).expect("it is a letter") & 0x1f;
        self.terminal.write_all(&[key]).expect("it reads");
    }

    /// Quits every prompt until the program ends, and then does as [`end`](Self::end).
    #[track_caller]
    pub(crate) fn quit(mut self) -> Ended {
        loop {
            match self.output.prompt() {
                Ok((text, prompt)) => {
                    self.seen.push_str(&(text + &prompt));
                    self.line("q");
                }
                Err(missing) if missing.is_over => return self.end(),
                Err(missing) => self.fail("end", &missing),
            }
        }
    }

    /// Waits for the program's end, and checks that nothing of it is left, that the terminal is as
    /// it was, and that what was typed is kept.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let tail = match self.output.rest() {
            Ok(tail) => tail,
            Err(missing) => self.fail("end", &missing),
        };
        let status = self.process.wait().expect("nobody else waits");
        self.until_gone();
        let settings = self.check_settings();
        if self.keeps_history {
            self.check_history();
        }
        self.seen.push_str(&tail);
        Ended {
            status,
            tail,
            settings,
            all: std::mem::take(&mut self.seen),
            place: self.place.clone(),
        }
    }

    /// Waits until no process of it is left.
    #[track_caller]
    pub(crate) fn until_gone(&self) {
        let begun = Instant::now();
        let mut left = self.processes();
        // Their ends are under way, and nothing tells of the last one's.
        while !left.is_empty() && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
            left = self.processes();
        }
        assert!(
            left.is_empty(),
            "left: {left:?}; its output:\n{}",
            self.seen
        );
    }

    /// Gives them, as text.
    #[track_caller]
    pub(crate) fn check_settings(&self) -> String {
        let look = || settings(&tcgetattr(&self.terminal).expect("it is a terminal"));
        let begun = Instant::now();
        let mut found = look();
        // A debugger whose root was killed puts them back itself, and carries no mark.
        while found != settings_before() && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
            found = look();
        }
        let (before, seen) = (settings_before(), &self.seen);
        assert_eq!(
            found, before,
            "the terminal is not as it was after:\n{seen}"
        );
        found
    }

    #[track_caller]
    fn check_history(&self) {
        if self.typed.is_empty() {
            return;
        }
        let path = self.history();
        let kept = fs::read_to_string(&path).expect("what was typed is kept");
        assert!(kept.ends_with('\n'), "the last line is whole:\n{kept}");
        let lines: Vec<_> = kept.lines().collect();
        assert_eq!(lines, self.typed, "all that was typed, and in order");
        let mode = fs::metadata(&path).map(|it| it.permissions().mode());
        assert_eq!(mode.expect("it was there") & 0o777, 0o600);
    }

    /// Where what was typed is kept.
    pub(crate) fn history(&self) -> PathBuf {
        self.place().join("tractor/history")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Only a test that has failed comes here before the end. The tree goes with its root, at
        // once: what it was doing stays as it was in its journal.
        if std::thread::panicking() {
            let _ = self.process.signal(Signal::SIGKILL);
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

    /// The signal that it died of, if it did.
    pub(crate) fn signal(&self) -> Option<Signal> {
        match self.status {
            WaitStatus::Signaled(_, signal, _) => Some(signal),
            _ => None,
        }
    }
}

/// The settings of a terminal of these tests before a program has it: as the system makes it, and
/// without echo.
fn settings_before() -> String {
    let fresh = File::options().read(true).write(true).open("/dev/ptmx");
    let fresh = tcgetattr(fresh.expect("a terminal is free"));
    let mut fresh = fresh.expect("it is a terminal");
    fresh.local_modes.remove(LocalModes::ECHO);
    settings(&fresh)
}

/// All of them, to be compared and shown.
fn settings(of: &Termios) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        of.input_modes, of.output_modes, of.control_modes, of.local_modes, of.special_codes
    )
}
