//! Native debuggers: which are tried, what they are told, and what is said of how they went.
//!
//! Pure. A native debugger is started by the root, with the terminal, and attaches to the process
//! of the paused task. It is told which thread the task is on and where its code stands, so that
//! it begins there and not in the depths of the runtime.

// What gdb does first.
mod gdb;
// Why the system does not let it attach.
mod refusal;

use serde::{Deserialize, Serialize};

pub(crate) use refusal::{Facts, Status};

use crate::repl::NativeKind;

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

/// A pipe of the paused process, by its descriptor there: the pause ends when a byte other than
/// zero is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gate(pub(crate) u32);

/// How a native debugger is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// Programs that may or may not be there and work, the best first.
    pub(crate) wrappers: Vec<String>,
    /// What to start if none of them does.
    pub(crate) program: String,
    /// What it is told.
    pub(crate) arguments: Vec<String>,
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

/// The code with which gdb is told to exit when it cannot attach.
const CANNOT_ATTACH: i32 = 57;

/// How to start it.
pub(crate) fn launch(kind: NativeKind, target: &Target) -> Launch {
    let (wrapper, program, arguments) = match kind {
        NativeKind::Gdb => ("rust-gdb", "gdb", gdb::arguments(target)),
        NativeKind::Lldb => ("rust-lldb", "lldb", lldb_arguments(target)),
    };
    Launch {
        wrappers: vec![wrapper.to_owned()],
        program: program.to_owned(),
        arguments,
    }
}

fn lldb_arguments(target: &Target) -> Vec<String> {
    vec!["-p".to_owned(), target.pid.to_string()]
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

/// What stands above the next prompt.
pub(crate) fn epilogue(kind: NativeKind, target: &Target, how: &Outcome, facts: &Facts) -> String {
    let (name, pid) = (name(kind), target.pid);
    match how {
        Outcome::Ended { code: Some(0), .. } => format!("back from {name}\n"),
        Outcome::Ended {
            code: Some(CANNOT_ATTACH),
            ..
        } => {
            format!(
                "{name} cannot attach to process {pid}: {}\n",
                facts.explain()
            )
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

    fn target() -> Target {
        Target {
            pid: 12,
            thread: Some(13),
            place: Some(("src/main.rs".to_owned(), 8)),
            gate: None,
        }
    }

    fn said(how: Outcome) -> String {
        epilogue(NativeKind::Gdb, &target(), &how, &Facts::default())
    }

    #[test]
    fn each_debugger_is_tried_as_rust_ships_it_first() {
        for (kind, wrapper, program) in [
            (NativeKind::Gdb, "rust-gdb", "gdb"),
            (NativeKind::Lldb, "rust-lldb", "lldb"),
        ] {
            let launch = launch(kind, &target());
            assert_eq!((&*launch.wrappers[0], &*launch.program), (wrapper, program));
        }
        let lldb = launch(NativeKind::Lldb, &target());
        assert_eq!(lldb.arguments, ["-p", "12"]);
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
