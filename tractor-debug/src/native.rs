//! Native debuggers: which are tried, what they are told, and what is said of how they went.
//!
//! Pure. A native debugger is started by the root, with the terminal, and attaches to the process
//! of the paused task. It is told which thread the task is on and where its code stands, so that
//! it begins there and not in the depths of the runtime.

// What gdb does first.
mod gdb;
// What lldb does first.
mod lldb;
// What both are told in Python.
mod script;

use serde::{Deserialize, Serialize};

use crate::repl::{Native, NativeKind};

/// What a native debugger is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) pid: u32,
    /// The thread on which the task is paused; `None` if there is no stack of it left.
    pub(crate) thread: Option<u32>,
    /// File and line of the pause.
    pub(crate) place: Option<(String, u32)>,
    /// What lets the task go on while the debugger is there; `None` if nothing does.
    pub(crate) gate: Option<Gate>,
}

/// A pipe of the paused process, by a path: the pause ends when a byte other than zero is written
/// to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gate(pub(crate) String);

/// How a native debugger is started: by the first of these that works here, or else by the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) candidates: Vec<Candidate>,
    /// What it attaches to.
    pub(crate) pid: u32,
}

/// A program that may or may not be there and work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) program: String,
    /// What it is told.
    pub(crate) arguments: Vec<String>,
    /// How it is asked whether it works; `None` if it is taken as it is.
    pub(crate) probe: Option<Probe>,
    /// Whether it is told where its Python modules are.
    pub(crate) names_modules: bool,
    /// What it cannot do, as is told to the user. It does not tell, either, that it cannot attach.
    pub(crate) lacks: Option<String>,
}

/// A question to a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probe {
    pub(crate) arguments: Vec<String>,
    /// What is in the output of one that works, and exits with 0.
    pub(crate) answer: String,
}

impl Probe {
    /// Whether it is there and starts at all.
    fn version() -> Self {
        Self {
            arguments: vec!["--version".to_owned()],
            answer: String::new(),
        }
    }
}

/// How a native debugger went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has ended: with this code, if it exited, and in these words.
    Ended { code: Option<i32>, how: String },
    /// It did not begin, for this reason.
    NotStarted(String),
    /// The terminal was taken from it.
    Revoked,
}

/// The code with which who cannot attach exits.
pub(crate) const CANNOT_ATTACH: i32 = 57;

/// How to start it.
pub(crate) fn launch(native: &Native, target: &Target) -> Launch {
    Launch {
        candidates: match native.kind {
            NativeKind::Gdb => gdb::candidates(target, &native.commands),
            NativeKind::Lldb => lldb::candidates(target, &native.commands),
        },
        pid: target.pid,
    }
}

/// What stands above its first prompt.
pub(crate) fn greeting(kind: NativeKind, target: &Target) -> String {
    let (name, pid) = (name(kind), target.pid);
    let stack = match target.thread {
        Some(_) => "",
        None => "The task has ended, and its stack is gone: there are only other threads to see.\n",
    };
    format!("{name} gets the terminal; process {pid} stands still until {name} is left\n{stack}")
}

/// What stands above the next prompt. `refusal` tells why it could not attach.
pub(crate) fn epilogue(
    kind: NativeKind,
    target: &Target,
    how: &Outcome,
    refusal: impl FnOnce() -> String,
) -> String {
    let (name, pid) = (name(kind), target.pid);
    match how {
        Outcome::Ended { code: Some(0), .. } => format!("back from {name}\n"),
        Outcome::Ended {
            code: Some(CANNOT_ATTACH),
            ..
        } => {
            format!("{name} cannot attach to process {pid}: {}\n", refusal())
        }
        Outcome::Ended { how, .. } => format!("{name} {how}; the terminal is as before\n"),
        Outcome::NotStarted(reason) => format!(
            "{name} cannot be started: {reason}. Where it is installed, \
             `{name} -p {pid}` in another terminal shows the same.\n"
        ),
        Outcome::Revoked => String::new(),
    }
}

fn name(kind: NativeKind) -> &'static str {
    match kind {
        NativeKind::Gdb => "gdb",
        NativeKind::Lldb => "lldb",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn target() -> Target {
        Target {
            pid: 12,
            thread: Some(13),
            place: Some(("src/main.rs".to_owned(), 8)),
            gate: None,
        }
    }

    fn said(how: Outcome) -> String {
        epilogue(NativeKind::Gdb, &target(), &how, || "it is gone".to_owned())
    }

    #[test]
    fn each_debugger_is_tried_as_rust_ships_it_first() {
        for (kind, wrapper, program) in [
            (NativeKind::Gdb, "rust-gdb", "gdb"),
            (NativeKind::Lldb, "rust-lldb", "lldb"),
        ] {
            let native = Native {
                kind,
                commands: vec!["bt".to_owned()],
            };
            let candidates = launch(&native, &target()).candidates;
            let last = candidates.last().unwrap();
            assert_eq!(
                (&*candidates[0].program, &*last.program),
                (wrapper, program)
            );
            let is_told = |it: &Candidate| it.arguments.iter().any(|one| one == "bt");
            assert!(candidates.iter().all(is_told), "{candidates:?}");
        }
    }

    #[test]
    fn it_is_told_how_a_debugger_went() {
        let ended = |code, how: &str| Outcome::Ended {
            code,
            how: how.to_owned(),
        };
        for (how, text) in [
            (ended(Some(0), "exited with code 0"), "back from gdb"),
            (
                ended(Some(1), "exited with code 1"),
                "gdb exited with code 1",
            ),
            (ended(None, "was killed by signal 9"), "gdb was killed by"),
            (
                ended(Some(CANNOT_ATTACH), ""),
                "cannot attach to process 12: ",
            ),
            (Outcome::NotStarted("no such file".into()), "`gdb -p 12`"),
        ] {
            let said = said(how);
            assert!(said.contains(text) && said.ends_with('\n'), "{said}");
        }
        assert_eq!(said(Outcome::Revoked), "");
    }

    #[test]
    fn a_task_that_has_ended_has_no_stack_to_be_seen() {
        let greet = |thread| greeting(NativeKind::Gdb, &Target { thread, ..target() });
        assert!(!greet(Some(13)).contains("stack"));
        assert!(greet(None).contains("its stack is gone"));
    }
}
