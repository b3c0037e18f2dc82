//! [`open_worker_pool`] and [`WorkerPool`]: a number of like actors that share the calls of maps.
//!
//! The shell around the pure [`Dispatch`]: it starts the workers that this asks for, and tells it
//! what becomes of them. That goes on in the future of [`open_worker_pool`] itself, beside the
//! block; what a call is answered with is noted on the runtime's threads, so that a worker is
//! free again whether or not anybody polls the map that it worked for.

mod dispatch;
mod map;
mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use tractor_core::{Call, Error, Failure, Portal, Refusal};

use self::dispatch::{Action, CallId, Dispatch, Event, MapId, WorkerId};
use self::map::Arrivals;
pub use self::map::PoolMap;
pub use self::window::Progress;
use crate::child::{Child, Role};
use crate::nursery::{Nursery, OnExit, open_nursery_with};
use crate::start::{self, ChildOptions};

/// A number of actors that share the calls of [`map`](Self::map)s.
///
/// Made by [`open_worker_pool`] and lent to its block. Cloning counts a reference; a clone that
/// outlives the block makes no more calls.
#[derive(Clone)]
pub struct WorkerPool {
    inner: Arc<Inner>,
}

/// Runs `body` with a pool of `size` workers, and returns when every worker is reaped.
///
/// The workers are actors named `worker-1` and so on, in a nursery of their own. The block begins
/// at once: calls wait for the first worker that is ready. A worker that dies fails neither the
/// nursery nor the block: another one takes its place, and whoever waits for the calls that it had
/// is told. When the block has ended the workers are cancelled.
///
/// A good `size` is the number of cores, [`available_parallelism`], where calls compute.
///
/// [`available_parallelism`]: std::thread::available_parallelism
///
/// # Cancellation
///
/// As [`open_nursery`](crate::open_nursery).
///
/// # Errors
///
/// What the block returns; what keeps workers from being there, if three in a row cannot be
/// started, or end within a second of their start without having had a call; and those of
/// [`open_nursery`](crate::open_nursery). The death of a worker is an error of the items that it
/// had; of one that had none the log tells.
///
/// # Panics
///
/// If `size` is 0.
///
/// # Examples
///
/// ```
/// # use tractor_core as tractor;
/// # use tractor_macros::rpc;
/// use tractor_nursery::{Options, open_worker_pool, run};
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         open_worker_pool(2, async |pool| {
///             let mut squares = pool.map(square, 1..=3);
///             let mut sum = 0;
///             while let Some(square) = squares.next().await {
///                 sum += square?;
///             }
///             assert_eq!(sum, 1 + 4 + 9);
///             Ok(())
///         })
///         .await
///     })
/// }
/// ```
pub async fn open_worker_pool<T, E, F>(size: usize, body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&WorkerPool) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    assert!(size > 0, "a pool has at least one worker");
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let pool = WorkerPool::open(nursery.clone(), size);
        let inner = pool.inner.clone();
        let _close = Close(&inner);
        match select(pin!(body(&pool)), pin!(inner.keep_workers())).await {
            Either::Left((result, _)) => result,
            Either::Right((error, _)) => Err(E::from(error)),
        }
    })
    .await
}

impl WorkerPool {
    fn open(nursery: Nursery, size: usize) -> Self {
        let inner = Arc::new(Inner {
            nursery,
            size,
            state: Mutex::new(State {
                dispatch: Dispatch::new(size),
                workers: BTreeMap::new(),
                maps: BTreeMap::new(),
                maps_made: 0,
                starts: Vec::new(),
                started: 0,
                given_up: false,
                last_end: None,
                keeper: None,
            }),
        });
        inner.handle(Event::Opened);
        Self { inner }
    }

    /// Makes a call of each item and runs them on the workers: a stream of their results, in the
    /// order of the items unless [`PoolMap::unordered`] is asked for.
    ///
    /// `call` gives the call of an item; the name of a function of `#[tractor::rpc]` that takes
    /// the item will do. Nothing happens before the stream is polled, and an item is taken from
    /// the iterator only when a worker has room for its call. Maps of one pool share the workers
    /// and take turns.
    pub fn map<I, F, R, E>(&self, call: F, items: I) -> PoolMap<R, E, F, I::IntoIter>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Call<R, E>,
        E: Failure,
    {
        PoolMap::new(self.inner.clone(), call, items.into_iter())
    }

    /// How many workers there are, or will be as soon as those that died are replaced.
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// The workers that are ready now, the oldest first.
    ///
    /// A call that is made through one of these portals is not counted as work of the pool.
    pub fn workers(&self) -> Vec<Portal> {
        let state = self.inner.lock();
        let portals = state.workers.values().map(|worker| worker.portal.clone());
        portals.collect()
    }

    /// The pool in numbers.
    pub fn statistics(&self) -> PoolStatistics {
        let state = self.inner.lock();
        PoolStatistics {
            ready: state.workers.len(),
            started: state.started,
            in_flight: state.dispatch.calls(),
        }
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("size", &self.inner.size)
            .finish_non_exhaustive()
    }
}

/// A pool in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// The workers that are ready.
    pub ready: usize,
    /// The workers that were ever ready: those above the pool's size took the place of others.
    pub started: u64,
    /// The calls that the workers have.
    pub in_flight: usize,
}

/// What the clones of a pool and its maps share.
struct Inner {
    nursery: Nursery,
    size: usize,
    state: Mutex<State>,
}

struct State {
    dispatch: Dispatch,
    /// Those that are ready.
    workers: BTreeMap<WorkerId, Worker>,
    /// Where the maps are woken.
    maps: BTreeMap<MapId, Arc<Arrivals>>,
    maps_made: MapId,
    /// Workers that are to be started, with their seats.
    starts: Vec<(WorkerId, usize)>,
    started: u64,
    given_up: bool,
    /// How the last worker ended, or why it was not started.
    last_end: Option<Error>,
    /// Woken when there is something to start, or nothing to hope for.
    keeper: Option<Waker>,
}

/// A worker that serves calls.
#[derive(Clone)]
struct Worker {
    portal: Portal,
    child: Arc<Child>,
}

/// What a map is told that asked for room.
enum Asked {
    /// It may make this call.
    Granted(Ticket, Worker),
    /// It is woken when it is to ask again.
    Wait,
    /// The pool is closed.
    Refused(Error),
}

impl Inner {
    fn add_map(&self, arrivals: Arc<Arrivals>) -> MapId {
        let mut state = self.lock();
        state.maps_made += 1;
        let map = state.maps_made;
        state.maps.insert(map, arrivals);
        map
    }

    fn remove_map(&self, map: MapId) {
        let arrivals = self.lock().maps.remove(&map);
        drop(arrivals);
        self.handle(Event::MapEnded { map });
    }

    /// A map has a call to make.
    fn ask(self: &Arc<Self>, map: MapId, calls_per_worker: usize) -> Asked {
        let event = Event::Asked {
            map,
            calls_per_worker,
        };
        loop {
            match self.handle(event) {
                Some(Answer::Granted(call, number, worker)) => {
                    let ticket = Ticket {
                        pool: self.clone(),
                        call,
                        worker: number,
                        served: false,
                    };
                    if !worker.child.was_cancelled() {
                        return Asked::Granted(ticket, worker);
                    }
                    // Somebody has cancelled it, and it would refuse.
                    ticket.leaving();
                }
                Some(Answer::Refused) => {
                    let refused = self.nursery.inner.refused(Refusal::NurseryClosed);
                    return Asked::Refused(refused);
                }
                None => return Asked::Wait,
            }
        }
    }

    /// Hands an event to the machine and does what it wants, but for the answer to who asked.
    fn handle(&self, event: Event) -> Option<Answer> {
        let mut answer = None;
        let mut wakers = Vec::new();
        let mut gone = Vec::new();
        {
            let mut state = self.lock();
            let mut actions = Vec::new();
            state.dispatch.handle(event, &mut actions);
            for action in actions {
                match action {
                    Action::Start { worker, seat } => {
                        state.starts.push((worker, seat));
                        wakers.extend(state.keeper.take());
                    }
                    Action::Forget { worker } => gone.extend(state.workers.remove(&worker)),
                    Action::Grant { call, worker } => {
                        let hands = state.workers.get(&worker).cloned();
                        let hands = hands.expect("only workers that are ready get calls");
                        answer = Some(Answer::Granted(call, worker, hands));
                    }
                    Action::Refuse => answer = Some(Answer::Refused),
                    Action::Wake { map } => {
                        let arrivals = state.maps.get(&map);
                        wakers.extend(arrivals.and_then(|arrivals| arrivals.take_waker()));
                    }
                    Action::GiveUp => {
                        state.given_up = true;
                        wakers.extend(state.keeper.take());
                    }
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    /// Keeps workers there. Ends with the reason why that cannot be done.
    async fn keep_workers(&self) -> Error {
        let mut lives = FuturesUnordered::new();
        poll_fn(|cx| {
            while let Some(starts) = self.starts_or_wait(cx) {
                let starts = starts.into_iter();
                lives.extend(starts.map(|(worker, seat)| self.live(worker, seat)));
            }
            while let Poll::Ready(Some(())) = lives.poll_next_unpin(cx) {}
            let state = self.lock();
            match &state.last_end {
                Some(error) if state.given_up => Poll::Ready(error.clone()),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// The workers that are to be started, if there are any.
    fn starts_or_wait(&self, cx: &Context<'_>) -> Option<Vec<(WorkerId, usize)>> {
        let mut state = self.lock();
        let before = state.keeper.replace(cx.waker().clone());
        let starts = std::mem::take(&mut state.starts);
        drop(state);
        drop(before);
        (!starts.is_empty()).then_some(starts)
    }

    /// The life of a worker, from its start to its end.
    async fn live(&self, worker: WorkerId, seat: usize) {
        let options = ChildOptions::new(format!("worker-{}", seat + 1));
        let nursery = self.nursery.inner.clone();
        let (portal, child) = match start::start(nursery, options, Role::Worker).await {
            Ok(started) => started,
            Err(error) => {
                log::warn!("a worker could not be started: {error}");
                self.end(Event::NotStarted { worker }, error);
                return;
            }
        };
        let since = Instant::now();
        let ended = child.ended();
        {
            let mut state = self.lock();
            state.workers.insert(worker, Worker { portal, child });
            state.started += 1;
        }
        self.handle(Event::Started { worker });
        // Its child is kept above, and tells its end before it goes.
        let Ok(error) = ended.await else { return };
        log::warn!("a worker has ended: {error}");
        let lived = since.elapsed();
        self.end(Event::Ended { worker, lived }, error);
    }

    /// A worker has ended, or did not begin, with this error.
    fn end(&self, event: Event, error: Error) {
        {
            let mut state = self.lock();
            if !state.given_up {
                state.last_end = Some(error);
            }
        }
        self.handle(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Answer {
    Granted(CallId, WorkerId, Worker),
    Refused,
}

/// The right to make one call on a worker, and then that call as the worker's work. Dropped, the
/// worker has room again.
struct Ticket {
    pool: Arc<Inner>,
    call: CallId,
    worker: WorkerId,
    /// Whether the worker took the call.
    served: bool,
}

impl Ticket {
    /// Notes that its worker takes no more calls.
    fn leaving(&self) {
        let worker = self.worker;
        self.pool.handle(Event::Leaving { worker });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (call, served) = (self.call, self.served);
        self.pool.handle(Event::Released { call, served });
    }
}

/// Closes the pool when its block has ended or was dropped.
struct Close<'a>(&'a Inner);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.handle(Event::Closed);
        // A clone or a map that is kept shall not keep them.
        let workers = std::mem::take(&mut self.0.lock().workers);
        drop(workers);
    }
}
