//! What /proc tells.

use std::fs;
use std::io;
use std::path::Path;

use crate::os::Stat;
use crate::os::unix::raw_signal;
use crate::process::Signal;
use crate::process::census::OpenFd;

/// The file that this process runs, even if it was replaced or removed since.
pub(crate) fn own_program() -> &'static Path {
    Path::new("/proc/self/exe")
}

/// The name of a process that runs [`own_program`] and has not yet been told its own.
pub(crate) const UNNAMED: &str = "exe";

impl Stat {
    /// Of this process, unless it is gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::read(pid).ok()
    }

    /// Of this process, or why it cannot be told.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
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

/// The numbers of all processes that we can see.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
}

/// The children of this process's main thread, to which the kernel gives orphans.
///
/// While others of them are reaped the kernel may leave some out ([proc_pid_task(5)]: it is reliable
/// only if nobody ends meanwhile), so the list is one that was read twice.
///
/// [proc_pid_task(5)]: https://man7.org/linux/man-pages/man5/proc_pid_task.5.html
pub(crate) fn main_thread_children() -> io::Result<Vec<u32>> {
    let path = format!("/proc/self/task/{}/children", std::process::id());
    let mut children = fs::read_to_string(&path)?;
    for _ in 0..LISTED_MAX {
        let before = std::mem::replace(&mut children, fs::read_to_string(&path)?);
        if children == before {
            break;
        }
    }
    let pids = children.split_ascii_whitespace();
    Ok(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// How often a list is read that is another each time.
const LISTED_MAX: usize = 16;

/// The environment that a process was started with; empty if it cannot be read.
///
/// A process that is just executing a program has none for a moment, and must not be missed: it is
/// asked again, with the processor left to it in between.
pub(crate) fn environment(pid: u32) -> Vec<u8> {
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

/// The descriptors that this process has open, without the one that lists them.
pub(crate) fn open_fds() -> io::Result<Vec<OpenFd>> {
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

/// Whether this process ignores the signal, as `nohup` has it do.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    is_in_mask(std::process::id(), "SigIgn:", raw_signal(signal).as_raw())
}

/// Whether the process, which may be dead, catches the signal of this number.
pub(crate) fn is_caught(pid: u32, signal: i32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::unix::parent_pid;

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
}
