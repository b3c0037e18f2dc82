//! Who is alive: what a test asks at its end, when nothing may be left.

use std::io;
use std::path::PathBuf;

use super::marks;
use crate::os;

/// A process as the system shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcInfo {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// The kernel's letter, see [`Process::state`](super::Process::state).
    pub state: char,
    /// Its name, at most 15 bytes.
    pub name: String,
}

/// Every process that was started with the mark of this tree (32 hexadecimal digits), whoever is
/// its parent now.
///
/// A zombie has no environment any more; see [`zombie_children`]. What vanishes while we look, and
/// what belongs to others, is left out.
pub fn marked_processes(tree: &str) -> Vec<ProcInfo> {
    processes(|pid, _| is_marked(pid, tree))
}

/// Whether it was started with the mark of this tree.
pub(super) fn is_marked(pid: u32, tree: &str) -> bool {
    let entry = format!("{}={tree}", marks::TREE);
    os::environment(pid)
        .split(|byte| *byte == 0)
        .any(|variable| variable == entry.as_bytes())
}

/// The zombies that these processes have not reaped.
pub fn zombie_children(parents: &[u32]) -> Vec<ProcInfo> {
    processes(|_, stat| stat.state == 'Z' && parents.contains(&stat.ppid))
}

/// The children of this process that are stopped.
pub(super) fn stopped_children(parent: u32) -> Vec<ProcInfo> {
    processes(|_, stat| stat.state == 'T' && stat.ppid == parent)
}

/// A descriptor of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFd {
    /// Its number.
    pub number: i32,
    /// What it is, as in `socket:[4711]` or a path.
    pub target: PathBuf,
}

/// The descriptors that this process has open, without the one that lists them.
///
/// # Errors
///
/// EMFILE, and NotFound if the system does not list them: /proc is not there.
pub fn open_fds() -> io::Result<Vec<OpenFd>> {
    os::open_fds()
}

fn processes(is_wanted: impl Fn(u32, &os::Stat) -> bool) -> Vec<ProcInfo> {
    let mut found: Vec<_> = os::pids()
        .filter_map(|pid| {
            let stat = os::Stat::of(pid)?;
            is_wanted(pid, &stat).then_some(ProcInfo {
                pid,
                ppid: stat.ppid,
                state: stat.state,
                name: stat.name,
            })
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}
