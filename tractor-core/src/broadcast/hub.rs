//! [`Hub`]: a stream and those who wait for its items. Whoever finds nothing reads for all; there
//! is no task in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::stream::BoxStream;
use futures::task::AtomicWaker;

use super::Lag;
use super::board::{Board, Found, Id};
use crate::actor::local_error;
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::fairness;

pub(super) type Items<T> = BoxStream<'static, Result<T, Error>>;

/// A stream for subscribers that want what their `W` says.
pub(super) struct Hub<W, T> {
    state: Mutex<State<W, T>>,
    waiting: Arc<Waiting>,
    /// Woken when what is wanted may have changed.
    pub(super) feeder: AtomicWaker,
    rules: Rules<W, T>,
}

/// What makes one hub different from another.
pub(super) struct Rules<W, T> {
    pub(super) fits: fn(&W, &T) -> bool,
    /// Makes the stream, for the first subscriber and again after it has ended; without it there
    /// is the one that the hub was made of.
    pub(super) start: Option<Start<W, T>>,
}

/// Makes the stream of a hub.
pub(super) type Start<W, T> = Box<dyn Fn(&Arc<Hub<W, T>>) -> Items<T> + Send + Sync>;

struct State<W, T> {
    board: Board<W, T, Error>,
    source: Source<T>,
}

enum Source<T> {
    /// To be started by whoever waits for an item first.
    Idle,
    /// Somebody reads, starts or drops it.
    Taken,
    Here(Items<T>),
    /// It has ended, for all times.
    Over(Option<Error>),
}

/// Who waits for an item. Wakes all of them, because whoever comes first reads for the others.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<Id, Waker>>);

/// What a subscription needs of its hub, whatever its `W`.
pub(super) trait Seats<T>: Send + Sync {
    fn poll_item(self: Arc<Self>, id: Id, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>>;
    fn leave(&self, id: Id);
}

impl<W, T> Hub<W, T> {
    pub(super) fn new(capacity: usize, stream: Option<Items<T>>, rules: Rules<W, T>) -> Arc<Self> {
        let state = State {
            board: Board::new(capacity),
            source: stream.map_or(Source::Idle, Source::Here),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            waiting: Arc::default(),
            feeder: AtomicWaker::new(),
            rules,
        })
    }

    pub(super) fn subscribe(&self, wants: W, lag: Lag) -> Id {
        let mut state = self.lock();
        let id = match &state.source {
            Source::Over(end) => {
                let end = end.clone();
                state.board.subscribe_late(wants, end)
            }
            Source::Idle | Source::Taken | Source::Here(_) => state.board.subscribe(wants, lag),
        };
        drop(state);
        self.feeder.wake();
        id
    }

    /// Adds a subscriber that gets nothing but this error.
    pub(super) fn refuse(&self, wants: W, error: Error) -> Id {
        self.lock().board.subscribe_late(wants, Some(error))
    }

    /// Collects from what those want who are there.
    pub(super) fn wanted<C>(&self, collect: impl FnOnce(&mut dyn Iterator<Item = &W>) -> C) -> C {
        collect(&mut self.lock().board.wanted())
    }

    fn lock(&self) -> MutexGuard<'_, State<W, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board, and wakes all if the stream may be read again: one of them has to.
    fn change<R>(&self, change: impl FnOnce(&mut Board<W, T, Error>) -> R) -> R {
        let mut state = self.lock();
        let held = !state.board.wants_item();
        let result = change(&mut state.board);
        let resumes = held && state.board.wants_item();
        let spent = state.board.spent();
        drop(state);
        drop(spent);
        if resumes {
            self.waiting.wake_all();
        }
        result
    }

    /// What there is for a subscriber, if there is something.
    fn take(&self, id: Id) -> Option<Option<Result<T, Error>>> {
        match self.change(|board| board.take(id)) {
            Found::Item(item) => Some(Some(Ok(item))),
            Found::Lagged(items) => {
                let lagged = Ending::Refused(Refusal::Lagged { items });
                Some(Some(Err(local_error(lagged, None))))
            }
            Found::End(error) => Some(error.map(Err)),
            Found::Nothing => None,
        }
    }

    /// The stream, for who reads it once, or starts it.
    fn take_source(&self) -> Source<T> {
        let mut state = self.lock();
        let readable = match &state.source {
            Source::Idle | Source::Here(_) => state.board.wants_item(),
            Source::Taken | Source::Over(_) => false,
        };
        if readable {
            std::mem::replace(&mut state.source, Source::Taken)
        } else {
            Source::Taken
        }
    }

    /// The stream has ended for those who are there.
    fn end(&self, error: Option<Error>) {
        let mut state = self.lock();
        state.board.end(error.clone());
        state.source = match self.rules.start {
            Some(_) => Source::Idle,
            None => Source::Over(error),
        };
        drop(state);
        self.waiting.wake_all();
    }

    /// Drops the stream if nobody is there for whom it could be started again.
    fn rest(&self) {
        let mut state = self.lock();
        let rests = self.rules.start.is_some()
            && state.board.wanted().next().is_none()
            && matches!(state.source, Source::Here(_));
        let source = if rests {
            std::mem::replace(&mut state.source, Source::Taken)
        } else {
            return;
        };
        drop(state);
        let back = Back(self);
        drop(source);
        drop(back);
    }
}

impl<W, T: Clone> Hub<W, T> {
    /// Reads the stream once, if nobody else is about to; tells whether something came.
    fn read(self: &Arc<Self>) -> bool {
        let source = self.take_source();
        let reading = Reading(self);
        let mut source = match (source, &self.rules.start) {
            (Source::Here(source), _) => source,
            (Source::Idle, Some(start)) => start(self),
            _ => {
                std::mem::forget(reading);
                return false;
            }
        };
        let waker = Waker::from(self.waiting.clone());
        let polled = source.as_mut().poll_next(&mut Context::from_waker(&waker));
        let came = match polled {
            Poll::Ready(Some(Ok(item))) => {
                self.put_back(source, Some(item));
                self.waiting.wake_all();
                true
            }
            Poll::Ready(end) => {
                // Before another can be started.
                drop(source);
                self.end(end.and_then(Result::err));
                true
            }
            Poll::Pending => {
                self.put_back(source, None);
                false
            }
        };
        std::mem::forget(reading);
        came
    }

    fn put_back(&self, source: Items<T>, item: Option<T>) {
        let mut state = self.lock();
        if let Some(item) = item {
            state.board.publish(item, self.rules.fits);
        }
        state.source = Source::Here(source);
        let spent = state.board.spent();
        drop(state);
        drop(spent);
    }
}

impl<W: Send, T: Clone + Send> Seats<T> for Hub<W, T> {
    fn poll_item(self: Arc<Self>, id: Id, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(found) = self.take(id) {
                return Poll::Ready(found);
            }
            self.waiting.enter(id, cx.waker());
            // What came before it was entered woke nobody.
            if let Some(found) = self.take(id) {
                return Poll::Ready(found);
            }
            if !self.read() {
                fairness::reset();
                return Poll::Pending;
            }
            // What comes may all be for others.
            if fairness::must_yield() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn leave(&self, id: Id) {
        self.waiting.leave(id);
        self.change(|board| board.unsubscribe(id));
        self.rest();
        self.feeder.wake();
    }
}

/// Dropped when the stream panics: nothing comes any more, and whoever waits has to be told.
struct Reading<'a, W, T>(&'a Hub<W, T>);

impl<W, T> Drop for Reading<'_, W, T> {
    fn drop(&mut self) {
        let panicked = Ending::Panicked {
            message: "the stream panicked in the task that read it".to_owned(),
            location: None,
        };
        self.0.end(Some(local_error(panicked, None)));
    }
}

/// Dropped when the stream has been: another can be started.
struct Back<'a, W, T>(&'a Hub<W, T>);

impl<W, T> Drop for Back<'_, W, T> {
    fn drop(&mut self) {
        self.0.lock().source = Source::Idle;
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
