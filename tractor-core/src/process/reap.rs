//! How a process ended, and the duty to reap those that were orphaned.

use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::os;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It left by `exit`, or by returning from main, with this code.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// Its number.
        signal: i32,
        /// Whether a core was written.
        core_dumped: bool,
    },
    /// It has ended and nobody knows how: somebody else reaped it, by waiting for any child or by
    /// ignoring SIGCHLD, or it never was our child.
    Lost,
}

impl ExitStatus {
    /// Whether it exited with code 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signaled {
                signal,
                core_dumped: false,
            } => {
                write!(f, "was killed by signal {signal}")
            }
            Self::Signaled {
                signal,
                core_dumped: true,
            } => {
                write!(f, "was killed by signal {signal} (core dumped)")
            }
            Self::Lost => f.write_str("ended with an unknown status"),
        }
    }
}

/// What a subreaper finds out about a process that may have come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adoption {
    /// It is not our child: its own parent is still there, or it was reaped.
    NotOurs,
    /// It is our child and runs.
    Running,
    /// It was our child and is reaped now.
    Ended(ExitStatus),
}

impl Adoption {
    pub(super) fn of(waited: Result<Option<ExitStatus>, Errno>) -> io::Result<Self> {
        match waited {
            Ok(None) => Ok(Self::Running),
            Ok(Some(status)) => Ok(Self::Ended(status)),
            Err(Errno::CHILD) => Ok(Self::NotOurs),
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes this process the new parent of every orphan among its descendants.
///
/// It must then reap those that it knows of, by
/// [`Process::try_reap_adopted`](super::Process::try_reap_adopted), and leaves alone those that
/// are the business of others: it never waits for just any child, which would steal the status of
/// a child that some library started.
///
/// # Errors
///
/// None that is expected on Linux.
pub fn become_subreaper() -> io::Result<()> {
    os::become_subreaper()
}
