//! [`Conversation`]: the caller's end of a call with a dialog, from its request to its outcome.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tractor_ipc::{ActorId, Kind};

use super::Request;
use crate::actor::{current_actor, misused};
use crate::calls::{Reply, Slot, What};
use crate::dialog::Dialog;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::exports::Export;
use crate::io::gather;
use crate::peers::Hold;
use crate::portal::{CANCEL_WITHIN, Portal};
use crate::run::send_start;
use crate::scope::{self, Bound, CancelReason, CancelScope};
use crate::stream::inbound::Ended;
use crate::stream::transit;
use crate::timer::{self, Timer};

/// A call with a dialog, at the caller's end. Dropped before its outcome is there, it cancels the
/// function.
pub(crate) struct Conversation {
    id: u64,
    hold: Arc<Hold>,
    pub(crate) dialog: Arc<Dialog>,
    outcome: Arc<Outcome>,
    /// Gives it up when it does not end although it was cancelled.
    patience: Mutex<Option<Timer>>,
}

/// How the call ended, once it has.
pub(crate) struct Outcome {
    export: &'static Export,
    callee: ActorId,
    /// Cancelled if the call ends badly.
    block: CancelScope,
    /// The deadline that was given with the call.
    bound: Option<Bound>,
    cancel_called: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The encoded result, or what happened.
    result: Option<Result<Vec<u8>, Error>>,
    /// It was cancelled from here before it ended.
    asked_to_cancel: bool,
    wakers: Vec<Waker>,
}

impl Conversation {
    /// Sends the request to the actor of `portal`. If the call ends badly, `block` is cancelled.
    pub(crate) async fn begin(
        portal: &Portal,
        request: Request,
        block: CancelScope,
    ) -> Result<Self, Error> {
        let Some(hold) = portal.reach().await? else {
            return Err(misused(Misuse::OwnActor).in_call(request.export.path()));
        };
        let Request {
            export,
            args,
            leaving,
        } = request;
        let id = hold.link.next_id();
        let dialog = Dialog::of_caller(&hold.link, id);
        let outcome = Arc::new(Outcome {
            export,
            callee: portal.aid().clone(),
            block,
            bound: scope::bound(),
            cancel_called: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let (told, heard) = (outcome.clone(), dialog.clone());
        let slot = Slot::with_callback(What::Export(export), move |reply| {
            told.arrived(reply, &heard);
        });
        let encode = |out: &mut Vec<u8>| {
            out.extend_from_slice(&args?);
            transit::pack_again(leaving);
            Ok(())
        };
        let bound = outcome.bound.as_ref();
        send_start((&hold.link, id), export, encode, slot, bound)?;
        Ok(Self {
            id,
            hold,
            dialog,
            outcome,
            patience: Mutex::new(None),
        })
    }

    pub(crate) fn outcome(&self) -> &Arc<Outcome> {
        &self.outcome
    }

    /// Waits for the function's first value.
    pub(crate) async fn first(&self) -> Result<Vec<u8>, Error> {
        poll_fn(|cx| {
            if let Poll::Ready(first) = self.dialog.poll_first(cx.waker()) {
                return Poll::Ready(Ok(first));
            }
            let result = std::task::ready!(self.outcome.poll(cx.waker()));
            // Both may have come between the two questions.
            if let Poll::Ready(first) = self.dialog.poll_first(cx.waker()) {
                return Poll::Ready(Ok(first));
            }
            let not_started = |_| misused(Misuse::NotStarted);
            Poll::Ready(Err(result.map_or_else(|error| error, not_started)))
        })
        .await
    }

    /// Asks for the function to be cancelled, once. If it does not end in [`CANCEL_WITHIN`], it is
    /// given up.
    pub(crate) fn cancel(&self) {
        if !self.outcome.ask_to_cancel() {
            return;
        }
        self.send_cancel();
        let Some(at) = Instant::now().checked_add(CANCEL_WITHIN) else {
            return;
        };
        let (outcome, dialog) = (self.outcome.clone(), self.dialog.clone());
        let timer = timer::schedule(at, move || outcome.give_up(CANCEL_WITHIN, &dialog));
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    }

    fn send_cancel(&self) {
        let link = &self.hold.link;
        if !link.is_closed() {
            // A cancel has no payload that could be too long. It goes out behind the start.
            let _ = link.send(Kind::Cancel, self.id, &[]);
            gather::flush_planned(link);
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let is_running = self.hold.link.leave_call(self.id).is_some();
        if is_running && !self.outcome.is_cancel_called() {
            self.send_cancel();
        }
        // Ends that the user still holds are of no use any more.
        self.dialog.end(&Ended::Well, None);
    }
}

impl Outcome {
    fn arrived(&self, reply: Reply, dialog: &Dialog) {
        self.set(
            match reply {
                Reply::Returned(bytes) | Reply::ReturnedWith(bytes, _) => Ok(bytes),
                Reply::Failed(bytes) => {
                    let error =
                        Error::answered(&self.callee, self.export, &bytes, self.bound.as_ref());
                    Err(error.unwrap_or_else(|error| {
                        self.error(Ending::Refused(Refusal::BadResult(error.to_string())))
                    }))
                }
                Reply::Lost(error) => Err(error.in_call(self.export.path())),
            },
            dialog,
        );
    }

    fn give_up(&self, after: Duration, dialog: &Dialog) {
        let reason = format!("the function was cancelled and has not ended within {after:?}");
        self.set(Err(self.error(Ending::LinkLost { reason })), dialog);
    }

    fn error(&self, ending: Ending) -> Error {
        Error::new(self.callee.clone(), ending).in_call(self.export.path())
    }

    /// The first outcome counts.
    fn set(&self, result: Result<Vec<u8>, Error>, dialog: &Dialog) {
        let error = result.as_ref().err().cloned();
        let wakers = {
            let mut state = self.lock();
            if state.result.is_some() {
                return;
            }
            state.result = Some(result);
            std::mem::take(&mut state.wakers)
        };
        // What is asked from now on does not change whether it is wanted.
        let bad = error.filter(|error| !self.is_wanted(error));
        match &bad {
            Some(error) => {
                dialog.end(&Ended::Badly(error.clone()), Some(error));
                let (reason, by) = match error.ending() {
                    // Whoever cancelled the function has cancelled the block.
                    Ending::Cancelled { by, reason } => (*reason, by.clone()),
                    _ => (CancelReason::Sibling, Some(error.origin().clone())),
                };
                self.block.cancel_with(reason, by);
            }
            None => dialog.end(&Ended::Well, None),
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether an error is the effect of a cancel that this side has asked for. The function may
    /// have heard first that its stream is not read any more.
    pub(crate) fn is_wanted(&self, error: &Error) -> bool {
        let is_effect = is_cancelled_here(error) || is_of_stopped_stream(error);
        is_effect && self.lock().asked_to_cancel
    }

    /// Notes that this side wants it cancelled; tells whether that is new, and not too late.
    fn ask_to_cancel(&self) -> bool {
        let was_called = self.cancel_called.swap(true, Ordering::AcqRel);
        let mut state = self.lock();
        state.asked_to_cancel |= state.result.is_none();
        !was_called && state.result.is_none()
    }

    pub(crate) fn is_cancel_called(&self) -> bool {
        self.cancel_called.load(Ordering::Acquire)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().result.is_some()
    }

    /// Who was called.
    pub(crate) fn callee(&self) -> &ActorId {
        &self.callee
    }

    /// The function.
    pub(crate) fn export(&self) -> &'static Export {
        self.export
    }

    /// How the call ended, or has `waker` woken when it has.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<Vec<u8>, Error>> {
        let mut state = self.lock();
        match &state.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                if !state.wakers.iter().any(|old| old.will_wake(waker)) {
                    state.wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    /// Waits until the call has ended.
    pub(crate) async fn wait(&self) -> Result<Vec<u8>, Error> {
        poll_fn(|cx| self.poll(cx.waker())).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error is the effect of a cancel that this actor has begun.
pub(super) fn is_cancelled_here(error: &Error) -> bool {
    let me = current_actor().ok().map(|actor| actor.aid());
    matches!(error.ending(), Ending::Cancelled { by: Some(by), .. } if Some(by) == me)
}

/// Whether an error says that nobody reads a stream any more.
pub(super) fn is_of_stopped_stream(error: &Error) -> bool {
    matches!(error.ending(), Ending::Refused(Refusal::StreamStopped))
}
