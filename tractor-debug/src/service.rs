//! [`DebugService`]: what every actor does for the debugger, whether it is debugged or not: it
//! counts who at or below it wants the terminal, and passes that on.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tractor_core::io::link::Link;
use tractor_core::services::{self, Responder, Service, ServiceId};
use tractor_core::{Ending, Error, Refusal, current_actor, journal};
use tractor_ipc::{ActorId, codec};

use crate::desk::Desk;
use crate::fatal::{Fatal, Stricken};
use crate::hand_over::Stack;
use crate::holds::Holds;
use crate::lock::Event;
use crate::message::{Ask, Report};
use crate::planted::planted;
use crate::scene::{Scene, Why};
use crate::session::{Party, converse_for, spawn};

/// Told how many requests there are below a child whenever that changes.
type OnHold = Box<dyn Fn(&ActorId, u32) + Send + Sync>;

/// What every actor does for the debugger.
pub struct DebugService {
    holds: Mutex<Holds>,
    /// Who waits for a change of these.
    watching: Mutex<Vec<Waker>>,
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
            watching: Mutex::default(),
            on_hold: Box::new(on_hold),
            desk,
        })
    }

    /// The link to a child is gone: what came up through it is taken back on its behalf.
    pub fn child_lost(&self, child: &ActorId) {
        let lost = self.holds().lost(child);
        self.wake();
        if planted!(LossReleasesNothing) {
            return;
        }
        for request in lost {
            Voice::Here.report(&Report::Release(request));
        }
    }

    /// A child of this actor has got a fatal signal, of which it will die with this error: opens a
    /// prompt for it, in its turn, and lets it go on to its end when that is over. Returns at once.
    pub fn serve_fatal(self: &Arc<Self>, child: &ActorId, error: Error, fatal: Fatal) {
        let voice = Voice::Child(self.clone(), child.clone());
        let party = Party::for_child(voice, Stricken(fatal), Stack::Parked(fatal.thread));
        let scene = Scene {
            actor: child.clone(),
            pid: fatal.pid,
            task: None,
            why: Why::Crash,
            place: None,
            captures: Vec::new(),
            error: Some(error),
            backtrace: None,
        };
        let prompt = spawn(move || {
            converse_for(party, scene);
            fatal.release();
        });
        if let Err(error) = prompt {
            log::error!("no prompt for a fatal signal: {error}");
            fatal.release();
        }
    }

    /// Waits until somebody at or below this actor has the terminal or waits for it; with `false`,
    /// until nobody does.
    pub async fn until_held(&self, held: bool) {
        poll_fn(|cx| {
            // Before the question, so that no change comes between.
            let mut watching = self.watching();
            if !watching.iter().any(|waker| waker.will_wake(cx.waker())) {
                watching.push(cx.waker().clone());
            }
            drop(watching);
            match self.holds().is_empty() != held {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn watching(&self) -> MutexGuard<'_, Vec<Waker>> {
        // As below.
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        // Its changes are single calls of collections.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A child's count changes.
    fn count(&self, child: &ActorId, report: &Report) {
        let count = match report {
            Report::Hold(request) => Some(self.holds().hold(child, request.clone())),
            Report::Release(request) => self.holds().release(child, request),
        };
        let Some(count) = count else { return };
        journal::event(format_args!("{report:?} through {child:?}: {count} there"));
        if !planted!(LadderForgetsWaiters) {
            (self.on_hold)(child, count);
        }
    }

    fn wake(&self) {
        let watching = std::mem::take(&mut *self.watching());
        watching.into_iter().for_each(Waker::wake);
    }

    fn heard(&self, child: Option<&ActorId>, report: Report) {
        match child {
            Some(child) => self.count(child, &report),
            None => match &report {
                Report::Hold(request) => self.holds().hold_own(request.clone()),
                Report::Release(request) => self.holds().release_own(request),
            },
        }
        self.wake();
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

/// Who reports.
pub(crate) enum Voice {
    /// This actor.
    Here,
    /// A child of it, which cannot do so itself any more.
    Child(Arc<DebugService>, ActorId),
}

impl Voice {
    /// Tells this actor and all above it.
    pub(crate) fn report(&self, report: &Report) {
        let Ok(actor) = current_actor() else { return };
        let payload = codec::encode(report).expect("names and numbers always encode");
        match self {
            Self::Here => actor.report(ServiceId::DEBUG, &payload),
            Self::Child(service, child) => {
                service.heard(Some(child), report.clone());
                actor.pass_up(ServiceId::DEBUG, &payload);
            }
        }
    }
}
