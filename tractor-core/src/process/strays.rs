//! [`strays`]: processes that came to this one, a subreaper, and of which nobody told it.
//!
//! An actor that is killed between starting a process and reporting it leaves one behind. It ends
//! by itself, before it has run any user code, unless it was stopped before it could ask the
//! kernel to end it with its parent.

use std::io;

use super::{marks, spawner};
use crate::os;

/// The name of a process that has not yet been told its own: that of our program's file. Before it
/// executes that it is called like the thread that starts it.
const UNNAMED: &str = os::UNNAMED;

/// Such a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Its number.
    pub pid: u32,
    /// Whether it is an actor, or about to become one, and no program that an actor has started.
    pub is_actor: bool,
}

/// What is known of the children of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that somebody else of the tree has started.
    pub strays: Vec<Stray>,
    /// Those of which it cannot be told now whose they are, for they are just being executed or just
    /// ending.
    pub unclear: Vec<Stray>,
}

/// What is known of one.
enum Look {
    Stray(Stray),
    /// Its environment cannot be read, as it is for a moment when a program begins or ends.
    Unclear(Stray),
    Other,
}

/// The children of this process that somebody else of the tree (32 hexadecimal digits) has
/// started, as far as can be told; children of its own are not among them.
///
/// The kernel gives orphans to the main thread, whereas actors are started by another. A program
/// that the main thread itself has started is told apart by its environment, or, when it has
/// ended and has none any more, by its group and its [mark](marks::SIGNAL), or by its name when it
/// had not got so far.
///
/// # Errors
///
/// NotFound if the kernel was built without lists of children.
pub fn strays(tree: &str) -> io::Result<Found> {
    let us = std::process::id();
    let mut found = Found::default();
    for pid in os::main_thread_children()? {
        match look(pid, us, tree) {
            Look::Stray(stray) => found.strays.push(stray),
            Look::Unclear(stray) => found.unclear.push(stray),
            Look::Other => {}
        }
    }
    Ok(found)
}

fn look(pid: u32, us: u32, tree: &str) -> Look {
    let Some(stat) = os::Stat::of(pid).filter(|stat| stat.ppid == us) else {
        return Look::Other;
    };
    let stray = || Stray {
        pid,
        is_actor: [UNNAMED, spawner::THREAD].contains(&&*stat.name) || is_marked(pid),
    };
    // Our own are no children of the main thread; this is another actor's, whose environment it
    // still has if it lives.
    let is_stray = if stat.name == spawner::THREAD {
        true
    } else if stat.state == 'Z' {
        stat.group == pid && (stat.name == UNNAMED || is_marked(pid))
    } else {
        let environment = os::environment(pid);
        if environment.is_empty() {
            return Look::Unclear(stray());
        }
        is_of_another(&environment, us, tree)
    };
    if is_stray {
        Look::Stray(stray())
    } else {
        Look::Other
    }
}

/// Whether this is the environment of what another actor of the tree has started.
fn is_of_another(environment: &[u8], us: u32, tree: &str) -> bool {
    let mark = |name: &str| {
        let name = format!("{name}=");
        let mut all = environment.split(|byte| *byte == 0);
        all.find_map(|own| own.strip_prefix(name.as_bytes()).map(<[u8]>::to_vec))
    };
    // What we start ourselves has our own mark, or us as its parent.
    let ours = std::env::var_os(marks::CHILD_OF);
    let ours = ours.map(std::ffi::OsString::into_encoded_bytes);
    let parent = mark(marks::CHILD_OF);
    mark(marks::TREE).is_some_and(|own| own == tree.as_bytes())
        && parent.is_some()
        && parent != ours
        && parent != Some(us.to_string().into_bytes())
}

/// Whether it catches the signal that actors catch.
fn is_marked(pid: u32) -> bool {
    os::is_caught(pid, marks::SIGNAL)
}
