//! What a task tells of itself, for statistics and dumps.

use std::time::Duration;

use tractor_ipc::ActorId;

use super::phase::Look;

/// A task in numbers and words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStatistics {
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

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// It has come, and is not polled yet.
    Starting,
    /// It is being polled, or a plain function runs.
    Running,
    /// It waits for something.
    Waiting,
    /// It is cancelled and will be dropped when it can be.
    Cancelling,
    /// It is cancelled and answered; its plain function goes on until it returns, and its result
    /// is discarded.
    CancelledRunning,
}

impl TaskState {
    pub(super) fn new(look: Look, begun: bool) -> Self {
        match look {
            Look {
                cancelled: true,
                blocking: true,
                ..
            } => Self::CancelledRunning,
            Look {
                cancelled: true, ..
            } => Self::Cancelling,
            Look { .. } if !begun => Self::Starting,
            Look { held: true, .. } | Look { blocking: true, .. } => Self::Running,
            Look { .. } => Self::Waiting,
        }
    }
}
