//! [`Broadcast`]: one stream for several tasks of an actor, each of which gets every item.
//!
//! What each has had is kept by `broadcast/ring.rs`. The stream is read by whoever finds nothing
//! and may read; there is no task in between.

// Which items are kept, for whom; pure.
mod ring;

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Wake, Waker};

use futures::Stream;
use futures::stream::BoxStream;

use self::ring::{Found, Id, Ring};
use crate::actor::local_error;
use crate::ending::{Ending, Refusal};
use crate::error::Error;

/// What happens when a subscriber is a whole buffer behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lag {
    /// The stream is not read until it has read: nobody gets ahead of it by more than the buffer,
    /// and in the end the sender waits, too.
    Wait,
    /// It loses the oldest items. It is told how many by an error,
    /// [`Refusal::Lagged`], and then goes on.
    DropOldest,
    /// Its subscription ends with the error [`Refusal::Lagged`].
    Fail,
}

/// A stream that any number of tasks can subscribe to. Clones are handles to the same.
///
/// It reads nothing by itself: items are taken from the stream when a subscriber waits for one.
/// When the last handle and the last subscription are gone, the stream is dropped.
///
/// # Examples
///
/// ```
/// use futures::{StreamExt, stream};
/// use tractor_core::{Broadcast, Lag};
///
/// # futures::executor::block_on(async {
/// let numbers = Broadcast::new(stream::iter((1..=3).map(Ok)), 16);
/// let (mut a, b) = (numbers.subscribe(Lag::Wait), numbers.subscribe(Lag::DropOldest));
/// assert_eq!(a.recv().await?, Some(1));
/// let all: Vec<u32> = b.map(Result::unwrap).collect().await;
/// assert_eq!(all, [1, 2, 3]);
/// # Ok::<(), tractor_core::Error>(())
/// # }).unwrap();
/// ```
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
}

/// One task's copy of a [`Broadcast`]: a [`Stream`] of results, like the stream itself.
///
/// It ends after the last item. If something happens to the sender, it gives the error behind the
/// items, then ends.
pub struct Subscription<T> {
    id: Id,
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    waiting: Arc<Waiting>,
}

struct State<T> {
    ring: Ring<T, Error>,
    /// `None` while somebody reads it, and when it has ended.
    source: Option<BoxStream<'static, Result<T, Error>>>,
}

/// Who waits for an item. Wakes all of them, because whoever comes first reads for the others.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<Id, Waker>>);

impl<T: Clone + Send + 'static> Broadcast<T> {
    /// Makes one of a stream, with a buffer for so many items (at least one).
    pub fn new(
        stream: impl Stream<Item = Result<T, Error>> + Send + 'static,
        capacity: usize,
    ) -> Self {
        let state = State {
            ring: Ring::new(capacity),
            source: Some(Box::pin(stream)),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                waiting: Arc::default(),
            }),
        }
    }

    /// Subscribes to all items from now on: those that nobody has read from the stream yet.
    pub fn subscribe(&self, lag: Lag) -> Subscription<T> {
        let id = self.shared.lock().ring.subscribe(lag);
        Subscription {
            id,
            shared: self.shared.clone(),
        }
    }
}

impl<T: Clone + Send + 'static> Subscription<T> {
    /// The next item; `None` after the last one.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: no item is lost, to nobody.
    ///
    /// # Errors
    ///
    /// [`Refusal::Lagged`], see [`Lag`]; what the stream itself gives, after the items before it.
    pub async fn recv(&mut self) -> Result<Option<T>, Error> {
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    fn poll_item(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(found) = self.take() {
                return Poll::Ready(found);
            }
            self.shared.waiting.enter(self.id, cx.waker());
            // What came before it was entered woke nobody.
            if let Some(found) = self.take() {
                return Poll::Ready(found);
            }
            if !self.shared.read() {
                return Poll::Pending;
            }
        }
    }

    /// What there is for it, if there is something.
    fn take(&self) -> Option<Option<Result<T, Error>>> {
        let found = self.shared.change(|ring| ring.take(self.id));
        match found {
            Found::Item(item) => Some(Some(Ok(item))),
            Found::Lagged(items) => {
                let lagged = Ending::Refused(Refusal::Lagged { items });
                Some(Some(Err(local_error(lagged, None))))
            }
            Found::End(error) => Some(error.map(Err)),
            Found::Nothing => None,
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the ring, and wakes all if the stream may be read again: one of them has to.
    fn change<R>(&self, change: impl FnOnce(&mut Ring<T, Error>) -> R) -> R {
        let mut state = self.lock();
        let held = !state.ring.wants_item();
        let result = change(&mut state.ring);
        let resumes = held && state.ring.wants_item();
        let spent = state.ring.spent();
        drop(state);
        drop(spent);
        if resumes {
            self.waiting.wake_all();
        }
        result
    }

    /// Reads the stream once, if nobody else is about to; tells whether something came.
    fn read(&self) -> bool {
        let source = {
            let mut state = self.lock();
            state
                .ring
                .wants_item()
                .then(|| state.source.take())
                .flatten()
        };
        let Some(mut source) = source else {
            return false;
        };
        let waker = Waker::from(self.waiting.clone());
        let reading = Reading(self);
        let polled = source
            .as_mut()
            .poll_next(&mut task::Context::from_waker(&waker));
        std::mem::forget(reading);
        let came = polled.is_ready();
        let ended = self.put_back(source, polled);
        drop(ended);
        if came {
            self.waiting.wake_all();
        }
        came
    }

    /// Enters what the stream gave. Gives back the stream if it has ended.
    fn put_back(
        &self,
        source: BoxStream<'static, Result<T, Error>>,
        polled: Poll<Option<Result<T, Error>>>,
    ) -> Option<BoxStream<'static, Result<T, Error>>> {
        let mut state = self.lock();
        let goes_on = match polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(item))) => {
                state.ring.push(item);
                true
            }
            Poll::Ready(end) => {
                state.ring.end(end.and_then(Result::err));
                false
            }
        };
        let spent = state.ring.spent();
        let ended = if goes_on {
            state.source = Some(source);
            None
        } else {
            Some(source)
        };
        drop(state);
        drop(spent);
        ended
    }
}

/// Dropped when the stream panics: nothing comes any more, and whoever waits has to be told.
struct Reading<'a, T>(&'a Shared<T>);

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        let panicked = Ending::Panicked {
            message: "the stream panicked in the task that read it".to_owned(),
            location: None,
        };
        self.0.lock().ring.end(Some(local_error(panicked, None)));
        self.0.waiting.wake_all();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, id: Id, waker: &Waker) {
        let waker = waker.clone();
        let before = self.lock().insert(id, waker);
        drop(before);
    }

    fn leave(&self, id: Id) {
        let waker = self.lock().remove(&id);
        drop(waker);
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *self.lock());
        wakers.into_values().for_each(Waker::wake);
    }
}

/// The stream itself wakes whoever waits for it.
impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

impl<T: Clone + Send + 'static> Stream for Subscription<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.shared.waiting.leave(self.id);
        self.shared.change(|ring| ring.unsubscribe(self.id));
    }
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
