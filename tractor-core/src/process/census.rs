//! Who is alive: what a test asks at its end, when nothing may be left.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{marks, os};

/// A process as /proc shows it.
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
    environment(pid)
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
/// EMFILE, and NotFound if /proc is not there.
pub fn open_fds() -> io::Result<Vec<OpenFd>> {
    let ours = format!("/proc/{}/fd", std::process::id());
    let mut fds = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // One that another thread has just closed is not open.
        let (Some(number), Ok(target)) = (number, fs::read_link(entry.path())) else {
            continue;
        };
        if !target.as_os_str().eq(ours.as_str()) {
            fds.push(OpenFd { number, target });
        }
    }
    fds.sort_by_key(|fd| fd.number);
    Ok(fds)
}

/// The environment that a process was started with; empty if it cannot be read.
///
/// A process that is just executing a program has none for a moment, and must not be missed: it is
/// asked again, with the processor left to it in between.
pub(super) fn environment(pid: u32) -> Vec<u8> {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_program = || fs::read_link(format!("/proc/{pid}/exe")).is_ok();
        if !environment.is_empty() || !is_program() {
            return environment;
        }
        std::thread::yield_now();
    }
    Vec::new()
}

fn processes(is_wanted: impl Fn(u32, &os::Stat) -> bool) -> Vec<ProcInfo> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<_> = pids
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
