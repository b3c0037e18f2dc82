//! What a task tells of itself, for statistics, dumps and those who look for stalls.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tractor_ipc::ActorId;

use super::RpcTask;
use super::phase::Look;
use crate::stall::{Doing, Seen};

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

impl RpcTask {
    /// What a look at a moment when it is not at rest sees. A plain function has a thread of its own.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let look = self.phase.look();
        let doing = match look {
            Look { blocking: true, .. } | Look { done: true, .. } => return None,
            Look { held: true, .. } => Doing::Runs,
            Look { woken: true, .. } => Doing::Waits,
            Look { .. } => return None,
        };
        Some(Seen {
            number: self.number,
            polls: look.polls,
            doing,
        })
    }

    /// Its function with the module, and its number.
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.export.path(), self.number)
    }

    /// The task in numbers and words.
    pub(crate) fn statistics(&self) -> TaskStatistics {
        TaskStatistics {
            number: self.number,
            function: self.export.path(),
            caller: self.link.peer().cloned(),
            age: self.started.elapsed(),
            state: TaskState::new(self.phase.look(), self.begun.load(Ordering::Relaxed)),
        }
    }
}
