//! What every system of the family has, and the crate's only `unsafe` code: one ioctl and one
//! function of the C library that no crate wraps, and the default action of a signal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal as Masked, raise, sigaction,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self as sys, Pid};
use rustix::stdio;

use super::{Stat, TIOCNOTTY, User};
use crate::process::Signal;

/// Sends a signal to a process group.
pub(crate) fn signal_group(leader: u32, signal: Signal) -> Result<(), Errno> {
    sys::kill_process_group(raw_pid(leader)?, raw_signal(signal))
}

/// Waits until the descriptor is readable, at most for `limit`, and tells whether it is.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) => {}
            ready => return Ok(ready? > 0),
        }
    }
}

/// Whose rights this process has.
pub(crate) fn user() -> User {
    User {
        real: sys::getuid().as_raw(),
        effective: sys::geteuid().as_raw(),
        group: sys::getegid().as_raw(),
    }
}

/// Our parent; 0 if it is outside of our pid namespace.
pub(crate) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Ends this process at once and without any handler.
pub(crate) fn die() -> ! {
    // It can neither fail nor return.
    let _ = sys::kill_process(sys::getpid(), sys::Signal::KILL);
    std::process::abort()
}

/// Has the C library call this when the process exits by its own will.
pub(crate) fn at_exit(last: extern "C" fn()) -> io::Result<()> {
    // SAFETY: this is how the C library declares it. It keeps the function, which is there as long
    // as the process, and calls it once, from a thread of this process that may run any code.
    unsafe extern "C" {
        safe fn atexit(last: extern "C" fn()) -> i32;
    }
    match atexit(last) {
        0 => Ok(()),
        _ => Err(io::ErrorKind::OutOfMemory.into()),
    }
}

/// Stops this process as Ctrl-Z would if nobody had a handler, until it is continued. In a group
/// that no shell looks after the kernel stops nobody.
pub(crate) fn stop() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    SigSet::from(Masked::SIGTSTP).thread_unblock()?;
    // SAFETY: the default action runs no code of this process.
    let before = unsafe { sigaction(Masked::SIGTSTP, &default) }?;
    let stopped = raise(Masked::SIGTSTP);
    // SAFETY: this was the action a moment ago, so whoever set it has seen to it that it may be.
    unsafe { sigaction(Masked::SIGTSTP, &before) }?;
    Ok(stopped?)
}

/// Whether the process is in our process group.
pub(crate) fn is_of_our_group(stat: &Stat) -> bool {
    i32::try_from(stat.group) == Ok(sys::getpgrp().as_raw_nonzero().get())
}

/// Whether the other end of descriptor 0 is closed.
pub(crate) fn stdin_hung_up() -> bool {
    let stdin = stdio::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default())).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Puts `new` on descriptor 0 and gives what was there, close-on-exec and above 2.
pub(crate) fn replace_stdin(new: impl AsFd) -> io::Result<OwnedFd> {
    let old = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), 3)?;
    stdio::dup2_stdin(new)?;
    Ok(old)
}

/// Gives the controlling terminal up, if there is one. The root keeps it.
pub(crate) fn drop_controlling_terminal() -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(terminal) = rustix::fs::open("/dev/tty", flags, Mode::empty()) else {
        // ENXIO: there is none. A machine without that file has none to give up either.
        return Ok(());
    };
    // SAFETY: TIOCNOTTY takes no argument and gives nothing back, so the kernel touches no memory
    // of ours; the descriptor is open for the whole call.
    unsafe { rustix::ioctl::ioctl(&terminal, rustix::ioctl::NoArg::<TIOCNOTTY>::new()) }?;
    Ok(())
}

pub(super) fn raw_pid(pid: u32) -> Result<Pid, Errno> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Errno::SRCH)
}

pub(super) fn raw_signal(signal: Signal) -> sys::Signal {
    match signal {
        Signal::HangUp => sys::Signal::HUP,
        Signal::Interrupt => sys::Signal::INT,
        Signal::Quit => sys::Signal::QUIT,
        Signal::Terminate => sys::Signal::TERM,
        Signal::Kill => sys::Signal::KILL,
        Signal::Stop => sys::Signal::STOP,
        Signal::TerminalStop => sys::Signal::TSTP,
        Signal::Continue => sys::Signal::CONT,
        Signal::User1 => sys::Signal::USR1,
        Signal::User2 => sys::Signal::USR2,
        Signal::WindowChange => sys::Signal::WINCH,
    }
}
