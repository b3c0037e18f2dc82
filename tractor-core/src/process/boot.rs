//! The first acts of a child: [`detect`], then [`Boot::enter`].
//!
//! # What PR_SET_PDEATHSIG is tied to
//!
//! Both sides of the parent death signal are threads; all eight cases were tried:
//!
//! - The flag belongs to the calling *thread*. Any thread of the child will do, and the signal
//!   goes to the whole process; a flag that was set on a thread which has ended since never
//!   fires. By its manual it survives exec, is not inherited by a fork, and is cleared when the
//!   process changes its user; `parent_death.rs` notices that, and sets it again.
//! - It fires when the *thread* that started the child ends, even if the parent's process lives
//!   on.
//!
//! So a child sets it on its main thread, or, if its boot runs on another (a test's body does), on
//! `tractor-spawn`, which never ends; and a parent starts children on that same thread.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{StdioSpec, marks, parent_death, spawner};
use crate::os;

/// Tells whether this process was started by [`spawn()`](super::spawn()) of an actor of the same
/// program.
///
/// Three things have to agree, because each alone can be inherited by a stranger: the mark in the
/// environment, the process that made descriptor 0 a connected Unix stream, and our parent. It
/// changes nothing, and after [`Boot::enter`] the answer is `None`.
pub fn detect() -> Option<Boot> {
    let parent = marks::parse_pid(&std::env::var_os(marks::CHILD_OF)?)?;
    if os::stdin_peer() != Some(parent) {
        return None;
    }
    // If the parent died in these first moments we have another one, and still are nothing but
    // its child: to go on as a root would run the program a second time.
    (os::parent_pid() == parent || os::stdin_hung_up()).then_some(Boot { parent })
}

/// A child that has not begun yet.
#[derive(Debug)]
#[must_use = "a child that does not enter outlives its parent"]
pub struct Boot {
    parent: u32,
}

impl Boot {
    /// The process that started us.
    pub fn parent_pid(&self) -> u32 {
        self.parent
    }

    /// Ties our life to the parent's and gives the link to it.
    ///
    /// In this order: SIGKILL at the parent's death, end at once if it died before; the link moves
    /// from descriptor 0, where what [`lend_stdin`] has sent or /dev/null takes its place, to one
    /// above 2 that no program which we start inherits; the controlling terminal is given up, so
    /// that no read, write or setting of it can stop us.
    ///
    /// # Errors
    ///
    /// EMFILE, and what `open(2)` says about /dev/null. The process should end then.
    pub fn enter(self) -> io::Result<OwnedFd> {
        crate::fault!("boot.detected");
        if os::is_main_thread() {
            os::arm_parent_death()?;
        } else {
            spawner::arm_parent_death()?;
        }
        if os::parent_pid() != self.parent {
            // As the signal would have, had it been asked for in time.
            os::die();
        }
        parent_death::tied();
        let stdin = match os::take_descriptor(rustix::stdio::stdin())? {
            Some(stdin) => stdin,
            None => File::open("/dev/null")?.into(),
        };
        let link = os::replace_stdin(&stdin)?;
        drop(stdin);
        os::drop_controlling_terminal()?;
        crate::fault!("boot.entered");
        Ok(link)
    }
}

/// Says what a child is to read as its standard input, on our end of its link, before anything
/// else is written there. What nobody says this of reads nothing.
///
/// # Errors
///
/// What `sendmsg(2)` says, such as ETOOMANYREFS if too many descriptors are on their way, and
/// InvalidInput for a [`StdioSpec::Pipe`], whose other end nobody would hold.
pub fn lend_stdin(link: impl AsFd, stdin: &StdioSpec) -> io::Result<()> {
    match stdin {
        StdioSpec::Null => Ok(()),
        StdioSpec::Inherit => os::send_descriptor(link, rustix::stdio::stdin()),
        StdioSpec::Fd(stdin) => os::send_descriptor(link, stdin.as_fd()),
        StdioSpec::Pipe => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Sets the name that `ps` and `top` show for this process, cut to 15 bytes.
///
/// A process that was started by [`spawn()`](super::spawn()) is called `exe` until then.
///
/// # Errors
///
/// NotFound if /proc is not there.
pub fn set_process_name(name: &str) -> io::Result<()> {
    os::set_main_thread_name(cut(name, os::NAME_BYTES_MAX))
}

fn cut(name: &str, bytes_max: usize) -> &str {
    let mut end = name.len().min(bytes_max);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(cut("worker", 15), "worker");
        assert_eq!(cut("0123456789abcdef", 15), "0123456789abcde");
        assert_eq!(cut("0123456789abcdé", 15), "0123456789abcd");
        assert_eq!(cut("", 15), "");
    }
}
