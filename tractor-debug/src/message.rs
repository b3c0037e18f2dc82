//! What an actor and the root say to each other about the terminal.
//!
//! A request for it is announced by a [`Report`], which every actor on the way counts before it
//! passes it on, and is then made by an [`Ask`], which comes behind it on the same links. So
//! whoever is asked for the terminal knows that nobody above the asker will kill it meanwhile.

use serde::{Deserialize, Serialize};

use crate::lock::{Lease, Refusal, RequestId};
use crate::native::Target;
use crate::repl::Native;

/// Goes up along the supervision links, heard by everybody on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Somebody below is about to ask for the terminal.
    Hold(RequestId),
    /// It does not want it any more, whether it waits or holds.
    Release(RequestId),
}

/// Goes to the root, which answers now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// The terminal. Answered by a grant, or by a refusal.
    Want {
        request: RequestId,
        /// Whether it outlasts the closing of the tree.
        shielded: bool,
        /// Whether it is for a breakpoint, which the user may have skipped everywhere.
        pauses: bool,
        /// What `queue` shows of it.
        why: String,
    },
    /// Show this, then a prompt, and read a line.
    Read {
        lease: Lease,
        text: String,
        prompt: String,
        words: Vec<String>,
    },
    /// Give the terminal to a native debugger. Answered when that is over, by a text.
    Native {
        lease: Lease,
        native: Native,
        target: Target,
    },
    /// The tree, for `tree`.
    Tree,
    /// Who has the terminal and who waits, for `queue`.
    Queue,
    /// Let the one of this number among those who wait, from 1, be the next. Answered by a text.
    Prefer { lease: Lease, place: usize },
    /// Let no breakpoint of the tree stop any more.
    SkipAll,
    /// End the tree.
    Kill,
}

/// The root's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Granted(Lease),
    Refused(Refusal),
    /// No breakpoint is to stop any more.
    Skipped,
    Line(String),
    EndOfInput,
    /// The terminal is somebody else's, or nobody's.
    Revoked,
    Text(String),
}
