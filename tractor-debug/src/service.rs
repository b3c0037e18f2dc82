//! [`DebugService`]: what every actor does for the debugger, whether it is debugged or not: it
//! counts who below it wants the terminal, and passes that on.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tractor_core::current_actor;
use tractor_core::io::link::Link;
use tractor_core::services::{self, Responder, Service, ServiceId};
use tractor_core::{Ending, Refusal};
use tractor_ipc::{ActorId, codec};

use crate::desk::Desk;
use crate::holds::Holds;
use crate::lock::Event;
use crate::message::{Ask, Report};

/// Told how many requests there are below a child whenever that changes.
type OnHold = Box<dyn Fn(&ActorId, u32) + Send + Sync>;

/// What every actor does for the debugger.
pub struct DebugService {
    holds: Mutex<Holds>,
    /// Woken when there are holds and were none, or the other way round.
    wakers: Mutex<Vec<Waker>>,
    on_hold: OnHold,
    /// In the root only.
    desk: Option<Arc<Desk>>,
}

impl DebugService {
    /// Makes that of an actor. `on_hold` is told how many requests there are below a child whenever
    /// that changes, on a runtime thread; while it is not zero the child must not be killed for the
    /// passing of time.
    pub fn new(
        on_hold: impl Fn(&ActorId, u32) + Send + Sync + 'static,
        desk: Option<Arc<Desk>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            holds: Mutex::default(),
            wakers: Mutex::default(),
            on_hold: Box::new(on_hold),
            desk,
        })
    }

    /// The link to a child is gone: what came up through it is taken back on its behalf.
    pub fn child_lost(&self, child: &ActorId) {
        let lost = self.holds().lost(child);
        self.wake();
        for request in lost {
            report(&Report::Release(request));
        }
    }

    /// Waits until somebody here or below is at a prompt or waits for one, or until nobody is.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    pub async fn until_held(&self, held: bool) {
        poll_fn(|cx| {
            // Entered first: a change after the look finds it.
            self.wakers().push(cx.waker().clone());
            if self.holds().is_empty() == held {
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut *self.wakers());
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wakers(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        // Its changes are single calls of collections.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, child: Option<&ActorId>, report: Report) {
        let (Report::Hold(request) | Report::Release(request)) = &report;
        let through = child.unwrap_or(&request.actor);
        let count = match &report {
            Report::Hold(request) => Some(self.holds().hold(through, request.clone())),
            Report::Release(request) => self.holds().release(through, request),
        };
        self.wake();
        if let (Some(child), Some(count)) = (child, count) {
            (self.on_hold)(child, count);
        }
        let Some(desk) = &self.desk else { return };
        match report {
            Report::Hold(request) => desk.tell(Event::HoldArrived(request)),
            Report::Release(request) => desk.released(request),
        }
    }
}

impl Service for DebugService {
    fn request(&self, payload: &[u8], responder: Responder) {
        match (services::decode::<Ask>(payload), &self.desk) {
            (Ok(ask), Some(desk)) => desk.asked(ask, responder),
            (Ok(_), None) => {
                responder.fail(Ending::Refused(Refusal::UnknownExport));
            }
            (Err(reason), _) => responder.fail(Ending::Refused(Refusal::BadArguments(reason))),
        }
    }

    fn report(&self, from: Option<&Arc<Link>>, payload: &[u8]) -> Result<(), String> {
        let report = services::decode(payload)?;
        self.heard(from.and_then(|link| link.peer()), report);
        Ok(())
    }
}

impl std::fmt::Debug for DebugService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugService")
            .field("holds", &*self.holds())
            .finish_non_exhaustive()
    }
}

/// Tells this actor and all above it.
pub(crate) fn report(report: &Report) {
    if let Ok(actor) = current_actor() {
        let payload = codec::encode(report).expect("names and numbers always encode");
        actor.report(ServiceId::DEBUG, &payload);
    }
}
