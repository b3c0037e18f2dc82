//! Ends of streams that have come to this actor, from their frame to whoever uses them.
//!
//! They come ahead of the call or the answer that they belong to, and are there at once: who has
//! them is known before any user code runs, and what is not decoded, for whatever reason, is
//! dropped, which its other end is told.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tractor_ipc::{FROM_CALLEE, Kind, codec};

use super::ends::Side;
use super::home::HomeEnd;
use super::outbound::Outbound;
use super::tie::Tie;
use super::way::Way;
use crate::actor::local_error;
use crate::dialog::Dialog;
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::io::link::Link;

/// Calls and answers of one link that ends may have come for, without them. Their frames follow
/// each other, so that more than one is remarkable; a peer that goes on is found out.
const WAITING_MAX: usize = 1024;

/// An end that has come and that nobody uses yet.
#[derive(Debug)]
pub(crate) enum Received {
    /// From another actor.
    Held(Held),
    /// From this very actor.
    Home(HomeEnd),
}

/// An end that has come from another actor; dropped, it is lost, which its other end is told.
pub(crate) struct Held {
    dialog: Option<Arc<Dialog>>,
    side: Side,
}

/// What one end is in an `Ends` frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announced {
    /// The id of its dialog, of the numbers of who sends it.
    pub(super) dialog: u64,
    pub(super) is_sender: bool,
    /// Of a sender: whether the reader has to be found first, which will give it credit.
    pub(super) waits: bool,
}

/// The ends that have come over one link, by the call or answer that they belong to.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Whether there are any, to be asked without the lock.
    some: AtomicBool,
    by_call: Mutex<HashMap<u64, Vec<Received>>>,
}

impl Received {
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Held(held) => held.side,
            Self::Home(end) => end.side(),
        }
    }

    /// Gives it to whoever uses it.
    pub(super) fn into_way(self) -> Way {
        match self {
            Self::Held(held) => Way::Dialog(held.into_dialog()),
            Self::Home(end) => Way::Home(end),
        }
    }
}

impl Held {
    pub(super) fn new(dialog: Arc<Dialog>, side: Side) -> Self {
        let dialog = Some(dialog);
        Self { dialog, side }
    }

    fn into_dialog(mut self) -> Arc<Dialog> {
        self.dialog.take().expect("it is taken only here")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(dialog) = self.dialog.take() else {
            return;
        };
        match self.side {
            Side::Sender => dialog.abandon(&lost()),
            Side::Reader => {
                if dialog.inbound.stop() {
                    dialog.send(Kind::Credit, &[]);
                }
            }
        }
    }
}

/// What is told of an end that nobody has received.
pub(super) fn lost() -> Error {
    local_error(Ending::Refused(Refusal::EndLost), None)
}

impl Arrivals {
    /// The ends that came for this call or answer.
    pub(crate) fn take(&self, call: u64) -> Vec<Received> {
        if !self.some.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut by_call = self.lock();
        let ends = by_call.remove(&call);
        self.some.store(!by_call.is_empty(), Ordering::Release);
        ends.unwrap_or_default()
    }

    /// Nothing will come any more.
    pub(crate) fn clear(&self) {
        let ends = std::mem::take(&mut *self.lock());
        drop(ends);
    }

    fn insert(&self, call: u64, ends: Vec<Received>) -> Result<(), &'static str> {
        let mut by_call = self.lock();
        if by_call.len() >= WAITING_MAX || by_call.contains_key(&call) {
            drop(by_call);
            drop(ends);
            return Err("ends of streams come for calls that do not");
        }
        by_call.insert(call, ends);
        self.some.store(true, Ordering::Release);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Received>>> {
        self.by_call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends have come for a call, or for the answer to one of ours.
pub(crate) fn announced(link: &Arc<Link>, call: u64, payload: &[u8]) -> Result<(), &'static str> {
    let announced: Vec<Announced> =
        codec::decode(payload).map_err(|_| "what ends come with a call cannot be understood")?;
    let mut ends = Vec::with_capacity(announced.len());
    for Announced {
        dialog: id,
        is_sender,
        waits,
    } in announced
    {
        if id & FROM_CALLEE != 0 || link.dialogs().contains_key(&id) {
            return Err("the id of a stream is in use");
        }
        let outbound = match waits {
            true => Outbound::without_credit(),
            false => Outbound::new(),
        };
        let tie = Tie::new(link.hold());
        let dialog = Dialog::of_ends(link, (id | FROM_CALLEE, id), outbound, tie);
        let side = match is_sender {
            true => Side::Sender,
            false => Side::Reader,
        };
        ends.push(Received::Held(Held::new(dialog, side)));
    }
    let is_answer = call & FROM_CALLEE != 0;
    if is_answer && !link.calls().contains(call & !FROM_CALLEE) {
        // Nobody waits for the answer: its call was cancelled.
        drop(ends);
        return Ok(());
    }
    link.arrivals.insert(call, ends)
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.side, self.dialog)
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arrivals").field(&self.lock()).finish()
    }
}
