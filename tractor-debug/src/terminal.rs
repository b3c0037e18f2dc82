//! [`Terminal`]: the one terminal of a tree, and who may read and write it.
//!
//! A thread of its own owns it, in the root and nowhere else. It gives out a prompt at a time, each
//! for a [`Lease`] of the lock, and can take it away at any moment, because the line is read by
//! another process, which it kills then. It knows neither actors nor what a line means.

// The terminal as a device: its settings, its foreground, what is written.
mod device;

// The line editor as its owner sees it.
mod remote;

// A native debugger that has it for a while.
mod loan;

// The thread that owns the terminal.
mod owner;

// What the tree prints, the terminal in between that it prints to, and what it logs.
mod backlog;
mod output;
mod pty;

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tractor_ipc::TreeId;

use self::backlog::Backlog;
use self::device::{Claim, Device};
use self::output::Output;
use self::owner::{Command, Owner, PendingLoan, PendingRead};
use crate::editor::history;
use crate::lock::Lease;
use crate::native::{Launch, Outcome};
use crate::os::Wake;

/// The terminal of this process. Dropping it ends a read in progress and puts the terminal back as
/// it was.
///
/// Its functions return at once; what they ask for is done by a thread, in the order in which they
/// are called.
///
/// # Examples
///
/// A program that was started without a terminal has none:
///
/// ```no_run
/// use tractor_debug::{Lease, Read, Settings, Terminal, be_editor_if_asked};
///
/// be_editor_if_asked();
/// let terminal = match Terminal::open(Settings::default()) {
///     Ok(terminal) => terminal,
///     Err(reason) => return eprintln!("no prompts: {reason}"),
/// };
/// let (answer, answered) = std::sync::mpsc::channel();
/// let words = vec!["continue".to_owned()];
/// let text = "> paused in load\n".to_owned();
/// terminal.read(Lease(1), text, "(load) ".to_owned(), words, move |read| {
///     let _ = answer.send(read);
/// });
/// if let Ok(Read::Line(line)) = answered.recv() {
///     terminal.show(Lease(1), format!("you typed {line}\n"));
/// }
/// ```
#[derive(Debug)]
pub struct Terminal {
    commands: mpsc::Sender<Command>,
    wake: Arc<Wake>,
    prompts: Arc<AtomicUsize>,
    /// Of what is said, if this takes output.
    backlog: Option<Arc<Backlog>>,
    /// Until it is closed.
    claim: Mutex<Option<Claim>>,
    closing: AtomicBool,
    closed: Arc<Closed>,
    thread: ThreadId,
}

/// Whether the thread has done its last work.
#[derive(Debug, Default)]
struct Closed(Mutex<bool>, Condvar);

/// Held by the thread.
struct Closing(Arc<Closed>);

impl Drop for Closing {
    fn drop(&mut self) {
        let Closed(is_closed, changed) = &*self.0;
        *is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

impl Closed {
    /// Waits for that, perhaps not for ever.
    fn wait(&self, limit: Option<Duration>) {
        let closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limit.unwrap_or(Duration::MAX);
        // Whatever it returns, there is nothing more to wait for.
        let _ = self.1.wait_timeout_while(closed, limit, |closed| !*closed);
    }
}

/// How a terminal is to be used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tree that has it, so that whoever looks for what is left of a tree finds its editor.
    pub tree: TreeId,
    /// With which arguments this program has to be started to come to
    /// [`be_editor_if_asked`](crate::be_editor_if_asked).
    pub arguments: Vec<OsString>,
    /// Where what was typed is kept from one run to the next, if anywhere.
    pub history: Option<PathBuf>,
}

impl Default for Settings {
    /// A tree of its own, no arguments, and the usual history: `tractor/history` in the user's
    /// directory for the state of programs, which is `$XDG_STATE_HOME` or `~/.local/state`.
    fn default() -> Self {
        Self {
            tree: TreeId::fresh(),
            arguments: Vec::new(),
            history: history::usual_place(),
        }
    }
}

/// How a read ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A line, without its end. One that was pasted may contain more.
    Line(String),
    /// Ctrl-D on an empty line, or the terminal has hung up.
    EndOfInput,
    /// The lease is over, or the terminal was dropped.
    Revoked,
    /// The editor has died or could not be started; the log says why. Another read starts another.
    EditorLost,
}

impl Terminal {
    /// Takes the terminal that is this process's standard input and standard error.
    ///
    /// The settings that it has now are those that it gets back after every prompt.
    ///
    /// # Errors
    ///
    /// [`NoTerminal`], by reason.
    pub fn open(settings: Settings) -> Result<Self, NoTerminal> {
        let (device, claim) = (Device::open()?, Claim::open());
        let terminal = Self::start(device, None, claim, settings)?;
        terminal.claim()?;
        Ok(terminal)
    }

    /// Takes what this process, and those that it starts from now on, print to the terminal: it is
    /// shown above a prompt, in whole lines, and as it comes while there is none. For prompts the
    /// terminal has to be [claimed](Self::claim).
    ///
    /// Standard output and error lead to a terminal in between until this one is
    /// [closed](Self::close).
    ///
    /// # Errors
    ///
    /// [`NoTerminal`], by reason; never [`NoTerminal::Taken`].
    pub fn open_with_output(settings: Settings) -> Result<Self, NoTerminal> {
        let (device, claim) = (Device::open()?, Claim::open());
        let output = Output::before(device.as_fd()).map_err(NoTerminal::System)?;
        Self::start(device, output, claim, settings)
    }

    fn start(
        device: Device,
        output: Option<Output>,
        claim: Claim,
        settings: Settings,
    ) -> Result<Self, NoTerminal> {
        let wake = Arc::new(Wake::new().map_err(NoTerminal::System)?);
        let prompts = Arc::new(AtomicUsize::new(0));
        let (commands, received) = mpsc::channel();
        let backlog = output.as_ref().map(Output::backlog);
        let owner = Owner::new(device, output, settings, received, wake.clone());
        let closed = Arc::new(Closed::default());
        let closing = Closing(closed.clone());
        let thread = thread::Builder::new()
            .name("tractor-terminal".into())
            .spawn(move || {
                let _closing = closing;
                owner.run();
            })
            .map_err(NoTerminal::System)?;
        Ok(Self {
            commands,
            wake,
            prompts,
            backlog,
            claim: Mutex::new(Some(claim)),
            closing: AtomicBool::new(false),
            closed,
            thread: thread.thread().id(),
        })
    }

    /// Takes the terminal for prompts, if no other tree has it for that.
    ///
    /// The settings that it has now are those that it gets back after every prompt.
    ///
    /// # Errors
    ///
    /// [`NoTerminal::Taken`], or what the system says.
    pub fn claim(&self) -> Result<(), NoTerminal> {
        if let Some(claim) = &*self.own_claim() {
            self.order(Command::Claimed(claim.take()?));
        }
        Ok(())
    }

    /// Prints `text`, then shows `prompt` and reads a line, in which the user can edit, go back to
    /// earlier lines, and complete `words` by the tabulator.
    ///
    /// `done` is called once, on the terminal's thread, and must not block. Ctrl-C clears the line
    /// and shows the prompt again; every third in a row is answered with what else there is. A read
    /// waits for the one before it.
    pub fn read(
        &self,
        lease: Lease,
        text: String,
        prompt: String,
        words: Vec<String>,
        done: impl FnOnce(Read) + Send + 'static,
    ) {
        self.prompts.fetch_add(1, Ordering::SeqCst);
        let prompts = self.prompts.clone();
        let done = Box::new(move |read| {
            prompts.fetch_sub(1, Ordering::SeqCst);
            done(read);
        });
        self.order(Command::Read(PendingRead {
            lease,
            text,
            prompt,
            words,
            done,
        }));
    }

    /// Prints `text`, then gives the terminal to a native debugger, in a foreground process group of
    /// its own, until it ends. Then the settings and the foreground are put back, and what was typed
    /// ahead is discarded.
    ///
    /// `done` is called once, on the terminal's thread, and must not block. What others say
    /// meanwhile is shown afterwards.
    pub(crate) fn lend(
        &self,
        lease: Lease,
        text: String,
        launch: Launch,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) {
        self.order(Command::Lend(PendingLoan {
            lease,
            text,
            launch,
            done: Box::new(done),
        }));
    }

    /// Prints `text` for this lease. Nothing is printed when it is over. During a read the text
    /// stands above the prompt, in whole lines.
    pub fn show(&self, lease: Lease, text: String) {
        self.order(Command::Show(lease, text));
    }

    /// Ends all reads of this lease and of those before it, at once, and kills a native debugger
    /// that has the terminal for one.
    ///
    /// A read in progress gives [`Read::Revoked`], as do those that wait. The settings and the
    /// foreground of the terminal are put back, what was typed ahead is discarded, and then `done`
    /// is called on the terminal's thread, which it must not block.
    pub fn reclaim(&self, lease: Lease, done: impl FnOnce() + Send + 'static) {
        self.order(Command::Reclaim(lease, Box::new(done)));
    }

    /// Prints a line of the runtime itself, above the prompt if there is one. `line` comes without
    /// its end.
    pub fn say(&self, line: String) {
        let backlog = self.backlog.as_ref();
        if backlog.is_none_or(|backlog| backlog.add(line.len())) {
            self.order(Command::Say(line));
        }
    }

    /// For a program that [says](Self::say) what it logs: waits a little if the terminal cannot
    /// keep up. Threads of the runtime never wait.
    pub fn pace(&self) {
        if let Some(backlog) = &self.backlog {
            backlog.pace();
        }
    }

    /// Tells that SIGINT has come while a prompt was open: where a line is not edited but kept by
    /// the terminal, the prompt is shown again.
    pub fn interrupted(&self) {
        self.order(Command::Interrupted);
    }

    /// Puts the terminal back for a shell, because this process is about to be stopped. That is done
    /// when this returns, unless the thread is held up. A line that is being read is kept.
    pub fn suspend(&self) {
        let (done, suspended) = mpsc::sync_channel(1);
        self.order(Command::Suspend(done));
        // However it ends, this process is stopped.
        let _ = suspended.recv_timeout(SUSPENDED_WITHIN);
    }

    /// Goes on with what [`suspend`](Self::suspend) has interrupted, as soon as the terminal is ours
    /// again.
    pub fn go_on(&self) {
        self.order(Command::GoOn);
    }

    /// Whether a prompt is open, or one is to be opened.
    pub fn is_prompting(&self) -> bool {
        self.prompts.load(Ordering::SeqCst) > 0
    }

    /// Ends a read in progress, shows all that was printed, and puts the terminal back as it was,
    /// standard output and error too. It is closed when this returns.
    ///
    /// While the user has stopped the output this waits, like everybody who prints; at most for
    /// `patience` after the last that was taken.
    pub fn close(&self, patience: Option<Duration>) {
        let first = !self.closing.swap(true, Ordering::SeqCst);
        self.order(Command::Close(patience));
        if thread::current().id() == self.thread {
            return;
        }
        // Who comes second may be in more of a hurry.
        self.closed.wait(patience.filter(|_| !first));
        *self.own_claim() = None;
    }

    fn own_claim(&self) -> MutexGuard<'_, Option<Claim>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, command: Command) {
        // Only when it is closed is the thread gone.
        let _ = self.commands.send(command);
        self.wake.ring();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close(None);
    }
}

/// How long the thread may take for that; it takes milliseconds.
const SUSPENDED_WITHIN: Duration = Duration::from_secs(1);

/// Why there is no terminal. The text is a reason: it follows "no prompt: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoTerminal {
    /// Standard input comes from elsewhere.
    #[error("standard input is no terminal")]
    StandardInput,
    /// Standard error goes elsewhere.
    #[error("standard error is no terminal")]
    StandardError,
    /// Another tree uses it.
    #[error("another tree has the terminal")]
    Taken,
    /// The system refuses what is needed to use it.
    #[error("the terminal cannot be used")]
    System(#[source] io::Error),
}
