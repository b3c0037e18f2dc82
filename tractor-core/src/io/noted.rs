//! What of a link stands in the [`journal`]: the frames about calls and cancels, and which calls
//! and tasks are open.

use std::fmt;

use tractor_ipc::Kind;

use super::link::Link;
use crate::calls::What;
use crate::journal;

/// A frame leaves, or waits to leave.
pub(crate) fn sent(link: &Link, kind: Kind, id: u64) {
    if is_noted(kind) {
        journal::event(format_args!("to {}: {kind:?} {id}", Peer(link)));
    }
}

/// A frame has come.
pub(crate) fn heard(link: &Link, kind: Kind, id: u64) {
    if is_noted(kind) {
        journal::event(format_args!("from {}: {kind:?} {id}", Peer(link)));
    }
}

/// A call waits for its answer.
pub(crate) fn call(link: &Link, id: u64, what: What) {
    let key = link.key();
    journal::state(
        format_args!("call {} {key}.{id}", Peer(link)),
        format_args!("{what}"),
    );
}

/// A call waits no more.
pub(crate) fn call_over(link: &Link, id: u64) {
    let key = link.key();
    journal::over(format_args!("call {} {key}.{id}", Peer(link)));
}

/// A peer's task is there.
pub(crate) fn task(link: &Link, id: u64, name: &str) {
    let key = link.key();
    journal::state(
        format_args!("task {} {key}.{id}", Peer(link)),
        format_args!("{name}"),
    );
}

/// A peer's task is over.
pub(crate) fn task_over(link: &Link, id: u64) {
    let key = link.key();
    journal::over(format_args!("task {} {key}.{id}", Peer(link)));
}

/// The items of streams are too many, and pings say nothing.
fn is_noted(kind: Kind) -> bool {
    !matches!(kind, Kind::Items | Kind::Credit | Kind::Ping | Kind::Pong)
}

/// Who is at the other end.
struct Peer<'a>(&'a Link);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.peer() {
            Some(peer) => write!(f, "{peer:?}"),
            None => f.write_str("nobody known"),
        }
    }
}
