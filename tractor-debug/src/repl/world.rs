//! [`World`]: what a prompt can ask of the actor that it stands in, beyond its scene.

use std::time::Duration;

use tractor_core::{TaskState, TaskStatistics};
use tractor_ipc::ActorId;

/// What a prompt can ask of its actor. Nothing here may wait: whoever asks stands at a prompt,
/// perhaps because the actor hangs.
///
/// # Examples
///
/// ```
/// use tractor_debug::{LinkLine, TaskLine, World};
///
/// /// An actor in which nothing runs.
/// struct Idle;
///
/// impl World for Idle {
///     fn tasks(&self) -> Vec<TaskLine> {
///         Vec::new()
///     }
///     fn links(&self) -> Vec<LinkLine> {
///         Vec::new()
///     }
///     fn cancel_task(&self, _number: u64) -> bool {
///         false
///     }
///     fn runtime_vars(&self) -> Vec<(String, String)> {
///         vec![("log_level".to_owned(), "info".to_owned())]
///     }
/// }
///
/// assert!(!Idle.cancel_task(7));
/// assert!(Idle.facts().is_empty());
/// ```
pub trait World {
    /// The calls of others that run in the actor, oldest first.
    fn tasks(&self) -> Vec<TaskLine>;

    /// Its links to other actors.
    fn links(&self) -> Vec<LinkLine>;

    /// Cancels the task of that number, and tells whether there is one; does not wait for its end.
    fn cancel_task(&self, number: u64) -> bool;

    /// The variables that were handed down to it, as text, by name.
    fn runtime_vars(&self) -> Vec<(String, String)>;

    /// Does not stop there any more. Nothing by default.
    fn skip(&self, _skip: Skip) {}

    /// The last lines of its log, at most so many, oldest first. None by default.
    fn log(&self, _count: usize) -> Vec<String> {
        Vec::new()
    }

    /// What else `info` may tell, such as the build, in this order. Nothing by default.
    fn facts(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// At which breakpoints an actor is not to stop any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// At this one.
    Site {
        /// The file, as `file!()` gives it.
        file: String,
        /// The line, from 1.
        line: u32,
        /// How often it is passed by before it stops again; `None` for ever.
        times: Option<u64>,
    },
    /// At none.
    Actor,
}

/// A call of another actor that runs here, as `tasks` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    /// Its number in this process, as log lines show it.
    pub number: u64,
    /// The function, with its module.
    pub function: String,
    /// Who called it.
    pub caller: Option<ActorId>,
    /// For how long it has been running.
    pub age: Duration,
    /// What it is doing.
    pub state: TaskState,
}

impl From<TaskStatistics> for TaskLine {
    fn from(task: TaskStatistics) -> Self {
        Self {
            number: task.number,
            function: task.function,
            caller: task.caller,
            age: task.age,
            state: task.state,
        }
    }
}

/// A link to another actor, as `chans` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkLine {
    /// Who is at the other end.
    pub peer: ActorId,
    /// How long it has been open.
    pub age: Duration,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent or queued.
    pub bytes_out: u64,
    /// Bytes of the latter that the peer has not taken yet.
    pub bytes_queued: usize,
    /// Calls to the peer that await an answer.
    pub calls: usize,
    /// Tasks that the peer started here.
    pub tasks: usize,
}
