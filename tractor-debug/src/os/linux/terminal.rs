//! Terminals, and the wait for them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Dev, Mode, OFlags, fstat, major, makedev, minor};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio;

/// What ends the wait of a thread for descriptors: readable when it was rung.
#[derive(Debug)]
pub(crate) struct Wake(OwnedFd);

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(eventfd(0, flags)?))
    }

    pub(crate) fn ring(&self) {
        // It fails only when it has rung some 10^19 times and nobody has listened.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Takes what was rung.
    pub(crate) fn listen(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Has the kernel end us by SIGTERM when our parent dies, as long as the calling thread lives.
pub(crate) fn end_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
}

/// Opens standard input's terminal once more.
pub(crate) fn open_stdin_again(flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open("/proc/self/fd/0", flags, Mode::empty())
}

/// The two sides of a new terminal.
pub(crate) fn open_pty() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, slave))
}

/// Whether this is /dev/tty, which is another device in every session.
pub(crate) fn is_alias(device: Dev) -> bool {
    device == makedev(5, 0)
}

/// A path of the terminal's device. /dev/tty is another device in every session.
pub(crate) fn device_path() -> Option<String> {
    for number in [0, 2] {
        let path = format!("/proc/self/fd/{number}");
        let found = if number == 0 {
            fstat(stdio::stdin())
        } else {
            fstat(stdio::stderr())
        };
        if found.is_ok_and(|found| !is_alias(found.st_rdev)) {
            return Some(path);
        }
    }
    let device = controlling_terminal(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let first = 136;
    let (major, minor) = (major(device), minor(device));
    let number = major.checked_sub(first).filter(|nth| *nth < 8)? * 256 + minor;
    Some(format!("/dev/pts/{number}"))
}

/// The device that /proc/PID/stat names.
fn controlling_terminal(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let device: i32 = fields.split(' ').nth(4)?.parse().ok()?;
    (device != 0).then(|| u64::from(device.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controlling_terminal_is_the_fifth_field_after_the_name() {
        let stat = "4711 (a) b) S 42 4711 9 34819 4711 4194304 1 2 3";
        let device = controlling_terminal(stat).unwrap();
        assert_eq!((major(device), minor(device)), (136, 3));
        assert_eq!(controlling_terminal("1 (init) S 0 1 1 0 -1 4194560"), None);
    }
}
