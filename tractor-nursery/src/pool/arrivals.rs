//! [`Arrivals`]: where the answers to a map's calls are left, on whatever thread they come.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tractor_core::{Ending, Error, Refusal};

use super::window::ItemId;
use crate::child::Child;

/// Where the answers to the calls of a map arrive, whether or not it is polled.
#[derive(Default)]
pub(super) struct Arrivals {
    state: Mutex<ArrivalsState>,
}

#[derive(Default)]
struct ArrivalsState {
    arrived: Vec<Arrival>,
    waker: Option<Waker>,
}

/// The answer to the call of an item.
pub(super) struct Arrival {
    pub(super) item: ItemId,
    pub(super) answer: Answer,
}

/// How a call came out.
pub(super) enum Answer {
    /// It was lost with its worker, which ends or has ended.
    Lost(Error),
    /// The worker answered it, with a result or a failure.
    Result(Result<Vec<u8>, Error>),
}

impl Answer {
    pub(super) fn of(answer: Result<Vec<u8>, Error>, child: &Child) -> Self {
        match answer {
            Err(error) if is_of_end(&error, child) => Self::Lost(error),
            answer => Self::Result(answer),
        }
    }
}

/// Whether a call failed because its worker ends or has ended. One that is refused for that may
/// have been begun: a function that goes on in an actor which closes is refused things as well.
fn is_of_end(error: &Error, child: &Child) -> bool {
    let is_closing = matches!(error.ending(), Ending::Refused(Refusal::Closing));
    child.has_ended()
        || error.is_of_cancel() && child.was_cancelled()
        || is_closing && error.origin() == &child.aid
}

impl Arrivals {
    /// Adds to them, and gives who is to be woken for that.
    pub(super) fn add(&self, arrival: Arrival) -> Option<Waker> {
        let mut state = self.lock();
        state.arrived.push(arrival);
        state.waker.take()
    }

    /// What has arrived. `waker` is woken when there is more, or when there may be room.
    pub(super) fn take_or_wait(&self, waker: &Waker) -> Vec<Arrival> {
        let mut state = self.lock();
        let before = state.waker.replace(waker.clone());
        let arrived = std::mem::take(&mut state.arrived);
        drop(state);
        drop(before);
        arrived
    }

    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.lock().waker.take()
    }

    fn lock(&self) -> MutexGuard<'_, ArrivalsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
