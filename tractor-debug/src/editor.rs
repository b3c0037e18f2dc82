//! The line editor: what a process is that the owner of the terminal has started for it.
//!
//! It is in the root's process group and has the terminal for its standard input, output and
//! error. A library cannot stop reading a line half-way, but a process can be killed: whoever
//! owns the terminal ends a read by that, and puts the settings right itself. If the root dies
//! first, its editor is told by SIGTERM, puts them right and ends.

// What was typed before.
pub(crate) mod history;

// Lines that are shown above the prompt.
mod asides;

// Keys that are signals at every other time.
mod keys;

// Reading one line.
mod line;

// What is said between the owner and the editor.
pub(crate) mod wire;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal as Masked};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{self as sys, Pid};
use rustix::stdio;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};

use self::asides::Asides;
use self::keys::Keys;
use self::line::Reader;
use self::wire::{Answer, Order};
use crate::{launcher, os};

/// If this process was started to be a tree's line editor, or to become a native debugger: is it,
/// and does not return.
///
/// To be called before anything else that a process of a tree does, in roots and children: the
/// editor runs the same program, and would otherwise be another root. In every other process it
/// does nothing. What a program does before this call, its editor does too.
///
/// # Examples
///
/// ```
/// tractor_debug::be_editor_if_asked();
/// // The program itself.
/// ```
pub fn be_editor_if_asked() {
    let Some(root) = asked_by() else { return };
    if launcher::is_wanted() {
        launcher::launch(root);
        exit(127);
    }
    let status = match Post::enter(root).and_then(Post::serve) {
        Ok(()) => 0,
        Err(error) => {
            // The root hears of it by the end of the socket, but not why.
            let _ = writeln!(io::stderr(), "the line editor cannot run: {error}");
            1
        }
    };
    exit(status)
}

/// The pid of the root, set for its editor.
pub(crate) const EDITOR_OF: &str = "TRACTOR_EDITOR_OF";

/// The path of the history, set for an editor that keeps one.
pub(crate) const HISTORY: &str = "TRACTOR_EDITOR_HISTORY";

/// Who asked this process to be an editor. The variable alone could come from anywhere, so it has
/// to name our parent, and the process that made the socket which we have for standard input.
fn asked_by() -> Option<Pid> {
    let mark = std::env::var(EDITOR_OF).ok()?;
    let root = Pid::from_raw(mark.parse().ok()?)?;
    let peer = tractor_ipc::peer_of(stdio::stdin())?;
    (peer.pid == root.as_raw_pid() && sys::getppid() == Some(root)).then_some(root)
}

/// What the editor has to leave as it found it, and whom it serves.
struct Post {
    root: Pid,
    link: UnixStream,
    terminated: UnixStream,
    terminal: Arc<File>,
    found: Termios,
}

impl Post {
    /// The first acts: its life is tied to the root's, its signals are set up, it joins the root's
    /// process group, and its standard input becomes the terminal.
    fn enter(root: Pid) -> io::Result<Self> {
        let (terminated, notice) = UnixStream::pair()?;
        // The second comes first where the root leads the session.
        for signal in [SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, notice.try_clone()?)?;
        }
        // The root decides what they mean. A handler that does nothing, unlike an ignored signal,
        // is not passed on to programs.
        for signal in [SIGINT, SIGQUIT] {
            signal_hook::flag::register(signal, Arc::default())?;
        }
        // A history that may grow no longer is an error of the write, and no reason to die.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        // Whoever started the root may have blocked any of these, and that is inherited.
        SigSet::empty().thread_set_mask()?;
        // This thread does not end before the process.
        os::end_with_parent()?;
        if sys::getppid() != Some(root) {
            return Err(io::Error::other("its root is gone"));
        }
        sys::setpgid(None, Some(sys::getpgid(Some(root))?))?;
        let link: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), 3)?;
        // What the program prints before it comes here is nothing for the user to see, so standard
        // output leads nowhere until now.
        stdio::dup2_stdin(stdio::stderr())?;
        stdio::dup2_stdout(stdio::stderr())?;
        tractor_core::process::set_process_name("tractor-editor")?;
        Ok(Self {
            root,
            link: link.into(),
            terminated,
            found: tcgetattr(stdio::stdin())?,
            terminal: Arc::new(rustix::io::fcntl_dupfd_cloexec(stdio::stdout(), 3)?.into()),
        })
    }

    /// Reads lines for as long as somebody asks for them.
    fn serve(self) -> io::Result<()> {
        let answers = Answers(Arc::new(Mutex::new(self.link.try_clone()?)));
        let (wake, woken) = mpsc::sync_channel(1);
        let asides = Asides::new(self.terminal.clone(), answers.clone(), wake);
        let history = std::env::var_os(HISTORY).map(Into::into);
        let keys = Keys::new(self.root, self.terminal.clone(), self.found.clone());
        let mut reader = Reader::new(keys, history, asides.clone())?;
        if let Some(printer) = reader.printer() {
            asides::wake_reader(asides.clone(), woken, printer)?;
            // From now on Ctrl-Z is a key, and what it does to this process is done there.
            signal_hook::flag::register(SIGTSTP, Arc::default())?;
        }
        let (reads, orders) = mpsc::channel();
        let watch = Watch {
            post: self,
            asides,
            reads,
        };
        thread::Builder::new()
            .name("editor-watch".into())
            .spawn(move || watch.run())?;
        for (number, prompt, words) in orders {
            let answer = match reader.read(&prompt, words)? {
                Some(line) => Answer::Line { number, line },
                None => Answer::EndOfInput { number },
            };
            answers.send(&answer)?;
        }
        Ok(())
    }

    /// Puts the terminal back as it was found and ends the process.
    fn leave(&self, asides: &Asides) -> ! {
        // Nothing can be done about a terminal that is gone.
        let _ = self.restore();
        asides.end_read();
        exit(0)
    }

    fn restore(&self) -> io::Result<()> {
        let now = tcgetattr(&self.terminal)?;
        // Only line editing leaves both out. Without that it is not ours, or not any more: a shell
        // may have it already.
        let ours = LocalModes::ICANON | LocalModes::ISIG;
        if now.local_modes.intersects(ours) {
            return Ok(());
        }
        tcsetattr(&self.terminal, OptionalActions::Now, &self.found)?;
        (&*self.terminal).write_all(END_OF_EDITING.as_bytes())
    }
}

/// Leaves the line that is being edited: pasted text is no longer marked as such, and what comes
/// next begins a line.
pub(crate) const END_OF_EDITING: &str = "\x1b[?2004l\r\n\x1b[J";

/// Begins to edit a line again: pasted text is marked as such.
pub(crate) const BEGIN_OF_EDITING: &str = "\x1b[?2004h";

/// The thread that hears the root and SIGTERM while a line is read.
struct Watch {
    post: Post,
    asides: Arc<Asides>,
    reads: Sender<(u64, String, Vec<String>)>,
}

impl Watch {
    fn run(mut self) {
        // From the background the settings could not be restored otherwise.
        let _ = SigSet::from(Masked::SIGTTOU).thread_block();
        let mut inbox = Vec::new();
        while let Ok(true) = self.hear(&mut inbox) {}
        self.post.leave(&self.asides)
    }

    /// Waits for something, and tells whether to go on.
    fn hear(&mut self, inbox: &mut Vec<u8>) -> io::Result<bool> {
        let mut fds = [
            PollFd::new(&self.post.terminated, PollFlags::IN),
            PollFd::new(&self.post.link, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => return Ok(true),
            result => result?,
        };
        if !fds[0].revents().is_empty() {
            return Ok(false);
        }
        let mut piece = [0; 4096];
        let length = self.post.link.read(&mut piece)?;
        inbox.extend_from_slice(&piece[..length]);
        while let Some(order) = wire::take(inbox)? {
            self.obey(order);
        }
        Ok(length > 0)
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Read {
                number,
                prompt,
                words,
            } => {
                // The reader ends together with the process.
                let _ = self.reads.send((number, prompt, words));
            }
            Order::Say { number, line } => self.asides.say(number, &line),
            Order::Interrupted => self.asides.interrupted(),
            Order::Redraw => self.asides.redraw(),
        }
    }
}

/// The way to the root, for several threads.
#[derive(Debug, Clone)]
struct Answers(Arc<Mutex<UnixStream>>);

impl Answers {
    fn send(&self, answer: &Answer) -> io::Result<()> {
        let mut bytes = Vec::new();
        wire::put(answer, &mut bytes)?;
        let mut link = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        link.write_all(&bytes)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an editor is no actor and has no nurseries"
)]
fn exit(status: i32) -> ! {
    std::process::exit(status)
}
