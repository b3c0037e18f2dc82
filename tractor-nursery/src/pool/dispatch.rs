//! [`Dispatch`]: which worker gets the next call, and which worker has to be started.
//!
//! Pure: what happens in a pool goes in as [`Event`]s, what has to be done comes out as
//! [`Action`]s. It knows workers, maps and calls by number only.
//!
//! Nothing is ever reserved for a map: a map that asked for room and is not polled any more must
//! not keep a worker idle. Instead, whoever asks gives way, once, to each map that waits for
//! longer, and is woken to ask again. So the first in the queue that asks is served, and of those
//! that ask in turn one is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The number of a worker: of one process, so one that takes its place has another.
pub(crate) type WorkerId = u64;
/// The number of a map.
pub(crate) type MapId = u64;
/// The number of a call.
pub(crate) type CallId = u64;

/// How often in a row a worker may fail to start, or die at once without having served a call,
/// before the pool gives up: the third time it is no accident.
pub(crate) const FRUITLESS_MAX: u32 = 3;
/// A worker that lived for so long without a call did not die of how it was started.
pub(crate) const SHORT_LIFE: Duration = Duration::from_secs(1);

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The pool was opened.
    Opened,
    /// A worker serves calls.
    Started { worker: WorkerId },
    /// A worker could not be started.
    NotStarted { worker: WorkerId },
    /// A worker takes no more calls. Its end will be told.
    Leaving { worker: WorkerId },
    /// A worker that served calls has ended, so long after it was ready.
    Ended { worker: WorkerId, lived: Duration },
    /// A map has a call to make, and allows so many at a time on each worker.
    Asked { map: MapId, calls_per_worker: usize },
    /// A call that was granted is over. `served` tells that the worker took it.
    Released { call: CallId, served: bool },
    /// A map asks no more; the calls that it made may go on.
    MapEnded { map: MapId },
    /// The pool's block has ended.
    Closed,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a worker on this seat.
    Start { worker: WorkerId, seat: usize },
    /// Forget a worker that is gone.
    Forget { worker: WorkerId },
    /// The map that asked may make this call on this worker.
    Grant { call: CallId, worker: WorkerId },
    /// The map that asked gets nothing any more: the pool is closed.
    Refuse,
    /// Have the map ask again.
    Wake { map: MapId },
    /// No worker can be had: fail.
    GiveUp,
}

/// Who works, who waits, and what is being worked at.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// How many workers there are to be.
    size: usize,
    workers: BTreeMap<WorkerId, Worker>,
    /// The maps that may make calls, with how many each allows on a worker.
    maps: BTreeMap<MapId, usize>,
    calls: BTreeMap<CallId, Work>,
    /// Who asked and got nothing, the longest wait first.
    waiting: VecDeque<Waiting>,
    /// The next number of a worker and of a call.
    next: u64,
    is_open: bool,
}

/// A worker, from the moment in which its start is decided until its end is told.
#[derive(Debug)]
struct Worker {
    seat: usize,
    condition: Condition,
    /// How many on its seat before it were of no use, in a row.
    fruitless: u32,
    /// Whether it has taken a call.
    served: bool,
    /// The map of each call that it has.
    calls: Vec<MapId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Being started.
    Starting,
    /// Takes calls.
    Ready,
    /// Takes no more, and ends.
    Leaving,
}

/// A call that was granted.
#[derive(Debug)]
struct Work {
    map: MapId,
    worker: WorkerId,
}

/// A map that asked and got nothing.
#[derive(Debug)]
struct Waiting {
    map: MapId,
    /// Who gave way to it since it asked last.
    passed_by: Vec<MapId>,
}

impl Dispatch {
    /// A pool of `size` workers, to be opened.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            workers: BTreeMap::new(),
            maps: BTreeMap::new(),
            calls: BTreeMap::new(),
            waiting: VecDeque::new(),
            next: 0,
            is_open: false,
        }
    }

    /// How many calls are granted and not over.
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Takes what has happened, and appends what is to be done.
    pub(crate) fn handle(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Opened => {
                self.is_open = true;
                (0..self.size).for_each(|seat| self.start(seat, 0, out));
            }
            Event::Started { worker } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.condition = Condition::Ready;
                }
                self.wake_all(out);
            }
            Event::NotStarted { worker } => self.replace(worker, false, out),
            Event::Leaving { worker } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.condition = Condition::Leaving;
                }
            }
            Event::Ended { worker, lived } => self.replace(worker, lived >= SHORT_LIFE, out),
            Event::Asked {
                map,
                calls_per_worker,
            } => self.asked(map, calls_per_worker, out),
            Event::Released { call, served } => self.released(call, served, out),
            Event::MapEnded { map } => {
                self.maps.remove(&map);
                self.waiting.retain(|other| other.map != map);
            }
            Event::Closed => {
                self.is_open = false;
                self.wake_all(out);
            }
        }
        self.check();
    }

    fn start(&mut self, seat: usize, fruitless: u32, out: &mut Vec<Action>) {
        let worker = self.number();
        let starting = Worker {
            seat,
            condition: Condition::Starting,
            fruitless,
            served: false,
            calls: Vec::new(),
        };
        self.workers.insert(worker, starting);
        out.push(Action::Start { worker, seat });
    }

    /// A worker is gone: another one takes its place, unless too many went the same way.
    fn replace(&mut self, id: WorkerId, of_use: bool, out: &mut Vec<Action>) {
        let Some(gone) = self.workers.remove(&id) else {
            return;
        };
        out.push(Action::Forget { worker: id });
        if !self.is_open {
            return;
        }
        let fruitless = match of_use || gone.served || !gone.calls.is_empty() {
            true => 0,
            false => gone.fruitless + 1,
        };
        if fruitless < FRUITLESS_MAX {
            self.start(gone.seat, fruitless, out);
        } else {
            self.is_open = false;
            out.push(Action::GiveUp);
            self.wake_all(out);
        }
    }

    fn asked(&mut self, map: MapId, calls_per_worker: usize, out: &mut Vec<Action>) {
        if !self.is_open {
            out.push(Action::Refuse);
            return;
        }
        let most = self.maps.values().copied().max();
        self.maps.insert(map, calls_per_worker);
        if most.is_some_and(|most| most < calls_per_worker) {
            // The workers take more calls now, of the others as well.
            self.wake_all(out);
        }
        let Some(worker) = self.worker_with_room(map) else {
            self.wait(map);
            return;
        };
        if self.gives_way(map, out) {
            return;
        }
        self.waiting.retain(|other| other.map != map);
        let call = self.number();
        self.calls.insert(call, Work { map, worker });
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.calls.push(map);
        }
        out.push(Action::Grant { call, worker });
    }

    /// Whether another map is to be served first. Those that did not come when this map gave way
    /// to them are not waited for again.
    fn gives_way(&mut self, map: MapId, out: &mut Vec<Action>) -> bool {
        let before = self.waiting.iter().take_while(|other| other.map != map);
        let first = before
            .filter(|other| !other.passed_by.contains(&map))
            .find(|other| self.worker_with_room(other.map).is_some());
        let Some(first) = first.map(|other| other.map) else {
            return false;
        };
        self.wait(map);
        let mut waiting = self.waiting.iter_mut();
        if let Some(waiting) = waiting.find(|other| other.map == first) {
            waiting.passed_by.push(map);
        }
        out.extend([first, map].map(|map| Action::Wake { map }));
        true
    }

    /// Has a map that asked wait, where it stands if it waits already.
    fn wait(&mut self, map: MapId) {
        match self.waiting.iter_mut().find(|other| other.map == map) {
            Some(waiting) => waiting.passed_by.clear(),
            None => self.waiting.push_back(Waiting {
                map,
                passed_by: Vec::new(),
            }),
        }
    }

    /// The worker with the fewest calls among those on which the map may make one; of several,
    /// the oldest. Each map keeps its own limit on a worker, and all together the highest.
    fn worker_with_room(&self, map: MapId) -> Option<WorkerId> {
        let ours_max = *self.maps.get(&map)?;
        let all_max = self.maps.values().copied().max()?;
        let has_room = |worker: &Worker| {
            let ours = worker.calls.iter().filter(|other| **other == map).count();
            worker.condition == Condition::Ready && worker.calls.len() < all_max && ours < ours_max
        };
        self.workers
            .iter()
            .filter(|(_, worker)| has_room(worker))
            .map(|(&id, worker)| (worker.calls.len(), id))
            .min()
            .map(|(_, id)| id)
    }

    fn released(&mut self, call: CallId, served: bool, out: &mut Vec<Action>) {
        let Some(Work { map, worker }) = self.calls.remove(&call) else {
            return;
        };
        let Some(worker) = self.workers.get_mut(&worker) else {
            return;
        };
        if let Some(at) = worker.calls.iter().position(|other| *other == map) {
            worker.calls.swap_remove(at);
        }
        worker.served |= served;
        if worker.condition == Condition::Ready {
            self.wake_all(out);
        }
    }

    /// Has everybody ask again who waits: which of them will come is not known.
    fn wake_all(&self, out: &mut Vec<Action>) {
        let waiting = self.waiting.iter();
        out.extend(waiting.map(|Waiting { map, .. }| Action::Wake { map: *map }));
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What always holds.
    fn check(&self) {
        let at_workers: usize = self.workers.values().map(|worker| worker.calls.len()).sum();
        debug_assert!(at_workers <= self.calls.len());
        debug_assert!(!self.is_open || self.workers.len() == self.size);
        debug_assert!(
            self.waiting
                .iter()
                .all(|other| self.maps.contains_key(&other.map)),
            "only maps that ask wait"
        );
    }
}

#[cfg(test)]
mod tests;
