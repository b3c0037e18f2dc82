//! Asking an actor to end, and being asked.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tractor_ipc::{ActorId, Kind, codec};

use crate::actor::current_actor;
use crate::calls::{Reply, Slot, What};
use crate::io::link::Link;
use crate::scope::{CancelReason, Cancellation};

/// The payload of a `Stop` frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Who wants it.
    pub by: Option<ActorId>,
    /// Why.
    pub reason: CancelReason,
    /// How much time the actor has, for itself and everything below it.
    pub remaining: Duration,
}

impl Stop {
    /// Sends it over `link`. The peer's runtime answers as soon as it has heard, whatever its
    /// user code does; then `heard` is called with `true`, or with `false` if the link ends
    /// first. It runs on a runtime thread, so it is short and runs no user code.
    pub fn send(&self, link: &Arc<Link>, heard: impl FnOnce(bool) + Send + 'static) {
        let payload = codec::encode(self).expect("a name and two numbers always encode");
        let slot = Slot::with_callback(What::Service("the end of the actor"), |reply| {
            heard(matches!(reply, Reply::Returned(_)));
        });
        let id = link.next_id();
        match link.enter_call(id, slot.clone()) {
            // It is far smaller than a frame may be.
            Ok(()) => drop(link.send(Kind::Stop, id, &payload)),
            Err(lost) => drop(slot.fill(Reply::Lost(lost))),
        }
    }
}

/// This actor was asked to end: it says that it heard, and begins.
///
/// # Errors
///
/// The request is not understood.
pub fn received(link: &Arc<Link>, id: u64, payload: &[u8]) -> Result<(), String> {
    let Stop {
        by,
        reason,
        remaining,
    } = codec::decode(payload).map_err(|error| error.to_string())?;
    // An answer has no payload that could be too long.
    let _ = link.send(Kind::Reply, id, &[]);
    let actor = current_actor().map_err(|error| error.to_string())?;
    actor.cancel(Cancellation { by, reason }, remaining);
    Ok(())
}
