//! [`Offer`] and the task of a keeper: the code that opens, serves and closes one resource.
//!
//! It is a task of the actor and not of the user who began it, because others may need the
//! resource longer. The actor does not end, within its time, before all keepers have.

use std::any::type_name;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::slot::Slot;
use super::state::Generation;
use crate::actor::{current_actor, local_error};
use crate::ending::{Ending, UserError};
use crate::error::Error;
use crate::exports::BoxedError;
use crate::io::gather;
use crate::panics;
use crate::rt;
use crate::scope::{CancelReason, CancelScope, Cancelled, Registration, caught};

/// The right to offer one resource to those who want it; see [`maybe_open_context`].
///
/// [`maybe_open_context`]: super::maybe_open_context
pub struct Offer<R> {
    slot: Arc<Slot<R>>,
    generation: Generation,
}

impl<R> Offer<R> {
    /// Lets users use `resource`, and gives it back, to be closed, when the last of them has
    /// left. Whoever comes from then on waits until the keeper has ended.
    ///
    /// It is a part of the keeper: after that has ended it is never ready.
    ///
    /// # Cancellation
    ///
    /// Dropping it, as a `select!` with the resource's own end does, says that the resource is
    /// not to be used any longer: nobody enters any more, who is in keeps its reference, and
    /// hears when it leaves how the keeper ended.
    ///
    /// # Panics
    ///
    /// When it is polled again after it was ready.
    pub async fn serve(self, resource: R) -> R {
        let Self { slot, generation } = self;
        let refused = slot.offer(generation, Arc::new(resource));
        let serving = Serving { slot, generation };
        let resource = match refused {
            Some(resource) => resource,
            None => poll_fn(|cx| serving.slot.poll_release(generation, cx.waker())).await,
        };
        Arc::into_inner(resource).expect("users drop it before they count as having left")
    }
}

impl<R> fmt::Debug for Offer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Offer").field(&type_name::<R>()).finish()
    }
}

/// Says that the resource is not served any longer, if that is news.
struct Serving<R> {
    slot: Arc<Slot<R>>,
    generation: Generation,
}

impl<R> Drop for Serving<R> {
    fn drop(&mut self) {
        self.slot.withdraw(self.generation);
    }
}

/// A keeper has returned without offering anything.
#[derive(Debug, thiserror::Error)]
#[error("it ended without offering the resource")]
pub(super) struct NotOffered;

/// Begins the keeper that `open` makes, as a task of its own.
pub(super) fn begin<R, M, F>(slot: &Arc<Slot<R>>, generation: Generation, open: M)
where
    R: Send + Sync + 'static,
    M: FnOnce(Offer<R>) -> F,
    F: Future<Output = Result<(), BoxedError>> + Send + 'static,
{
    let slot = slot.clone();
    let offer = Offer {
        slot: slot.clone(),
        generation,
    };
    match panics::catch(|| open(offer)) {
        Ok(keeper) => {
            let counted = Counted::new();
            rt::spawn(async move {
                let result = keep(&slot, generation, keeper).await;
                slot.end(generation, result);
                drop(counted);
            });
        }
        Err(panicked) => slot.end(generation, Err(error::<R>(panicked))),
    }
}

/// Polls a keeper to its end, or until nobody waits for its opening.
async fn keep<R, F>(slot: &Slot<R>, generation: Generation, keeper: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), BoxedError>> + Send,
{
    let scope = CancelScope::new();
    let _time = time_of_the_actor(&scope);
    let mut running = Box::pin(scope.run(keeper));
    let ended = poll_fn(|cx| {
        // Asked here, between two polls, because an opening that has just succeeded must not be
        // cancelled: it is being closed now.
        if slot.is_abandoned(generation, cx.waker()) {
            scope.cancel_with(CancelReason::Dropped, None);
        }
        match panics::catch(|| gather::during(|| running.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    })
    .await;
    // What is left of it after a panic is destroyed before anybody opens the resource anew.
    caught("a destructor of a resource's keeper", || drop(running));
    match ended {
        Ok(Ok(result)) => result.map_err(returned::<R>),
        Ok(Err(cancelled)) => Err(error::<R>(ending_of(cancelled))),
        Err(panicked) => Err(error::<R>(panicked)),
    }
}

/// Has a keeper end, at the latest, when the time is over that a cancelled actor is given.
fn time_of_the_actor(scope: &CancelScope) -> Option<Registration> {
    let actor = current_actor().ok()?;
    let scope = scope.clone();
    Some(actor.scope().on_cancel(move || {
        let remaining = actor.cancel_remaining();
        if let Some(at) = remaining.and_then(|left| Instant::now().checked_add(left)) {
            scope.set_deadline(Some(at));
        }
    }))
}

/// The error that a keeper has returned. One of another call is passed on as it is.
pub(super) fn returned<R>(returned: BoxedError) -> Error {
    match returned.downcast::<Error>() {
        Ok(error) => *error,
        Err(returned) => {
            let described = UserError::describe("its keeper", &*returned);
            error::<R>(Ending::Failed(Box::new(described))).holding(returned)
        }
    }
}

/// The report of a keeper that ended in this way.
fn error<R>(ending: Ending) -> Error {
    local_error(ending, None).in_call(format!("the resource {}", type_name::<R>()))
}

pub(super) fn ending_of(cancelled: Cancelled) -> Ending {
    let cancellation = cancelled.into_cancellation();
    Ending::Cancelled {
        by: cancellation.by,
        reason: cancellation.reason,
    }
}

static KEEPERS: Mutex<Keepers> = Mutex::new(Keepers {
    running: 0,
    wakers: Vec::new(),
});

/// The keepers of this process, for the actor that waits for them.
struct Keepers {
    running: usize,
    wakers: Vec<Waker>,
}

/// Counts as a keeper until it is dropped.
struct Counted;

impl Counted {
    fn new() -> Self {
        keepers().running += 1;
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let wakers = {
            let mut keepers = keepers();
            keepers.running -= 1;
            if keepers.running > 0 {
                return;
            }
            std::mem::take(&mut keepers.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Waits until no keeper runs in this process.
pub(crate) async fn keepers_ended() {
    poll_fn(|cx| {
        let waker = cx.waker().clone();
        let mut keepers = keepers();
        if keepers.running == 0 {
            return Poll::Ready(());
        }
        keepers.wakers.push(waker);
        Poll::Pending
    })
    .await;
}

fn keepers() -> MutexGuard<'static, Keepers> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}
