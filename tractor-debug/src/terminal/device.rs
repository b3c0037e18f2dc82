//! [`Device`]: the terminal's settings, its foreground, and what is written to it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, fcntl_getfl, flock};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{self as sys, Pid};
use rustix::stdio;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, isatty, tcflush, tcgetattr, tcgetpgrp,
    tcsetattr, tcsetpgrp,
};

use super::NoTerminal;
use crate::editor::BEGIN_OF_EDITING;
use crate::os;

/// The terminal, as its owner has it.
#[derive(Debug)]
pub(super) struct Device {
    fd: OwnedFd,
    /// How it gets its settings back, once prompts may change them.
    saved: Option<Termios>,
    ours: Pid,
    /// The process group that was given the foreground.
    lent: Option<Pid>,
    unwritten: VecDeque<u8>,
}

impl Device {
    /// Opens the terminal, if standard input and error are one.
    pub(super) fn open() -> Result<Self, NoTerminal> {
        if !isatty(stdio::stdin()) {
            return Err(NoTerminal::StandardInput);
        }
        if !isatty(stdio::stderr()) {
            return Err(NoTerminal::StandardError);
        }
        // A description of our own does not block when the user has stopped the output, and
        // nobody whose standard input this is has to bear that.
        let fd = describe(OFlags::NONBLOCK)?;
        Ok(Self {
            fd,
            saved: None,
            ours: sys::getpgrp(),
            lent: None,
            unwritten: VecDeque::new(),
        })
    }

    /// From now on it is ours to change, and these are the settings that it gets back.
    pub(super) fn claimed(&mut self, saved: Termios) {
        self.saved = Some(saved);
    }

    /// A descriptor for the editor, which blocks.
    pub(super) fn for_editor(&self) -> io::Result<OwnedFd> {
        Ok(describe(OFlags::empty())?)
    }

    /// Writes a text as soon as the terminal takes it.
    pub(super) fn put(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        if self.unwritten.len() + text.len() <= UNWRITTEN_BYTES_MAX {
            self.unwritten.extend(text);
        }
        self.flush();
    }

    /// Writes everything that waits, unless the terminal takes nothing for so long, and tells whether
    /// it has.
    pub(super) fn finish(&mut self, patience: Option<Duration>) -> bool {
        let patience = patience.and_then(|it| Timespec::try_from(it).ok());
        while !self.flush() {
            let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
            match poll(&mut fds, patience.as_ref()) {
                Ok(1..) | Err(Errno::INTR) => {}
                Ok(0) | Err(_) => return false,
            }
        }
        true
    }

    /// Writes what the terminal takes now, and tells whether that is all.
    pub(super) fn flush(&mut self) -> bool {
        while !self.unwritten.is_empty() {
            let (bytes, _) = self.unwritten.as_slices();
            match rustix::io::write(&self.fd, bytes) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // It has hung up: there is nobody to read the rest.
                Err(_) => self.unwritten.clear(),
            }
        }
        true
    }

    /// Whether something waits to be written.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Whether so much waits that others have to.
    pub(super) fn is_behind(&self) -> bool {
        self.unwritten.len() >= UNWRITTEN_BYTES_BEHIND
    }

    /// Puts the settings and the foreground back, unless a shell has sent us to the background.
    pub(super) fn restore(&self) {
        let Some(saved) = &self.saved else { return };
        self.set(|| {
            self.set_foreground(self.ours)?;
            tcsetattr(&self.fd, OptionalActions::Now, saved)
        });
    }

    /// From now on this process group may have the foreground, and `None` of them may.
    pub(super) fn lend(&mut self, group: Option<u32>) {
        self.lent = group.and_then(|group| Pid::from_raw(group.try_into().ok()?));
    }

    /// Gives the foreground to this process group, unless somebody else has it. Tells whether.
    pub(super) fn give(&self, group: u32) -> bool {
        let group = group.try_into().ok().and_then(Pid::from_raw);
        let (true, Some(group)) = (self.is_ours(), group) else {
            return false;
        };
        self.set(|| self.set_foreground(group));
        true
    }

    fn set_foreground(&self, group: Pid) -> Result<(), Errno> {
        match tcsetpgrp(&self.fd, group) {
            // Without job control nobody has it.
            Ok(()) | Err(Errno::NOTTY) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The settings, if a line is being edited.
    pub(super) fn edited(&self) -> Option<Termios> {
        let now = tcgetattr(&self.fd).ok()?;
        (!now.local_modes.contains(LocalModes::ICANON)).then_some(now)
    }

    /// Goes on with editing a line.
    pub(super) fn begin_editing(&mut self, edited: &Termios) {
        self.set(|| tcsetattr(&self.fd, OptionalActions::Now, edited));
        self.put(BEGIN_OF_EDITING);
    }

    /// Discards what was typed and not read.
    pub(super) fn discard_input(&self) {
        if self.saved.is_none() {
            return;
        }
        self.set(|| tcflush(&self.fd, QueueSelector::IFlush));
    }

    /// Changes the terminal, if it is ours. The system stops a process for that which has not, or
    /// no longer, the foreground, unless its thread blocks SIGTTOU. It does so here and no longer:
    /// threads and processes that it starts would do it for ever.
    fn set(&self, change: impl FnOnce() -> Result<(), Errno>) {
        if !self.is_ours() {
            return;
        }
        let stop = SigSet::from(Signal::SIGTTOU);
        let before = stop.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        match change() {
            // It has hung up, and there is nothing to put back.
            Ok(()) | Err(Errno::IO) => {}
            Err(error) => log::warn!("the terminal cannot be put back: {error}"),
        }
        if let Ok(before) = before
            && let Err(error) = before.thread_set_mask()
        {
            log::warn!("the signal mask of a thread cannot be put back: {error}");
        }
    }

    /// Whether nobody is at its other end any more.
    pub(super) fn has_hung_up(&self) -> bool {
        matches!(tcgetattr(&self.fd), Err(Errno::IO))
    }

    /// Whether the foreground is ours, was given by us, or is that of a process group that has died
    /// there.
    pub(super) fn is_ours(&self) -> bool {
        match tcgetpgrp(&self.fd) {
            Ok(front) => {
                let is_known = front == self.ours || Some(front) == self.lent;
                is_known || sys::test_kill_process_group(front) == Err(Errno::SRCH)
            }
            // Without job control nobody can take it.
            Err(_) => true,
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens standard input's terminal once more.
fn describe(flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    os::open_stdin_again(flags).or_else(|error| {
        // It may be another user's, which is so after `su`. What we were given serves too.
        let stdin = stdio::stdin();
        if fcntl_getfl(stdin)?.contains(OFlags::RDWR) {
            fcntl_dupfd_cloexec(stdin, 3)
        } else {
            Err(error)
        }
    })
}

/// The terminal against other trees, as long as standard error still leads to it.
#[derive(Debug)]
pub(super) struct Claim(Option<OwnedFd>);

impl Claim {
    /// Opens the terminal's device for a lock, if that can be done.
    pub(super) fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // What we were given is no use here: whoever gave it would have the lock too, and keep it.
        let file =
            os::device_path().and_then(|path| rustix::fs::open(path, flags, Mode::empty()).ok());
        Self(file)
    }

    /// Locks it until this is dropped, and gives the settings that it has to get back.
    pub(super) fn take(&self) -> Result<Termios, NoTerminal> {
        if let Some(file) = &self.0 {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(NoTerminal::Taken),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(tcgetattr(stdio::stdin())?)
    }
}

impl From<Errno> for NoTerminal {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// What may wait before nobody else's output is taken any more.
const UNWRITTEN_BYTES_BEHIND: usize = 64 << 10;

/// What may wait while the user has stopped the output; more is lost.
const UNWRITTEN_BYTES_MAX: usize = 8 << 20;
