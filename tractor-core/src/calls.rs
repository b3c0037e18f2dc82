//! [`CallTable`]: the calls over one link that await an answer.
//!
//! A plain table: it knows neither links nor frames. [`Slot`] is where the answer to one call is
//! left for whoever waits for it.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::error::Error;
use crate::exports::Export;
use crate::stream::arrivals::Received;

/// How a call came out, as it arrived.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The encoded result.
    Returned(Vec<u8>),
    /// The same, with ends of streams in it.
    ReturnedWith(Vec<u8>, Vec<Received>),
    /// The encoded [`Error`].
    Failed(Vec<u8>),
    /// No answer will come.
    Lost(Error),
}

/// Where one call's answer goes. It is filled once.
pub(crate) struct Slot {
    /// What was called, for the report when the callee dies.
    what: What,
    /// Whether the answer is there, to be asked without the lock.
    filled: AtomicBool,
    state: Mutex<SlotState>,
}

/// What is called over a link.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A user's function.
    Export(&'static Export),
    /// A service of the runtime.
    Service(&'static str),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Export(export) => f.write_str(&export.path()),
            Self::Service(name) => f.write_str(name),
        }
    }
}

enum SlotState {
    /// Nobody has asked yet, or this is to be woken.
    Waiting(Option<Waker>),
    /// Nobody will ask: this is to be told.
    Callback(Box<dyn FnOnce(Reply) + Send>),
    Filled(Reply),
    Taken,
}

impl Slot {
    /// A slot that is asked for its answer.
    pub(crate) fn new(what: What) -> Arc<Self> {
        Self::with(what, SlotState::Waiting(None))
    }

    /// A slot whose answer is handed to `f`, on whatever thread it arrives: `f` is short and
    /// runs no user code.
    pub(crate) fn with_callback(what: What, f: impl FnOnce(Reply) + Send + 'static) -> Arc<Self> {
        Self::with(what, SlotState::Callback(Box::new(f)))
    }

    fn with(what: What, state: SlotState) -> Arc<Self> {
        Arc::new(Self {
            what,
            filled: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// What was called.
    pub(crate) fn what(&self) -> What {
        self.what
    }

    /// Whether the answer is there or was.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Takes the answer, or has `waker` woken when it is there.
    pub(crate) fn take_or_wait(&self, waker: &Waker) -> Option<Reply> {
        let mut state = self.lock();
        match &mut *state {
            SlotState::Waiting(Some(old)) if old.will_wake(waker) => None,
            SlotState::Waiting(old) => {
                *old = Some(waker.clone());
                None
            }
            SlotState::Filled(_) => match mem::replace(&mut *state, SlotState::Taken) {
                SlotState::Filled(reply) => Some(reply),
                _ => None,
            },
            SlotState::Callback(_) | SlotState::Taken => None,
        }
    }

    /// Takes the answer if it is there.
    pub(crate) fn try_take(&self) -> Option<Reply> {
        self.is_filled()
            .then(|| self.take_or_wait(Waker::noop()))
            .flatten()
    }

    /// Leaves the answer, and tells whether somebody was woken.
    pub(crate) fn fill(&self, reply: Reply) -> bool {
        let mut state = self.lock();
        match mem::replace(&mut *state, SlotState::Taken) {
            SlotState::Waiting(waker) => {
                *state = SlotState::Filled(reply);
                self.filled.store(true, Ordering::Release);
                drop(state);
                let woken = waker.is_some();
                waker.into_iter().for_each(Waker::wake);
                woken
            }
            SlotState::Callback(f) => {
                self.filled.store(true, Ordering::Release);
                drop(state);
                f(reply);
                false
            }
            first @ (SlotState::Filled(_) | SlotState::Taken) => {
                *state = first;
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

/// The calls over one link that await an answer, by call id.
#[derive(Debug, Default)]
pub(crate) struct CallTable {
    waiting: HashMap<u64, Arc<Slot>>,
    /// Set once the link can answer no more.
    lost: Option<Error>,
}

impl CallTable {
    /// Enters a call.
    ///
    /// # Errors
    ///
    /// The failure that the call shares with all others of a lost link.
    pub(crate) fn insert(&mut self, id: u64, slot: Arc<Slot>) -> Result<(), Error> {
        match &self.lost {
            Some(error) => Err(error.clone()),
            None => {
                self.waiting.insert(id, slot);
                Ok(())
            }
        }
    }

    /// Takes a call out: it is answered, or nobody waits for it any more.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Arc<Slot>> {
        self.waiting.remove(&id)
    }

    /// What is waited for, the longest wait first.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        let mut calls: Vec<_> = self
            .waiting
            .iter()
            .map(|(id, slot)| (id, slot.what))
            .collect();
        calls.sort_unstable_by_key(|(id, _)| **id);
        calls
            .into_iter()
            .map(|(_, what)| what.to_string())
            .collect()
    }

    /// Whether somebody waits for the answer.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Why no answer comes any more, once that is known.
    pub(crate) fn lost(&self) -> Option<&Error> {
        self.lost.as_ref()
    }

    /// No answer will come, to these calls nor to later ones. The first failure stays.
    pub(crate) fn lose(&mut self, error: Error) -> Vec<(u64, Arc<Slot>)> {
        self.lost.get_or_insert(error);
        self.waiting.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use tractor_ipc::ActorId;

    use super::*;
    use crate::ending::Ending;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost() -> Error {
        Error::new(
            ActorId::new("a", 1),
            Ending::LinkLost {
                reason: "gone".into(),
            },
        )
    }

    #[test]
    fn an_answer_wakes_its_waiter_once_and_is_taken_once() {
        let (slot, count) = (
            Slot::new(What::Service("f")),
            Arc::new(Count(AtomicUsize::new(0))),
        );
        let waker = Waker::from(count.clone());
        assert!(slot.take_or_wait(&waker).is_none());
        assert!(slot.fill(Reply::Returned(vec![1])));
        assert!(
            !slot.fill(Reply::Returned(vec![2])),
            "the first answer stays"
        );
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(matches!(slot.try_take(), Some(Reply::Returned(bytes)) if bytes == [1]));
        assert!(slot.try_take().is_none());
    }

    #[test]
    fn a_callback_is_told_without_anybody_asking() {
        let count = Arc::new(AtomicUsize::new(0));
        let slot = Slot::with_callback(What::Service("f"), {
            let count = count.clone();
            move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        slot.fill(Reply::Returned(vec![]));
        slot.fill(Reply::Returned(vec![]));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_lost_link_fails_its_calls_and_all_later_ones() {
        let mut table = CallTable::default();
        table.insert(2, Slot::new(What::Service("late"))).unwrap();
        table.insert(1, Slot::new(What::Service("early"))).unwrap();
        assert_eq!(table.in_flight(), ["early", "late"]);
        assert_eq!(table.lose(lost()).len(), 2);
        assert!(table.insert(3, Slot::new(What::Service("later"))).is_err());
        assert!(table.remove(1).is_none());
    }
}
