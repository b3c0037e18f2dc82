//! What is left of a tree that hangs, or that has broken a rule: who waits for whom, its processes,
//! what each of their threads waits for, and what each has noted last, as text and as Graphviz.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::journal::{self, Journal};
use super::waits::{self, Waits};

/// One process.
struct Process {
    pid: u32,
    parent: u32,
    state: String,
    name: String,
    /// Each thread: its name, its state, and where it waits in the kernel.
    threads: Vec<String>,
    /// The inodes of its sockets.
    sockets: Vec<String>,
    /// Whether it has a use for SIGUSR1, which ends others.
    listens: bool,
}

/// What is known of a tree: its processes that are there, and their journals and those of others
/// that are gone.
pub(super) struct Dump {
    top: u32,
    processes: Vec<Process>,
    journals: Vec<Journal>,
    waits: Waits,
}

impl Dump {
    /// Looks at all processes below `top`, which is one of them, and at the journals in a
    /// directory.
    pub(super) fn take(top: u32, journals: &Path) -> Self {
        let processes = below(top);
        let journals = journal::read(journals);
        let state = |pid| {
            let process = processes.iter().find(|process| process.pid == pid)?;
            Some(process.state.clone())
        };
        let waits = waits::waits(&journals, state);
        Self {
            top,
            processes,
            journals,
            waits,
        }
    }

    /// In lines.
    pub(super) fn text(&self) -> String {
        let mut text = self.waits.text();
        if !self.processes.is_empty() {
            text.push_str("still there:\n");
        }
        for process in &self.processes {
            let Process {
                pid,
                parent,
                state,
                name,
                threads,
                sockets,
                ..
            } = process;
            let _ = writeln!(text, "  {name} (pid {pid}, child of {parent}) is {state}");
            let _ = writeln!(text, "    sockets: {}", sockets.join(" "));
            for thread in threads {
                let _ = writeln!(text, "    thread {thread}");
            }
        }
        text.push_str("what each last noted:\n");
        for journal in &self.journals {
            let (actor, pid) = (&journal.actor, journal.pid);
            let _ = writeln!(text, "  {actor} (pid {pid})");
            for (key, state) in &journal.states {
                let _ = writeln!(text, "    {key}: {state}");
            }
            for event in &journal.last {
                let _ = writeln!(text, "    {event}");
            }
        }
        text
    }

    /// As a graph: who is the parent of whom, and who waits for whom.
    pub(super) fn graph(&self) -> String {
        let mut text = String::from("digraph tree {\n");
        for process in &self.processes {
            let (pid, parent) = (process.pid, process.parent);
            let label = format!("{}\npid {pid}\n{}", process.name, process.state);
            let _ = writeln!(text, "  {:?} [label={label:?}];", self.node(pid));
            if pid != self.top {
                let (above, below) = (self.node(parent), self.node(pid));
                let _ = writeln!(text, "  {above:?} -> {below:?} [style=dashed];");
            }
        }
        text.push_str(&self.waits.graph());
        text.push_str("}\n");
        text
    }

    /// What a process is called in the graph: as who it waits, if that is known.
    fn node(&self, pid: u32) -> String {
        let journal = self.journals.iter().find(|journal| journal.pid == pid);
        let actor = journal.filter(|journal| !journal.actor.is_empty());
        actor.map_or_else(|| format!("p{pid}"), |journal| journal.actor.clone())
    }

    /// Asks every process that listens to it to print what it is doing.
    pub(super) fn ask(&self) {
        for process in self.processes.iter().filter(|process| process.listens) {
            send(process.pid, Signal::USR1);
        }
    }

    /// Ends all of it.
    pub(super) fn kill(&self) {
        for process in &self.processes {
            send(process.pid, Signal::KILL);
        }
    }
}

/// To a process that was there a moment ago; if it is gone that is as well.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn below(top: u32) -> Vec<Process> {
    let all: BTreeMap<_, _> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, look(pid)?)))
        .collect();
    let is_below = |mut pid: u32| loop {
        if pid == top {
            return true;
        }
        match all.get(&pid) {
            Some(process) => pid = process.parent,
            None => return false,
        }
    };
    let chosen: Vec<u32> = all.keys().copied().filter(|pid| is_below(*pid)).collect();
    let mut all = all;
    chosen.iter().filter_map(|pid| all.remove(pid)).collect()
}

/// What the kernel says of a process, `None` if it is gone meanwhile.
fn look(pid: u32) -> Option<Process> {
    let folder = format!("/proc/{pid}");
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let command = fs::read(format!("{folder}/cmdline")).ok()?;
    let name = command.split(|byte| *byte == 0).next().unwrap_or_default();
    let sockets = fs::read_dir(format!("{folder}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let sockets = sockets.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        Some(target.to_str()?.strip_prefix("socket:")?.to_owned())
    });
    let threads = fs::read_dir(format!("{folder}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let threads = threads.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let place = fs::read_to_string(entry.path().join("wchan")).unwrap_or_default();
        let (name, state) = (field(&status, "Name")?, field(&status, "State")?);
        Some(format!("{name}: {state} {place}"))
    });
    Some(Process {
        pid,
        parent: field(&status, "PPid")?.parse().ok()?,
        state: field(&status, "State")?.to_owned(),
        name: String::from_utf8_lossy(name).into_owned(),
        threads: threads.collect(),
        sockets: sockets.collect(),
        listens: catches(&status, Signal::USR1),
    })
}

/// Whether a process has a handler for the signal.
fn catches(status: &str, signal: Signal) -> bool {
    let caught = field(status, "SigCgt").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_shown_with_its_parent() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (us, pid) = (std::process::id(), child.id());
        let dump = Dump::take(us, Path::new("/nowhere"));
        let (text, graph) = (dump.text(), dump.graph());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(
            text.contains(&format!("(pid {pid}, child of {us})")),
            "{text}"
        );
        let edge = format!("\"p{us}\" -> \"p{pid}\"");
        assert!(graph.contains(&edge), "{graph}");
    }

    #[test]
    fn who_has_no_handler_is_not_asked() {
        let status = "Name:\tcat\nSigCgt:\t0000000000000200\n";
        assert!(catches(status, Signal::USR1));
        assert!(!catches(status, Signal::USR2));
        assert!(!catches("", Signal::USR1));
    }
}
