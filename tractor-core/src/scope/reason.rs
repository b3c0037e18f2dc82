//! Why something was cancelled, and by whom: as data, and as the error that a scope ends with.

use std::fmt;

use serde::{Deserialize, Serialize};
use tractor_ipc::ActorId;

/// A cancel: who caused it and why. It travels between actors, so that the innermost task can
/// tell the outermost cause.
///
/// # Examples
///
/// ```
/// use tractor_core::scope::{CancelReason, Cancellation}; // `tractor::{..}`
/// use tractor_ipc::ActorId; // `tractor::ActorId`
///
/// let by = Some(ActorId::fresh("root"));
/// let cancellation = Cancellation { by, reason: CancelReason::Signal(2) };
/// assert_eq!(cancellation.to_string(), "cancelled by 'root': it got signal 2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// The actor that began it, where one is known.
    pub by: Option<ActorId>,
    /// Why.
    pub reason: CancelReason,
}

impl fmt::Display for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(by) => write!(f, "cancelled by {by}: {}", self.reason),
            None => write!(f, "cancelled: {}", self.reason),
        }
    }
}

/// Why something was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CancelReason {
    /// A peer asked for the end of this very call, context or actor.
    Asked,
    /// The deadline of the scope, or of one around it, has passed.
    Deadline,
    /// The program cancelled the scope, or one around it.
    ScopeCancelled,
    /// The actor that wanted the result is gone, or the channel to it.
    PeerLost,
    /// A sibling failed, which cancels the rest of its nursery; or the other side of a context.
    Sibling,
    /// The actor's parent is being cancelled, or is gone.
    Parent,
    /// The root got this signal, such as 2 (SIGINT) or 15 (SIGTERM).
    Signal(i32),
    /// The future that wanted the result was dropped.
    Dropped,
    /// A bound of the runtime's own has passed, such as a grace.
    Timeout,
    /// A prompt in it was quit.
    DebuggerQuit,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "it was asked for",
            Self::Deadline => "the deadline passed",
            Self::ScopeCancelled => "its scope was cancelled",
            Self::PeerLost => "the peer was lost",
            Self::Sibling => "a sibling failed",
            Self::Parent => "the parent ends",
            Self::Signal(number) => return write!(f, "it got signal {number}"),
            Self::Dropped => "nobody waits for the result",
            Self::Timeout => "it took too long",
            Self::DebuggerQuit => "the debugger was quit",
        })
    }
}

/// The error of what a [`CancelScope`](super::CancelScope) ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cancelled(Cancellation);

impl Cancelled {
    /// The actor that began it, where one is known.
    pub fn by(&self) -> Option<&ActorId> {
        self.0.by.as_ref()
    }

    /// Why.
    pub fn reason(&self) -> CancelReason {
        self.0.reason
    }

    /// Both, as data that can travel.
    pub fn into_cancellation(self) -> Cancellation {
        self.0
    }
}

impl From<Cancellation> for Cancelled {
    fn from(cancellation: Cancellation) -> Self {
        Self(cancellation)
    }
}

#[cfg(test)]
mod tests {
    use tractor_ipc::codec::{decode, encode};

    use super::*;

    #[test]
    fn a_cancellation_survives_the_wire() {
        let cancellation = Cancellation {
            by: Some(ActorId::fresh("middle")),
            reason: CancelReason::Signal(15),
        };
        assert_eq!(
            decode(&encode(&cancellation).unwrap()),
            Ok(cancellation.clone())
        );
        assert_eq!(
            Cancelled::from(cancellation.clone()).into_cancellation(),
            cancellation
        );
    }

    #[test]
    fn the_error_tells_who_and_why() {
        let check = |by: Option<&str>, reason, text: &str| {
            let by = by.map(ActorId::fresh);
            let error = Cancelled::from(Cancellation { by, reason });
            assert_eq!(error.to_string(), text);
        };
        check(
            None,
            CancelReason::Deadline,
            "cancelled: the deadline passed",
        );
        check(
            Some("a"),
            CancelReason::Sibling,
            "cancelled by 'a': a sibling failed",
        );
    }
}
