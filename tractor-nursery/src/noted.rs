//! What of children stands in the [`journal`]: where each is on its ladder, and the signals that
//! it was sent.

use tractor_core::journal;
use tractor_core::process::Signal;

use crate::child::Child;
use crate::ladder::{Ladder, Rung};

/// Where the child stands.
pub(crate) fn child(child: &Child, ladder: &Ladder) {
    let (rung, holds, pid) = (ladder.rung(), ladder.holds(), child.pid());
    let key = format_args!("child {:?}", child.aid);
    match rung {
        Rung::Gone => journal::over(key),
        _ => journal::state(key, format_args!("{rung:?}, {holds} holds, pid {pid}")),
    }
}

/// The ladder sends a signal.
pub(crate) fn signal(child: &Child, signal: Signal) {
    journal::event(format_args!("{signal:?} to {:?}", child.aid));
}
