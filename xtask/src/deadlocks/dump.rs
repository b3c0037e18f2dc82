//! What is left of a tree that hangs: its processes, what each of their threads waits for, and
//! who is connected with whom, as text and as Graphviz.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

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
}

/// All processes below `top`, which is one of them, as text.
pub(super) fn text(top: u32) -> String {
    let mut text = String::from("still there:\n");
    for process in below(top) {
        let Process {
            pid,
            parent,
            state,
            name,
            threads,
            sockets,
        } = process;
        let _ = writeln!(text, "  {name} (pid {pid}, child of {parent}) is {state}");
        let _ = writeln!(text, "    sockets: {}", sockets.join(" "));
        for thread in threads {
            let _ = writeln!(text, "    thread {thread}");
        }
    }
    text
}

/// The same as a graph: who is the parent of whom.
pub(super) fn graph(top: u32) -> String {
    let mut text = String::from("digraph tree {\n");
    for process in below(top) {
        let (pid, parent) = (process.pid, process.parent);
        let label = format!("{}\\npid {pid}\\n{}", process.name, process.state);
        let _ = writeln!(text, "  p{pid} [label=\"{label}\"];");
        if pid != top {
            let _ = writeln!(text, "  p{parent} -> p{pid};");
        }
    }
    text.push_str("}\n");
    text
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
    })
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
        let (text, graph) = (text(us), graph(us));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(
            text.contains(&format!("(pid {pid}, child of {us})")),
            "{text}"
        );
        assert!(graph.contains(&format!("p{us} -> p{pid};")), "{graph}");
    }
}
