//! [`Shared`]: the shell around the pure [`Dispatch`].
//!
//! It starts the workers that this asks for, and tells it what becomes of them. That goes on in
//! the future of [`open_worker_pool`](super::open_worker_pool) itself, beside the block; how a
//! call ended is noted on the runtime's threads, so that a worker is free again whether or not
//! anybody polls the map that it worked for.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use tractor_core::{Error, Portal, Refusal};

use super::PoolStatistics;
use super::arrivals::Arrivals;
use super::dispatch::{Action, CallId, Dispatch, Event, MapId, WorkerId};
use crate::child::{Child, Role};
use crate::nursery::Nursery;
use crate::start::{self, ChildOptions};

/// What the clones of a pool and its maps share.
pub(super) struct Shared {
    nursery: Nursery,
    pub(super) size: usize,
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
pub(super) struct Worker {
    pub(super) portal: Portal,
    pub(super) child: Arc<Child>,
}

/// What a map is told that asked for room.
pub(super) enum Asked {
    /// It may make this call.
    Granted(Ticket, Worker),
    /// It is woken when it is to ask again.
    Wait,
    /// The pool is closed.
    Refused(Error),
}

impl Shared {
    /// Opens a pool whose workers [`keep_workers`](Self::keep_workers) is to start.
    pub(super) fn open(nursery: Nursery, size: usize) -> Arc<Self> {
        let shared = Arc::new(Self {
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
        shared.handle(Event::Opened);
        shared
    }

    /// The workers that are ready.
    pub(super) fn portals(&self) -> Vec<Portal> {
        let state = self.lock();
        let portals = state.workers.values().map(|worker| worker.portal.clone());
        portals.collect()
    }

    pub(super) fn statistics(&self) -> PoolStatistics {
        let state = self.lock();
        PoolStatistics {
            ready: state.workers.len(),
            started: state.started,
            in_flight: state.dispatch.calls(),
        }
    }

    pub(super) fn add_map(&self, arrivals: Arc<Arrivals>) -> MapId {
        let mut state = self.lock();
        state.maps_made += 1;
        let map = state.maps_made;
        state.maps.insert(map, arrivals);
        map
    }

    pub(super) fn remove_map(&self, map: MapId) {
        let arrivals = self.lock().maps.remove(&map);
        drop(arrivals);
        self.handle(Event::MapEnded { map });
    }

    /// A map has a call to make.
    pub(super) fn ask(self: &Arc<Self>, map: MapId, calls_per_worker: usize) -> Asked {
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

    /// A worker takes no more calls.
    pub(super) fn leaving(&self, worker: WorkerId) {
        self.handle(Event::Leaving { worker });
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
    pub(super) async fn keep_workers(&self) -> Error {
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
pub(super) struct Ticket {
    pool: Arc<Shared>,
    call: CallId,
    pub(super) worker: WorkerId,
    /// Whether the worker took the call.
    pub(super) served: bool,
}

impl Ticket {
    /// Notes that its worker takes no more calls.
    pub(super) fn leaving(&self) {
        self.pool.leaving(self.worker);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (call, served) = (self.call, self.served);
        self.pool.handle(Event::Released { call, served });
    }
}

/// Closes the pool when its block has ended or was dropped.
pub(super) struct Close<'a>(pub(super) &'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.handle(Event::Closed);
        // A clone or a map that is kept shall not keep them.
        let workers = std::mem::take(&mut self.0.lock().workers);
        drop(workers);
    }
}
