//! Linux: descriptors of processes, the parent death signal, /proc, and the crate's only `unsafe`
//! code: one ioctl and one function of the C library that no crate wraps, and the default action of
//! a signal.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal as Masked, raise, sigaction,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketType, sockopt,
};
use rustix::process::{self as sys, Pid, PidfdFlags, WaitId, WaitIdOptions};
use rustix::stdio;

use crate::process::{ExitStatus, Signal};

/// Makes a descriptor of the process that has this number. It is close-on-exec.
pub(in crate::process) fn open_pidfd(pid: u32) -> Result<OwnedFd, Errno> {
    sys::pidfd_open(raw_pid(pid)?, PidfdFlags::empty())
}

/// Sends a signal to the process and to no other.
pub(in crate::process) fn signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), Errno> {
    sys::pidfd_send_signal(pidfd, raw_signal(signal))
}

/// Sends a signal to a process group.
pub(in crate::process) fn signal_group(leader: u32, signal: Signal) -> Result<(), Errno> {
    sys::kill_process_group(raw_pid(leader)?, raw_signal(signal))
}

/// What is to become of a zombie that is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Zombie {
    Take,
    Leave,
}

/// How the process ended, if it did. ECHILD: it is not our child, or not any more.
pub(in crate::process) fn wait(
    pidfd: BorrowedFd<'_>,
    zombie: Zombie,
) -> Result<Option<ExitStatus>, Errno> {
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    options.set(WaitIdOptions::NOWAIT, zombie == Zombie::Leave);
    let status = sys::waitid(WaitId::PidFd(pidfd), options)?;
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

/// Waits until the descriptor is readable, at most for `limit`, and tells whether it is.
pub(in crate::process) fn wait_readable(
    fd: BorrowedFd<'_>,
    limit: Option<Duration>,
) -> io::Result<bool> {
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

/// Has the kernel kill us when our parent dies, as long as the calling thread lives.
pub(in crate::process) fn arm_parent_death() -> io::Result<()> {
    Ok(sys::set_parent_process_death_signal(Some(
        sys::Signal::KILL,
    ))?)
}

/// Whether this is the thread that cannot end before the process.
pub(in crate::process) fn is_main_thread() -> bool {
    rustix::thread::gettid() == sys::getpid()
}

/// Our parent; 0 if it is outside of our pid namespace.
pub(in crate::process) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Ends this process at once and without any handler.
pub(in crate::process) fn die() -> ! {
    // It can neither fail nor return.
    let _ = sys::kill_process(sys::getpid(), sys::Signal::KILL);
    std::process::abort()
}

/// Makes us the parent of our orphaned descendants.
pub(in crate::process) fn become_subreaper() -> io::Result<()> {
    Ok(sys::set_child_subreaper(Some(sys::getpid()))?)
}

/// Has the C library call this when the process exits by its own will.
pub(in crate::process) fn at_exit(last: extern "C" fn()) -> io::Result<()> {
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
pub(in crate::process) fn stop() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    SigSet::from(Masked::SIGTSTP).thread_unblock()?;
    // SAFETY: the default action runs no code of this process.
    let before = unsafe { sigaction(Masked::SIGTSTP, &default) }?;
    let stopped = raise(Masked::SIGTSTP);
    // SAFETY: this was the action a moment ago, so whoever set it has seen to it that it may be.
    unsafe { sigaction(Masked::SIGTSTP, &before) }?;
    Ok(stopped?)
}

/// Whether this process ignores the signal, as `nohup` has it do.
pub(in crate::process) fn is_ignored(signal: Signal) -> bool {
    is_in_mask(std::process::id(), "SigIgn:", raw_signal(signal).as_raw())
}

/// Whether the process, which may be dead, catches the signal of this number.
pub(in crate::process) fn is_caught(pid: u32, signal: i32) -> bool {
    is_in_mask(pid, "SigCgt:", signal)
}

/// Whether a signal is in one of the masks that the kernel shows of a process.
fn is_in_mask(pid: u32, mask: &str, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix(mask))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Whether the process is in our process group.
pub(in crate::process) fn is_of_our_group(stat: &Stat) -> bool {
    i32::try_from(stat.group) == Ok(sys::getpgrp().as_raw_nonzero().get())
}

/// Who made descriptor 0, if it is a connected Unix stream socket.
pub(in crate::process) fn stdin_peer() -> Option<u32> {
    let stdin = stdio::stdin();
    let is_link = sockopt::socket_domain(stdin).ok()? == AddressFamily::UNIX
        && sockopt::socket_type(stdin).ok()? == SocketType::STREAM
        && !sockopt::socket_acceptconn(stdin).ok()?;
    let peer = is_link.then(|| sockopt::socket_peercred(stdin))?.ok()?;
    u32::try_from(peer.pid.as_raw_pid()).ok()
}

/// Whether the other end of descriptor 0 is closed.
pub(in crate::process) fn stdin_hung_up() -> bool {
    let stdin = stdio::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default())).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Puts `new` on descriptor 0 and gives what was there, close-on-exec and above 2.
pub(in crate::process) fn replace_stdin(new: impl AsFd) -> io::Result<OwnedFd> {
    let old = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), 3)?;
    stdio::dup2_stdin(new)?;
    Ok(old)
}

/// Puts a descriptor before whatever is written to a Unix stream next.
pub(in crate::process) fn send_descriptor(
    link: impl AsFd,
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A descriptor travels with a byte.
    let byte = [IoSlice::new(&[0])];
    rustix::net::sendmsg(link, &byte, &mut message, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what [`send_descriptor`] put first, if there is something, close-on-exec. It waits for
/// nothing, and leaves alone what no descriptor came with.
pub(in crate::process) fn take_descriptor(link: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(&mut byte)];
    match rustix::net::recvmsg(&link, &mut slices, &mut message, flags) {
        Err(Errno::AGAIN) => return Ok(None),
        seen => seen?,
    };
    let descriptor = message.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    if descriptor.is_some() {
        rustix::net::recv(&link, &mut byte[..], RecvFlags::DONTWAIT)?;
    }
    Ok(descriptor)
}

/// Gives the controlling terminal up, if there is one. The root keeps it.
pub(in crate::process) fn drop_controlling_terminal() -> io::Result<()> {
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

/// Sets the name that is shown for the whole process, whichever thread calls.
pub(in crate::process) fn set_main_thread_name(name: &str) -> io::Result<()> {
    if is_main_thread()
        && let Ok(name) = std::ffi::CString::new(name)
    {
        return Ok(rustix::thread::set_name(&name)?);
    }
    // The call above would name the calling thread.
    fs::write("/proc/self/comm", name)
}

/// What /proc/PID/stat says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::process) struct Stat {
    pub(in crate::process) name: String,
    pub(in crate::process) state: char,
    pub(in crate::process) ppid: u32,
    pub(in crate::process) group: u32,
    /// In clock ticks since the machine was started.
    pub(in crate::process) start_time: u64,
}

impl Stat {
    /// Of this process, unless it is gone.
    pub(in crate::process) fn of(pid: u32) -> Option<Self> {
        Self::read(pid).ok()
    }

    /// Of this process, or why it cannot be told.
    pub(in crate::process) fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        // A name may hold spaces and parentheses; nothing after it does.
        let (_, named) = text.split_once(" (")?;
        let (name, rest) = named.rsplit_once(") ")?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            name: name.to_owned(),
            state: fields.next()?.chars().next()?,
            ppid: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            // The 22nd of all; the name is the second.
            start_time: fields.nth(16)?.parse().ok()?,
        })
    }
}

/// The same on every architecture that uses the generic terminal interface.
const TIOCNOTTY: rustix::ioctl::Opcode = 0x5422;

fn raw_pid(pid: u32) -> Result<Pid, Errno> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Errno::SRCH)
}

fn raw_signal(signal: Signal) -> sys::Signal {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_one_field() {
        let text = b"4711 (a) b (c) T 42 4711 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            (stat.name.as_str(), stat.state, stat.ppid),
            ("a) b (c", 'T', 42)
        );
        assert_eq!(stat.start_time, 987_654);
    }

    #[test]
    fn a_line_that_is_cut_off_is_refused() {
        for text in ["", "1", "1 (a", "1 (a) ", "1 (a) S", "1 (a) S 2 3 4"] {
            assert_eq!(Stat::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn our_own_line_can_be_read() {
        let stat = Stat::of(std::process::id()).unwrap();
        assert_eq!(stat.ppid, parent_pid());
        assert!(stat.start_time > 0);
    }

    #[test]
    fn a_number_that_no_process_can_have_is_no_process() {
        assert_eq!(open_pidfd(0).unwrap_err(), Errno::SRCH);
        assert_eq!(open_pidfd(u32::MAX).unwrap_err(), Errno::SRCH);
    }
}
