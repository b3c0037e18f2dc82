//! [`Outbound`]: what the sender of a stream may do, as it and the link's reader share it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::credit::{Draw, SendCredit};
use crate::actor;
use crate::ending::{Ending, Refusal};
use crate::error::Error;

/// The sending half of a stream.
pub(crate) struct Outbound {
    /// Whether anything sent would be in vain, to be asked without the lock.
    shut: AtomicBool,
    state: Mutex<State>,
}

struct State {
    credit: SendCredit,
    /// What happened to the receiver; without it, it just reads no more.
    why: Option<Error>,
    waker: Option<Waker>,
}

/// Nothing can be sent any more.
#[derive(Debug)]
pub(crate) struct Shut {
    /// What happened to the receiver, if it did not just stop reading.
    pub(crate) why: Option<Error>,
}

impl Shut {
    /// What whoever sends is told.
    pub(crate) fn into_error(self) -> Error {
        let stopped = || actor::local_error(Ending::Refused(Refusal::StreamStopped), None);
        self.why.unwrap_or_else(stopped)
    }
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Self::with(SendCredit::new())
    }

    /// Of a sender that has no credit before the reader gives it some.
    pub(crate) fn without_credit() -> Self {
        Self::with(SendCredit::none())
    }

    fn with(credit: SendCredit) -> Self {
        Self {
            shut: AtomicBool::new(false),
            state: Mutex::new(State {
                credit,
                why: None,
                waker: None,
            }),
        }
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Draws credit, or has `waker` woken when there is some; see [`SendCredit::draw`].
    pub(crate) fn poll_draw(&self, balance: i64, waker: &Waker) -> Poll<Result<i64, Shut>> {
        let mut state = self.lock();
        match state.credit.draw(balance) {
            Draw::Granted(credit) => Poll::Ready(Ok(credit)),
            Draw::Refused => {
                let why = state.why.clone();
                Poll::Ready(Err(Shut { why }))
            }
            Draw::Wait => {
                let old = state.waker.replace(waker.clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// Draws credit when there is some.
    pub(crate) async fn drawn(&self) -> Result<i64, Shut> {
        poll_fn(|cx| self.poll_draw(0, cx.waker())).await
    }

    /// Why nothing can be sent any more.
    pub(crate) fn shut(&self) -> Shut {
        let why = self.lock().why.clone();
        Shut { why }
    }

    /// The receiver takes so much more. Tells whether a sender was woken.
    pub(crate) fn grant(&self, more: i64) -> bool {
        let mut state = self.lock();
        let waker = state
            .credit
            .grant(more)
            .then(|| state.waker.take())
            .flatten();
        wake(state, waker)
    }

    /// The receiver reads no more, because of `why` if that is something to tell. Tells whether a
    /// sender was woken.
    pub(crate) fn stop(&self, why: Option<Error>) -> bool {
        let mut state = self.lock();
        if !state.credit.stop() {
            return false;
        }
        state.why = why;
        self.shut.store(true, Ordering::Release);
        let waker = state.waker.take();
        wake(state, waker)
    }

    /// The sender has sent its last item. Tells whether the receiver has to hear of it.
    pub(crate) fn finish(&self) -> bool {
        let is_news = self.lock().credit.finish();
        self.shut.store(true, Ordering::Release);
        is_news
    }

    /// Pays for items that were sent without drawing.
    pub(crate) fn spend(&self, cost: i64) {
        self.lock().credit.spend(cost);
    }

    /// Has the sender look why it is interrupted, before it sends anything more: it appears shut.
    pub(crate) fn interrupt(&self) -> bool {
        let mut state = self.lock();
        self.shut.store(true, Ordering::Release);
        let waker = state.waker.take();
        wake(state, waker)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(state: MutexGuard<'_, State>, waker: Option<Waker>) -> bool {
    drop(state);
    let woke = waker.is_some();
    waker.into_iter().for_each(Waker::wake);
    woke
}

#[cfg(test)]
mod tests {
    use super::super::credit::WINDOW;
    use super::*;

    #[test]
    fn credit_is_drawn_whole_and_waited_for() {
        let outbound = Outbound::new();
        let waker = Waker::noop();
        assert!(matches!(
            outbound.poll_draw(0, waker),
            Poll::Ready(Ok(WINDOW))
        ));
        assert!(outbound.poll_draw(-10, waker).is_pending());
        assert!(!outbound.grant(10), "that only settles the debt");
        assert!(outbound.grant(5));
        assert!(!outbound.grant(5), "nobody waits");
        assert!(matches!(outbound.poll_draw(0, waker), Poll::Ready(Ok(10))));
    }

    #[test]
    fn a_waiting_sender_hears_that_nobody_reads() {
        let outbound = Outbound::new();
        assert!(!outbound.is_shut());
        let _ = outbound.poll_draw(-WINDOW, Waker::noop());
        assert!(outbound.stop(None));
        assert!(outbound.is_shut());
        assert!(matches!(
            outbound.poll_draw(0, Waker::noop()),
            Poll::Ready(Err(Shut { why: None }))
        ));
        assert!(!outbound.finish(), "the receiver does not care");
    }
}
