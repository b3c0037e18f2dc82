//! Fatal signals in debug mode: an actor that gets one stands still until there was a prompt for
//! it, and dies of the signal then.
//!
//! Of the stricken process nothing can be asked any more: the memory allocator may be locked, the
//! stack may be full. So its handler only writes a message of fixed size to a pipe of the parent's
//! and waits; the parent has the prompt in its stead, and lets it go on to its end.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use signal_hook::consts::{SIGBUS, SIGSEGV};

use crate::os;
use crate::repl::{LinkLine, TaskLine, World};

pub(crate) use crate::os::panic_was_seen;

/// Where the children of an actor tell of fatal signals.
#[derive(Debug)]
pub struct FatalPipe {
    reader: OwnedFd,
    /// What the children open; while it is there the reader never ends.
    writer: OwnedFd,
}

/// A fatal signal, as the process that has it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fatal {
    /// The process.
    pub pid: u32,
    /// Its thread that the signal struck, and that waits.
    pub thread: u32,
    /// The signal's number.
    pub signal: i32,
    /// Why it came, as `sigaction(2)` has it in `si_code`.
    pub code: i32,
    /// The address that could not be used, where the signal has one.
    pub address: u64,
}

impl FatalPipe {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Those of `pipe(2)`: no descriptor is left.
    pub fn make() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        rustix::io::ioctl_fionbio(&writer, true)?;
        Ok(Self {
            reader: reader.into(),
            writer: writer.into(),
        })
    }

    /// By which number a child finds it, among the descriptors of this process.
    pub fn number(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    /// What has been told and not taken. What is no such message is left out.
    pub fn take(&self) -> Vec<Fatal> {
        let mut taken = Vec::new();
        let mut bytes = [0; MESSAGE_BYTES];
        loop {
            match rustix::io::read(&self.reader, &mut bytes) {
                Ok(MESSAGE_BYTES) => taken.extend(Fatal::decode(&bytes)),
                // Messages are written whole: this is none.
                Ok(1..) => {}
                Err(Errno::INTR) => {}
                Ok(0) | Err(_) => return taken,
            }
        }
    }
}

impl AsFd for FatalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// Has fatal signals of this process told to its parent, at the [`FatalPipe`] of this number, and
/// wait there for the prompt. Meanwhile debuggers that the process `root` starts may attach.
///
/// # Errors
///
/// Those of `open(2)`: the parent has another user, or hides its descriptors; and of
/// `sigaction(2)`.
pub fn tell_of_fatal_signals(number: RawFd, root: u32) -> io::Result<()> {
    let Some(parent) = rustix::process::getppid() else {
        return Err(io::Error::other("the parent is in another namespace"));
    };
    let path = os::fd_path(parent.as_raw_nonzero().get().unsigned_abs(), number);
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = rustix::fs::open(path, flags, Mode::empty())?;
    os::install_handler(pipe, root)
}

impl Fatal {
    /// Lets the process go on to its end. One that is gone needs nothing.
    pub fn release(&self) {
        os::release(self);
    }

    pub(crate) fn encode(self) -> [u8; MESSAGE_BYTES] {
        let mut bytes = [0; MESSAGE_BYTES];
        bytes[..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&self.pid.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.thread.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.signal.to_ne_bytes());
        bytes[16..20].copy_from_slice(&self.code.to_ne_bytes());
        bytes[20..].copy_from_slice(&self.address.to_ne_bytes());
        bytes
    }

    fn decode(bytes: &[u8; MESSAGE_BYTES]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MARK)?;
        let (pid, rest) = rest.split_first_chunk()?;
        let (thread, rest) = rest.split_first_chunk()?;
        let (signal, rest) = rest.split_first_chunk()?;
        let (code, rest) = rest.split_first_chunk()?;
        Some(Self {
            pid: u32::from_ne_bytes(*pid),
            thread: u32::from_ne_bytes(*thread),
            signal: i32::from_ne_bytes(*signal),
            code: i32::from_ne_bytes(*code),
            address: u64::from_ne_bytes(rest.try_into().ok()?),
        })
    }

    /// What is known of it beyond its number, for `info`.
    pub(crate) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![("thread", self.thread.to_string())];
        match self.signal {
            _ if os::is_sent(self.code) => {
                facts.push(("sent", "by a process, perhaps by itself".to_owned()))
            }
            SIGSEGV | SIGBUS => facts.push(("address", format!("{:#x}", self.address))),
            _ => {}
        }
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        facts.into_iter().map(named).collect()
    }
}

/// What can be asked of a process that a fatal signal has struck: nothing but what it has told.
pub(crate) struct Stricken(pub(crate) Fatal);

impl World for Stricken {
    fn tasks(&self) -> Vec<TaskLine> {
        Vec::new()
    }

    fn links(&self) -> Vec<LinkLine> {
        Vec::new()
    }

    fn cancel_task(&self, _number: u64) -> bool {
        false
    }

    fn runtime_vars(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn facts(&self) -> Vec<(String, String)> {
        self.0.facts()
    }
}

/// Begins every message.
const MARK: [u8; 4] = *b"trcf";

/// So short that it is written whole or not at all: at most `PIPE_BUF`.
const MESSAGE_BYTES: usize = 28;

#[cfg(test)]
mod tests {
    use super::*;

    const FATAL: Fatal = Fatal {
        pid: 4711,
        thread: 4712,
        signal: SIGSEGV,
        code: 1,
        address: 0x7fff_0000_0008,
    };

    #[test]
    fn a_message_arrives_as_it_was_sent_and_anything_else_does_not() {
        let pipe = FatalPipe::make().unwrap();
        rustix::io::write(&pipe.writer, &FATAL.encode()).unwrap();
        rustix::io::write(&pipe.writer, &FATAL.encode()).unwrap();
        assert_eq!(pipe.take(), [FATAL, FATAL]);
        rustix::io::write(&pipe.writer, &[0; MESSAGE_BYTES]).unwrap();
        rustix::io::write(&pipe.writer, b"junk").unwrap();
        assert_eq!(pipe.take(), []);
    }

    #[test]
    fn its_facts_name_an_address_only_where_the_system_gave_one() {
        let names =
            |fatal: Fatal| -> Vec<_> { fatal.facts().into_iter().map(|(name, _)| name).collect() };
        assert_eq!(names(FATAL), ["thread", "address"]);
        assert_eq!(names(Fatal { code: 0, ..FATAL }), ["thread", "sent"]);
        assert_eq!(names(Fatal { signal: 8, ..FATAL }), ["thread"]);
    }
}
