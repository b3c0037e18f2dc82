//! [`Process`]: a process that is held by descriptor, so that its number cannot come to mean
//! another one unnoticed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::io::Errno;

use super::reap::{Adoption, ExitStatus};
use crate::os;

/// A process, ours or not.
///
/// Its descriptor ([`AsFd`]) becomes readable when the process has exited, for any poller.
/// Dropping it closes the descriptor and does nothing to the process: a child that is not reaped
/// stays a zombie as long as we live.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    held: os::Held,
    start_time: Option<u64>,
}

impl Process {
    /// Holds the process that has this number now.
    ///
    /// The number of a child that we have not reaped cannot be another's. Of any other process
    /// compare [`start_time`](Self::start_time) with what is known of it.
    ///
    /// # Errors
    ///
    /// ESRCH if there is none; EMFILE and ENFILE.
    pub fn open(pid: u32) -> io::Result<Self> {
        let held = os::Held::open(pid)?;
        // Reading it after the descriptor was made could find a successor of a process that is
        // not our child; its start time then tells that it is not who was meant.
        let start_time = match os::Stat::read(pid) {
            Ok(stat) => Some(stat.start_time),
            // It would be taken for one that is gone, for ever.
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => None,
        };
        Ok(Self {
            pid,
            held,
            start_time,
        })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it was started, in clock ticks since the machine was: with the number it means one
    /// process only. `None` if it was gone already, or /proc is not there.
    pub fn start_time(&self) -> Option<u64> {
        self.start_time
    }

    /// Sends it a signal. If it has ended there is nothing to do.
    ///
    /// # Errors
    ///
    /// EPERM if it has changed its user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        gone_is_fine(self.held.signal(signal))
    }

    /// Sends its process group a signal: all that it started and that did not leave the group.
    ///
    /// To be called before it is reaped: a zombie still keeps the number of its group from being
    /// given away. Later, nothing is sent. A process that leads no group gets it alone.
    ///
    /// # Errors
    ///
    /// EPERM if all of the group have changed their user.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        // A child of ours that is not reaped keeps its number, also when there is no descriptor
        // left to read /proc with.
        let ours = self.held.wait(os::Zombie::Leave);
        if ours == Err(Errno::CHILD) && self.stat().is_none() {
            return Ok(());
        }
        match os::signal_group(self.pid, signal) {
            Err(Errno::SRCH) => self.signal(signal),
            result => Ok(result?),
        }
    }

    /// Sends SIGKILL to its process group; see [`signal_group`](Self::signal_group).
    ///
    /// # Errors
    ///
    /// EPERM if all of the group have changed their user.
    pub fn kill_group(&self) -> io::Result<()> {
        self.signal_group(Signal::Kill)
    }

    /// Takes its exit status if it has exited; it is gone then. It never waits.
    ///
    /// # Errors
    ///
    /// None that is expected. That somebody else reaped it is [`ExitStatus::Lost`]; so is every
    /// process that is not our child.
    pub fn try_reap(&self) -> io::Result<Option<ExitStatus>> {
        Ok(match self.try_reap_adopted()? {
            Adoption::Running => None,
            Adoption::Ended(status) => Some(status),
            Adoption::NotOurs => Some(ExitStatus::Lost),
        })
    }

    /// Takes the exit status of a process that may or may not have become our child, as a
    /// [subreaper](super::become_subreaper) does. It never waits.
    ///
    /// # Errors
    ///
    /// None that is expected.
    pub fn try_reap_adopted(&self) -> io::Result<Adoption> {
        Adoption::of(self.held.wait(os::Zombie::Take))
    }

    /// Tells whether it has exited, and how, and leaves it to be reaped. It never waits.
    ///
    /// # Errors
    ///
    /// None that is expected.
    pub fn peek_exited(&self) -> io::Result<Option<ExitStatus>> {
        Ok(match Adoption::of(self.held.wait(os::Zombie::Leave))? {
            Adoption::Running => None,
            Adoption::Ended(status) => Some(status),
            Adoption::NotOurs => Some(ExitStatus::Lost),
        })
    }

    /// Waits until it has exited, at most for `limit`, and tells whether it has. It is not reaped
    /// by this, and need not be a child.
    ///
    /// # Errors
    ///
    /// None that is expected.
    pub fn wait_exited(&self, limit: Option<Duration>) -> io::Result<bool> {
        os::wait_readable(self.held.as_fd(), limit)
    }

    /// Whether it has exited, be it reaped or not. It never waits, needs no further descriptor, and
    /// the process need not be a child.
    pub fn has_exited(&self) -> bool {
        self.wait_exited(Some(Duration::ZERO)).unwrap_or_default()
    }

    /// Its state as the kernel's letter: `R` and `S` run or sleep, `D` cannot be interrupted, `T`
    /// is stopped by a signal, `t` by a debugger, `Z` has exited. `None` if it is gone.
    pub fn state(&self) -> Option<char> {
        self.stat().map(|stat| stat.state)
    }

    /// What the system shows of it, and not of a successor of the same number.
    fn stat(&self) -> Option<os::Stat> {
        os::Stat::of(self.pid).filter(|stat| Some(stat.start_time) == self.start_time)
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

/// A signal that the runtime sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// SIGINT: the user pressed Ctrl-C.
    Interrupt,
    /// SIGQUIT: the user pressed Ctrl-\.
    Quit,
    /// SIGTERM: end, please.
    Terminate,
    /// SIGKILL: ended by the kernel, stopped or not.
    Kill,
    /// SIGSTOP: stopped by the kernel.
    Stop,
    /// SIGTSTP: the user pressed Ctrl-Z.
    TerminalStop,
    /// SIGCONT: go on.
    Continue,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGWINCH: the terminal has another size.
    WindowChange,
}

/// Whether this process, or the system, has no descriptor left.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

fn gone_is_fine(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::SRCH) => Ok(()),
        result => Ok(result?),
    }
}
