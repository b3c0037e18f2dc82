//! What only one system has, in one shape.
//!
//! There is one system: another needs a file beside `linux` with the same names, what they need
//! below it, and a line here. It has to give:
//!
//! | name | meaning |
//! |---|---|
//! | `Poller` | readiness of many descriptors, and a way to end its wait: see the Linux one |
//! | `Held` | a process by a descriptor that becomes readable when it has exited: opened by number, signalled and waited for without ever meeting another process of that number |
//! | `arm_parent_death` | SIGKILL to us at our parent's death, however it dies, as long as the calling thread lives |
//! | `has_parent_death` | whether that still stands: a system may forget it when we change our user |
//! | `is_main_thread` | whether the calling thread cannot end before the process |
//! | `stdin_peer` | which process made descriptor 0, if it is a connected Unix stream socket |
//! | `become_subreaper` | orphans of ours become our children |
//! | `main_thread_children` | which those are, among children that the main thread has started |
//! | `Stat::{of, read}` | what the system shows of a process |
//! | `memory_events`, `oom_kills` | where it is counted that processes were killed for their memory, and how many were |
//! | `pids`, `environment` | all processes that we can see, and with which environment each was started |
//! | `is_ignored`, `is_caught` | what a process does about a signal; the second also of a zombie |
//! | `open_fds` | our own descriptors |
//! | `own_program` | a path by which the file that we run can be started again, even if it was replaced |
//! | `UNNAMED` | how a process is called that was started by that path |
//! | `set_main_thread_name`, `NAME_BYTES_MAX` | the name that is shown for this process |
//! | `send_descriptor`, `take_descriptor` | a descriptor that goes to another process, over a Unix stream |
//! | `MARK`, `signal_name` | a signal that nobody sends, and names of the others |
//! | `TIOCNOTTY` | the number of the request that gives the controlling terminal up |
//!
//! What all systems of the family share of this is in `unix`, with the crate's only `unsafe`.

#[cfg(target_os = "linux")]
mod linux;

// What they share.
#[expect(unsafe_code, reason = "one ioctl and one function that no crate wraps")]
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
pub(crate) use unix::*;

/// What is to become of a zombie that is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zombie {
    Take,
    Leave,
}

/// What the system shows of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) name: String,
    /// As a letter, see [`Process::state`](crate::process::Process::state).
    pub(crate) state: char,
    pub(crate) ppid: u32,
    pub(crate) group: u32,
    /// In a unit of the system's: with the number it means one process only.
    pub(crate) start_time: u64,
}

/// Whose rights a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) real: u32,
    pub(crate) effective: u32,
    /// The effective group.
    pub(crate) group: u32,
}

impl User {
    pub(crate) fn is_root(self) -> bool {
        self.effective == 0
    }
}

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// One descriptor that is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    /// Readable, at its end, or broken: a read will tell.
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Interest {
    pub(crate) const READ: Self = Self {
        readable: true,
        writable: false,
    };
}
