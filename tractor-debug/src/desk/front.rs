//! [`Front`]: what the desk asks of a terminal, and [`Screen`]: whether it has one.

use std::sync::Arc;
use std::time::Duration;

use crate::lock::Lease;
use crate::native::{Launch, Outcome};
use crate::terminal::{NoTerminal, Read, Settings, Terminal};

/// What the desk asks of a terminal. Nothing of it waits, but for [`suspend`](Self::suspend) and
/// [`close`](Self::close).
pub(crate) trait Front: Send + Sync {
    /// Takes it for prompts.
    fn claim(&self) -> Result<(), NoTerminal>;
    /// Shows a line of the runtime.
    fn say(&self, line: String);
    /// SIGINT has come.
    fn interrupted(&self);
    /// Reads a line under a lease.
    fn read(&self, lease: Lease, shown: Shown, done: Box<dyn FnOnce(Read) + Send>);
    /// Gives it to a native debugger under a lease.
    fn lend(
        &self,
        lease: Lease,
        greeting: String,
        launch: Launch,
        done: Box<dyn FnOnce(Outcome) + Send>,
    );
    /// Ends what goes on under a lease, and is done when the terminal is as it was.
    fn reclaim(&self, lease: Lease, done: Box<dyn FnOnce() + Send>);
    /// Puts it back, because this process is about to be stopped.
    fn suspend(&self);
    /// Goes on, as this process does.
    fn go_on(&self);
    /// Ends all of it, as [`Terminal::close`] does.
    fn close(&self, patience: Option<Duration>);
}

/// What is shown where a line is read.
pub(crate) struct Shown {
    pub(super) text: String,
    pub(super) prompt: String,
    pub(super) words: Vec<String>,
}

impl Front for Terminal {
    fn claim(&self) -> Result<(), NoTerminal> {
        self.claim()
    }

    fn say(&self, line: String) {
        self.say(line);
    }

    fn interrupted(&self) {
        self.interrupted();
    }

    fn read(&self, lease: Lease, shown: Shown, done: Box<dyn FnOnce(Read) + Send>) {
        self.read(lease, shown.text, shown.prompt, shown.words, done);
    }

    fn lend(
        &self,
        lease: Lease,
        greeting: String,
        launch: Launch,
        done: Box<dyn FnOnce(Outcome) + Send>,
    ) {
        self.lend(lease, greeting, launch, done);
    }

    fn reclaim(&self, lease: Lease, done: Box<dyn FnOnce() + Send>) {
        self.reclaim(lease, done);
    }

    fn suspend(&self) {
        self.suspend();
    }

    fn go_on(&self) {
        self.go_on();
    }

    fn close(&self, patience: Option<Duration>) {
        self.close(patience);
    }
}

/// The terminal, and who has it.
pub(crate) struct Screen {
    settings: Settings,
    front: Option<Arc<dyn Front>>,
    claim: Claim,
}

/// Whether prompts can be opened. It is not tried before somebody wants one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Untried,
    Ours,
    Refused,
}

impl Screen {
    /// One that opens the terminal of this process when somebody wants it.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            front: None,
            claim: Claim::Untried,
        }
    }

    /// One that has this.
    #[cfg(feature = "__mutants")]
    pub(crate) fn with(front: Arc<dyn Front>) -> Self {
        Self {
            front: Some(front),
            ..Self::new(Settings::default())
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Has it from now on, for other things than prompts.
    pub(super) fn set_front(&mut self, front: Arc<dyn Front>) {
        self.front = Some(front);
    }

    /// Opens the terminal for prompts, if that was not tried yet; tells whether there is one.
    pub(super) fn open(&mut self) -> bool {
        if self.claim == Claim::Untried {
            let claimed = match &self.front {
                Some(front) => front.claim(),
                None => Terminal::open(self.settings.clone())
                    .map(|terminal| self.front = Some(Arc::new(terminal))),
            };
            self.claim = match claimed {
                Ok(()) => Claim::Ours,
                Err(reason) => {
                    log::warn!("no prompts: {reason}");
                    Claim::Refused
                }
            };
        }
        self.claim == Claim::Ours
    }

    /// The terminal, if prompts can be opened there.
    pub(super) fn opened(&self) -> Option<Arc<dyn Front>> {
        let front = self.front.as_ref();
        front.filter(|_| self.claim == Claim::Ours).cloned()
    }

    /// The terminal, whether or not prompts can be opened there.
    pub(super) fn front(&self) -> Option<Arc<dyn Front>> {
        self.front.clone()
    }

    /// Nobody can open prompts any more. Gives the terminal, if there is one, to be closed.
    pub(super) fn shut(&mut self) -> Option<Arc<dyn Front>> {
        self.claim = Claim::Refused;
        self.front.clone()
    }
}
