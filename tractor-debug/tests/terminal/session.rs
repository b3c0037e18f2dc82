//! [`Session`]: a terminal with a shell in it, which runs a program of [`program`](super::program)
//! in its foreground, and the test at the other side, with the keys and the screen.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::program::{CONTROL, ROLE};
use super::screen::Screen;

/// A terminal and what runs in it.
pub(crate) struct Session {
    master: OwnedFd,
    /// Kept open, so that the settings outlive every program.
    slave: OwnedFd,
    seen: Arc<(Mutex<String>, Condvar)>,
    shell: Child,
    control: UnixListener,
    pub(crate) jobs: Talk,
    pub(crate) root: Talk,
    pub(crate) dir: Scratch,
    before: Termios,
}

impl Session {
    /// A terminal with a root that has opened it.
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    /// As [`open`](Self::open), with variables in the environment of what runs there.
    pub(crate) fn open_with(env: &[(&str, &str)]) -> Self {
        let mut session = Self::start(env, Scratch::new());
        assert_eq!(session.root.hear(), "opened");
        session
    }

    /// A terminal whose root has said nothing yet.
    pub(crate) fn start(env: &[(&str, &str)], dir: Scratch) -> Self {
        let (master, slave) = pty();
        let before = tcgetattr(&slave).expect("it is a terminal");
        let socket = dir.path().join("control");
        let control = UnixListener::bind(&socket).expect("the directory is new");
        let shell = command(env, "shell", &socket)
            .stdin(Stdio::from(slave.try_clone().expect("a descriptor")))
            .stderr(Stdio::from(slave.try_clone().expect("a descriptor")))
            .env("XDG_STATE_HOME", dir.path())
            .spawn()
            .expect("this program starts");
        let seen = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (reader, output) = (master.try_clone().expect("a descriptor"), seen.clone());
        thread::spawn(move || collect(reader.into(), &output));
        let jobs = Talk::accept(&control, "shell");
        let root = Talk::accept(&control, "root");
        Self {
            master,
            slave,
            seen,
            shell,
            control,
            jobs,
            root,
            dir,
            before,
        }
    }

    /// Runs another root, after the first has ended.
    pub(crate) fn run_again(&mut self) {
        self.jobs.say("run");
        self.root = Talk::accept(&self.control, "root");
        assert_eq!(self.root.hear(), "opened");
    }

    /// Ends the root in good order.
    pub(crate) fn quit(&mut self) {
        self.root.say("quit");
        assert_eq!(self.jobs.hear(), "exited 0");
    }

    /// Another root on the same terminal, with the first one still there.
    pub(crate) fn start_beside(&self) -> Talk {
        let slave = || Stdio::from(self.slave.try_clone().expect("a descriptor"));
        let socket = self.dir.path().join("control");
        let mut root = command(&[], "root", &socket)
            .stdin(slave())
            .stderr(slave())
            .spawn()
            .expect("this program starts");
        let talk = Talk::accept(&self.control, "root");
        root.wait().expect("it is a child");
        talk
    }

    /// Types.
    pub(crate) fn keys(&self, keys: impl AsRef<[u8]>) {
        let mut master = fs::File::from(self.master.try_clone().expect("a descriptor"));
        master
            .write_all(keys.as_ref())
            .expect("the terminal is open");
    }

    /// Has the root show a prompt, and waits for it.
    pub(crate) fn prompt(&mut self, lease: u64, prompt: &str) -> Mark {
        let mark = self.mark();
        self.root.say(&format!("read {lease} {prompt}"));
        self.wait_for(mark, prompt)
    }

    /// What comes from now on.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.seen().len())
    }

    /// Waits until this was printed after the mark.
    pub(crate) fn wait_for(&self, mark: Mark, text: &str) -> Mark {
        let (_, more) = &*self.seen;
        let mut seen = self.seen();
        loop {
            if let Some(at) = seen[mark.0..].find(text) {
                return Mark(mark.0 + at + text.len());
            }
            let (again, waited) = more
                .wait_timeout(seen, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner);
            seen = again;
            assert!(
                !waited.timed_out(),
                "no {text:?} after {}; all of it: {seen:?}",
                mark.0
            );
        }
    }

    /// What is to be seen, a row each, after all that was printed.
    pub(crate) fn rows(&self) -> Vec<String> {
        Screen::of(&self.seen())
    }

    /// What was printed after the mark.
    pub(crate) fn since(&self, mark: Mark) -> String {
        self.seen()[mark.0..].to_owned()
    }

    /// The settings now.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.master).expect("the terminal is open")
    }

    /// Asserts that the settings are what they were before anything ran.
    pub(crate) fn assert_sane(&self) {
        let (now, before) = (
            format!("{:?}", self.settings()),
            format!("{:?}", self.before),
        );
        assert_eq!(now, before);
    }

    /// Where the history is.
    pub(crate) fn history(&self) -> PathBuf {
        self.dir.path().join("tractor/history")
    }

    fn seen(&self) -> MutexGuard<'_, String> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has ended already if the test went well, and its root dies with the terminal.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A place in what was printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

/// A conversation with a process, in lines.
pub(crate) struct Talk {
    lines: BufReader<UnixStream>,
}

impl Talk {
    /// Begins it, from the process's side.
    pub(crate) fn begin(socket: &Path, name: &str) -> Self {
        let mut talk = Self {
            lines: BufReader::new(UnixStream::connect(socket).expect("the test listens")),
        };
        talk.say(name);
        talk
    }

    pub(crate) fn accept(listener: &UnixListener, name: &str) -> Self {
        let (stream, _) = listener.accept().expect("it is a listener");
        let limit = Some(PATIENCE);
        stream.set_read_timeout(limit).expect("it is a socket");
        let mut talk = Self {
            lines: BufReader::new(stream),
        };
        assert_eq!(talk.hear(), name);
        talk
    }

    /// Says a line.
    pub(crate) fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        let stream = self.lines.get_mut();
        stream.write_all(line.as_bytes()).expect("it is there");
    }

    /// Waits for a line.
    pub(crate) fn hear(&mut self) -> String {
        self.try_hear().expect("the other side is there")
    }

    /// Waits for a line, or the end.
    pub(crate) fn try_hear(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// Another way to say something.
    pub(crate) fn voice(&self) -> UnixStream {
        self.lines.get_ref().try_clone().expect("a descriptor")
    }
}

/// A directory of a test's own. It goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("tractor-terminal-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a test has found out matters more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// This program again, in another role.
#[expect(
    clippy::disallowed_methods,
    reason = "what a test starts is no actor; the session ends it"
)]
pub(crate) fn command(env: &[(&str, &str)], role: &str, socket: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command
        .args(super::program::ARGUMENTS)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(env.iter().copied())
        .env(ROLE, role)
        .env(CONTROL, socket)
        .stdout(Stdio::null());
    command
}

/// Both sides of a terminal of 80 columns and 24 rows.
fn pty() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("there are terminals");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let slave = ioctl_tiocgptpeer(&master, flags).expect("it has another side");
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).expect("it is a terminal");
    (master, slave)
}

fn collect(mut master: fs::File, output: &(Mutex<String>, Condvar)) {
    let mut piece = [0; 4096];
    // At the end of the terminal it fails.
    while let Ok(length @ 1..) = master.read(&mut piece) {
        let (seen, more) = output;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The tests type and print ASCII.
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
        more.notify_all();
    }
}

/// After this long without a sign a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
