//! [`Strays`]: orphans of which the root was not told, because whoever had started them was
//! killed before it could say so. The root sees that they are reaped.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tractor_core::io::{self as engine, Source, Watch};
use tractor_core::process::{self, Adoption, Process, Signal};
use tractor_core::timer::{self, Timer};

use crate::tree::Tree;

/// When one of which nothing can be told is looked at again, at first. The time doubles.
const AGAIN_AFTER: Duration = Duration::from_millis(1);
/// How often one is looked at again: for four seconds. Then it is one whose environment is empty,
/// or nobody's business.
const LOOKS_MAX: u32 = 12;
/// How long to wait before one that could not be watched, or has ended and could not be reaped, is
/// looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// Those that are known.
#[derive(Default)]
pub(crate) struct Strays(Mutex<State>);

#[derive(Default)]
struct State {
    /// Watched until they have ended, and whether each is an actor, or about to become one.
    watched: BTreeMap<u32, bool>,
    /// How many actors were ever among them.
    actors: usize,
    unclear: Unclear,
    /// Called when no actor is among them.
    waiting: Vec<Box<dyn FnOnce() + Send>>,
}

/// Those of which nothing could be told yet.
#[derive(Debug, Default)]
struct Unclear(BTreeMap<u32, Looked>);

/// How often one was looked at, and whether it looks like an actor.
#[derive(Debug, Clone, Copy)]
struct Looked {
    times: u32,
    is_actor: bool,
}

impl Unclear {
    /// These were just looked at. Tells when to look again, if that is worth it.
    fn looked(&mut self, at: impl IntoIterator<Item = process::Stray>) -> Option<Duration> {
        let before = std::mem::take(&mut self.0);
        let times = |pid| before.get(&pid).map_or(0, |looked| looked.times);
        let looked = at.into_iter().map(|process::Stray { pid, is_actor }| {
            let times = (times(pid) + 1).min(LOOKS_MAX + 1);
            (pid, Looked { times, is_actor })
        });
        self.0 = looked.collect();
        let times = self.0.values().map(|looked| looked.times);
        let fewest = times.min().filter(|times| *times <= LOOKS_MAX)?;
        Some(AGAIN_AFTER * 2_u32.pow(fewest - 1))
    }

    /// Whether one is looked at again that looks like an actor.
    fn has_actor(&self) -> bool {
        let mut looked = self.0.values();
        looked.any(|looked| looked.is_actor && looked.times <= LOOKS_MAX)
    }
}

impl Strays {
    /// Looks after all that have come since, apart from those that are `known`. When one has ended
    /// the `owner` looks again: those whose parent it was come then.
    pub(crate) fn adopt(self: &Arc<Self>, tree: &str, known: &BTreeSet<u32>, owner: &Arc<Tree>) {
        let found = process::strays(tree).unwrap_or_else(|error| {
            log::debug!("list the processes that came to the root: {error}");
            process::Found::default()
        });
        for process::Stray { pid, is_actor } in found.strays {
            if !known.contains(&pid) && self.lock().insert(pid, is_actor) {
                self.watch(pid, is_actor, owner);
            }
        }
        let again = {
            let mut state = self.lock();
            let State {
                watched, unclear, ..
            } = &mut *state;
            let is_new =
                |it: &process::Stray| !known.contains(&it.pid) && !watched.contains_key(&it.pid);
            unclear.looked(found.unclear.into_iter().filter(is_new))
        };
        if let Some(after) = again {
            later(owner, after, |owner| owner.adopt_strays());
        }
        self.tell_if_none();
    }

    fn watch(self: &Arc<Self>, pid: u32, is_actor: bool, owner: &Arc<Tree>) {
        let watched = Process::open(pid).and_then(|process| {
            if is_actor {
                // It may have been stopped before it could see to that itself.
                process.signal(Signal::Kill)?;
            }
            let (all, owner) = (self.clone(), Arc::downgrade(owner));
            engine::watch(Arc::new(Stray {
                process,
                all,
                owner,
            }))
        });
        if let Err(error) = watched {
            log::debug!("watch the orphan {pid}: {error}; trying again soon");
            let all = self.clone();
            later(owner, AGAIN, move |owner| {
                all.lock().undo_insert(pid);
                owner.adopt_strays();
            });
        }
    }

    /// How many actors were ever among them.
    pub(crate) fn actors(&self) -> usize {
        self.lock().actors
    }

    /// Calls `then` when no actor is among them: each has been killed, and is reaped soon.
    pub(crate) fn when_no_actor(&self, then: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.has_no_actor() {
            drop(state);
            then();
        } else {
            state.waiting.push(Box::new(then));
        }
    }

    /// Whether no actor is among them; otherwise `waker` is woken when that is so.
    pub(crate) fn has_no_actor(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let none = state.has_no_actor();
        if !none {
            let waker = waker.clone();
            state.waiting.push(Box::new(move || waker.wake()));
        }
        none
    }

    fn tell_if_none(&self) {
        let waiting = {
            let mut state = self.lock();
            if !state.has_no_actor() {
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(|then| then());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether it is new.
    fn insert(&mut self, pid: u32, is_actor: bool) -> bool {
        let is_new = self.watched.insert(pid, is_actor).is_none();
        self.actors += usize::from(is_new && is_actor);
        is_new
    }

    /// It could not be watched, and comes again if it is still there.
    fn undo_insert(&mut self, pid: u32) {
        let is_actor = self.watched.remove(&pid).unwrap_or_default();
        self.actors -= usize::from(is_actor);
    }

    fn has_no_actor(&self) -> bool {
        let mut watched = self.watched.values();
        !watched.any(|is_actor| *is_actor) && !self.unclear.has_actor()
    }
}

/// Does this after a while, if the tree is there still.
fn later(tree: &Arc<Tree>, after: Duration, then: impl FnOnce(&Arc<Tree>) + Send + 'static) {
    let tree = Arc::downgrade(tree);
    Timer::forget(timer::schedule(Instant::now() + after, move || {
        if let Some(tree) = tree.upgrade() {
            then(&tree);
        }
    }));
}

/// One of them.
struct Stray {
    process: Process,
    all: Arc<Strays>,
    owner: Weak<Tree>,
}

impl Source for Stray {
    fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        let Some(owner) = self.owner.upgrade() else {
            return Watch::End;
        };
        match self.process.try_reap_adopted() {
            Ok(Adoption::Running) => {
                // A debugger sees its end first.
                later(&owner, AGAIN, move |_| {
                    self.ready();
                });
                return Watch::End;
            }
            Ok(ended) => log::debug!("an orphan that nobody knew, {ended:?}"),
            Err(error) => log::error!("reap an orphan: {error}"),
        }
        // Those whose parent it was are known before it is forgotten: then nobody may be left.
        owner.adopt_strays();
        self.all.lock().watched.remove(&self.process.pid());
        self.all.tell_if_none();
        Watch::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(unclear: &mut Unclear, pids: &[u32]) -> Option<Duration> {
        unclear.looked(pids.iter().map(|&pid| process::Stray {
            pid,
            is_actor: pid == 7,
        }))
    }

    #[test]
    fn who_stays_unclear_is_looked_at_less_and_less_and_then_not_any_more() {
        let mut unclear = Unclear::default();
        let waits: Vec<_> = (0..20)
            .map_while(|_| looked(&mut unclear, &[7]).filter(|_| unclear.has_actor()))
            .collect();
        assert_eq!(waits.len(), LOOKS_MAX as usize);
        assert_eq!((waits[0], waits[1]), (AGAIN_AFTER, 2 * AGAIN_AFTER));
        assert!(waits.iter().sum::<Duration>() >= Duration::from_secs(4));
        assert!(!unclear.has_actor(), "nobody waits for it any more");
    }

    #[test]
    fn a_new_one_is_looked_at_soon_whoever_else_is_there() {
        let mut unclear = Unclear::default();
        while looked(&mut unclear, &[7]).is_some() {}
        assert_eq!(looked(&mut unclear, &[7, 8]), Some(AGAIN_AFTER));
        assert!(!unclear.has_actor(), "8 does not look like one");
        assert_eq!(looked(&mut unclear, &[7]), None, "it is clear who 8 is");
        assert_eq!(looked(&mut unclear, &[]), None);
        assert_eq!(
            looked(&mut unclear, &[7]),
            Some(AGAIN_AFTER),
            "that is another 7"
        );
    }
}
