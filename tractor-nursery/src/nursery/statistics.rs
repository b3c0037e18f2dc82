//! What a nursery tells of itself.

use std::sync::Arc;
use std::time::Duration;

use tractor_ipc::ActorId;

use super::Inner;
use crate::child::{Child, Condition, Role};

/// A nursery in numbers and words.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NurseryStatistics {
    /// Its number in this process.
    pub number: u64,
    /// For how long it has been open.
    pub age: Duration,
    /// The children that are not reaped, in the order in which they were started.
    pub children: Vec<ChildStatistics>,
    /// The failures so far.
    pub failures: usize,
    /// Whether its block has ended, so that it only waits for the children.
    pub is_left: bool,
}

/// A child in numbers and words.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChildStatistics {
    /// Who it is.
    pub aid: ActorId,
    /// Its process.
    pub pid: u32,
    /// Whether it lives until it is cancelled.
    pub is_daemon: bool,
    /// What it is doing.
    pub condition: Condition,
}

impl Inner {
    pub(crate) fn statistics(&self) -> NurseryStatistics {
        let state = self.lock();
        let child = |child: &Arc<Child>| ChildStatistics {
            aid: child.aid.clone(),
            pid: child.pid(),
            is_daemon: child.role != Role::OneShot,
            condition: child.condition(),
        };
        NurseryStatistics {
            number: self.number,
            age: self.opened.elapsed(),
            children: state.children.values().map(child).collect(),
            failures: state.failures.len(),
            is_left: state.is_left,
        }
    }
}
