//! [`Suspended`]: the processes of a tree while it is stopped.
//!
//! The terminal stops and continues the root's group only, and actors are in groups of their own.

use std::io;

use super::{Process, Signal, census};
use crate::os;

/// Processes that were stopped; they go on when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it lets them go on"]
pub struct Suspended(Vec<Process>);

impl Suspended {
    /// Stops every process of this tree (32 hexadecimal digits), apart from those of our own group
    /// and those that are stopped already: whoever has stopped these lets them go on.
    pub fn tree(tree: &str) -> Self {
        let mut stopped = Vec::new();
        // Until nobody is left who could have started another meanwhile.
        for _ in 0..PASSES_MAX {
            let before = stopped.len();
            for process in census::marked_processes(tree) {
                if matches!(process.state, 'T' | 't' | 'Z' | 'X') {
                    continue;
                }
                match stop_marked(process.pid, tree) {
                    Ok(process) => stopped.extend(process),
                    Err(error) => log::debug!("stop process {}: {error}", process.pid),
                }
            }
            if stopped.len() == before {
                break;
            }
        }
        Self(stopped)
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        for process in &self.0 {
            if let Err(error) = process.signal(Signal::Continue) {
                log::debug!("continue process {}: {error}", process.pid());
            }
        }
    }
}

/// Stops the process, if it is still the one that is meant.
fn stop_marked(pid: u32, tree: &str) -> io::Result<Option<Process>> {
    let process = Process::open(pid)?;
    let is_ours = os::Stat::of(pid).is_none_or(|stat| os::is_of_our_group(&stat));
    if is_ours || !census::is_marked(pid, tree) {
        return Ok(None);
    }
    process.signal(Signal::Stop)?;
    Ok(Some(process))
}

/// Stops this process as Ctrl-Z does by default, whatever it has a handler for, and returns when
/// it goes on. Where no shell would let it go on, as in a container, it returns at once.
///
/// # Errors
///
/// None that is expected.
pub fn stop() -> io::Result<()> {
    os::stop()
}

/// Whether this process ignores the signal because it was started so, as by `nohup`.
pub fn is_ignored(signal: Signal) -> bool {
    os::is_ignored(signal)
}

/// A tree that starts processes faster than they can be stopped is not stopped as a whole.
const PASSES_MAX: usize = 10;
