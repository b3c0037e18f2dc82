//! [`Event`] and [`Action`]: what the lock is told, and what it says.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tractor_ipc::ActorId;

/// Who asks: an actor, and the number that tells its requests apart.
///
/// Two tasks of one actor are two requests, so that there is no lock per process which one of its
/// tasks could hold against another. An actor never uses a number again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The actor, in its incarnation.
    pub actor: ActorId,
    /// Unique among the requests of that actor.
    pub number: u64,
}

/// The number of one grant; it grows with each, and the first is 1.
///
/// Whatever a prompt sends carries it, and what carries another than the lock
/// [admits](super::Lock::admits) is dropped: a holder that is cut off may believe for long that
/// it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease(
    /// The number itself, as it travels.
    pub u64,
);

/// What happened.
///
/// Whatever is repeated, unknown or out of date is ignored and
/// [counted](super::Lock::ignored): messages cross each other, so that much of it is normal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// An actor wants the terminal.
    Requested {
        /// The request.
        request: RequestId,
        /// Whether it outlasts the closing of the tree.
        shielded: bool,
    },
    /// The hold of a request has come up along the supervision edges, before or after the request
    /// itself: every parent on the way has counted it, and none will kill for the passing of time.
    HoldArrived(RequestId),
    /// The hold was taken back on the same way: by the actor, or for it by whoever read a link
    /// on that way when the link ended. Without its hold a request is not granted.
    HoldWithdrawn(RequestId),
    /// The actor does not want it any more, whether it waits or holds.
    Released(RequestId),
    /// The user wants this one to be the next of those who wait.
    Preferred(RequestId),
    /// The actor's channel or its process is lost; both are told, in the order in which they are
    /// noticed. All its requests end. One that comes over a later channel is a new request, and is
    /// told after the loss of the earlier channel.
    PeerLost(ActorId),
    /// The user, or the limit for a silent peer, takes this grant away.
    Dropped(Lease),
    /// The terminal is restored after this grant.
    Reclaimed(Lease),
    /// The tree is ending, and a user is there who may finish with the prompt.
    ClosingBegan,
    /// There are no prompts from now on: the terminal is gone, or there never was one, or the
    /// tree is ending and nobody waits for a user. Not even shielded requests remain.
    Shut(Refusal),
    /// Time has passed.
    Tick,
}

/// What to do about it, in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Tell the actor that it has the terminal.
    Grant {
        /// The request that waited.
        request: RequestId,
        /// What its prompt's data carries.
        lease: Lease,
    },
    /// Tell the actor that it will not get it. The request is over.
    Refuse {
        /// The request that waited, or that just came.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// Tell the actor that it has the terminal no longer. The request is over.
    Revoke {
        /// The request that held.
        request: RequestId,
        /// Its grant.
        lease: Lease,
    },
    /// Restore the terminal after this grant, then hand in [`Event::Reclaimed`].
    Reclaim(Lease),
    /// Hand in an [`Event::Tick`] at this time, at once if it is over. It replaces an earlier
    /// wish; a tick that comes although it is not wished for any more does no harm.
    Wake(Duration),
}

/// Why a request is not granted. Whoever asked prints its report instead of a prompt and goes on.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
pub enum Refusal {
    /// The tree is ending.
    #[error("the tree is ending")]
    Closing,
    /// There is no terminal, or it is gone.
    #[error("the root has no terminal")]
    NoTerminal,
    /// [`WAITING_MAX`](super::WAITING_MAX) requests wait already.
    #[error("too many wait for the terminal")]
    TooMany,
}
