//! What stands in the journal of the lock.

use std::fmt;

use tractor_core::journal;

use crate::lock::{Lock, State as LockState};

/// Notes in the journal who has the terminal, and who waits for it.
pub(super) fn note(lock: &Lock) {
    match lock.state() {
        LockState::Free => journal::over(format_args!("terminal")),
        LockState::Held { request, lease } => {
            let (actor, number, lease) = (&request.actor, request.number, lease.0);
            let text = format_args!("{actor:?} has it, by its request {number}, lease {lease}");
            journal::state(format_args!("terminal"), text);
        }
        LockState::Reclaiming { .. } => {
            journal::state(format_args!("terminal"), format_args!("is being restored"));
        }
    }
    journal::state(format_args!("queue"), format_args!("{}", Queue(lock)));
}

/// Who waits, in a line.
struct Queue<'a>(&'a Lock);

impl fmt::Display for Queue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, request) in self.0.waiting().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{:?} {}", request.actor, request.number)?;
        }
        Ok(())
    }
}
