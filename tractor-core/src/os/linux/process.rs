//! Processes: held by descriptor, and tied to one another.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};
use rustix::process::{self as sys, PidfdFlags, WaitId, WaitIdOptions};
use rustix::stdio;

use crate::os::Zombie;
use crate::os::unix::{raw_pid, raw_signal};
use crate::process::{ExitStatus, Signal};

/// A process by a descriptor, which becomes readable when it has exited.
#[derive(Debug)]
pub(crate) struct Held(OwnedFd);

impl Held {
    /// Makes a descriptor of the process that has this number. It is close-on-exec.
    pub(crate) fn open(pid: u32) -> Result<Self, Errno> {
        sys::pidfd_open(raw_pid(pid)?, PidfdFlags::empty()).map(Self)
    }

    /// Sends a signal to the process and to no other.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        sys::pidfd_send_signal(&self.0, raw_signal(signal))
    }

    /// How the process ended, if it did. ECHILD: it is not our child, or not any more.
    pub(crate) fn wait(&self, zombie: Zombie) -> Result<Option<ExitStatus>, Errno> {
        let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        options.set(WaitIdOptions::NOWAIT, zombie == Zombie::Leave);
        let status = sys::waitid(WaitId::PidFd(self.0.as_fd()), options)?;
        Ok(status.map(
            |status| match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitStatus::Exited(code),
                (None, Some(signal)) => ExitStatus::Signaled {
                    signal,
                    core_dumped: status.dumped(),
                },
                (None, None) => ExitStatus::Lost,
            },
        ))
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Has the kernel kill us when our parent dies, as long as the calling thread lives.
pub(crate) fn arm_parent_death() -> io::Result<()> {
    Ok(sys::set_parent_process_death_signal(Some(
        sys::Signal::KILL,
    ))?)
}

/// Whether it still would, for all that this thread has asked.
pub(crate) fn has_parent_death() -> bool {
    !matches!(sys::parent_process_death_signal(), Ok(None))
}

/// Whether this is the thread that cannot end before the process.
pub(crate) fn is_main_thread() -> bool {
    rustix::thread::gettid() == sys::getpid()
}

/// Makes us the parent of our orphaned descendants.
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(sys::set_child_subreaper(Some(sys::getpid()))?)
}

/// Who made descriptor 0, if it is a connected Unix stream socket.
pub(crate) fn stdin_peer() -> Option<u32> {
    let stdin = stdio::stdin();
    let is_link = sockopt::socket_type(stdin).ok()? == SocketType::STREAM
        && !sockopt::socket_acceptconn(stdin).ok()?;
    let peer = is_link.then(|| tractor_ipc::peer_of(stdin))??;
    u32::try_from(peer.pid).ok()
}

/// Sets the name that is shown for the whole process, whichever thread calls.
pub(crate) fn set_main_thread_name(name: &str) -> io::Result<()> {
    if is_main_thread()
        && let Ok(name) = std::ffi::CString::new(name)
    {
        return Ok(rustix::thread::set_name(&name)?);
    }
    // The call above would name the calling thread.
    fs::write("/proc/self/comm", name)
}

/// What the kernel keeps of a name.
pub(crate) const NAME_BYTES_MAX: usize = 15;

/// The same on every architecture that uses the generic terminal interface.
pub(crate) const TIOCNOTTY: rustix::ioctl::Opcode = 0x5422;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_no_process_can_have_is_no_process() {
        assert_eq!(Held::open(0).unwrap_err(), Errno::SRCH);
        assert_eq!(Held::open(u32::MAX).unwrap_err(), Errno::SRCH);
    }
}
