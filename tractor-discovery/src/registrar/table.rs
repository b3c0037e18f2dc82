//! [`Table`]: which actors of the tree are alive, and who waits for one of a name.
//!
//! It takes what the registrar was told, of starts, ends and questions, and gives what it knows.
//! It does not know who asks, how a waiter is answered or how an end is noticed; waiters are
//! numbers of the caller's. Read [`Entry`] first.
//!
//! Names may repeat: a name stands for all its actors, in the order in which they registered,
//! and the newest is the one that a question for one gets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use serde::{Deserialize, Serialize};
use tractor_ipc::{ActorId, Address};

/// What is known of one actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who it is.
    pub aid: ActorId,
    /// Where it listens, `None` if it does not.
    pub address: Option<Address>,
    /// Its process, as its own host counts.
    pub pid: u32,
    /// Who started it, `None` for the root.
    pub parent: Option<ActorId>,
}

/// The actors that registered and have not ended, and the waiters for others.
///
/// A waiter is a call that is awaiting its answer; how many there may be is limited where calls
/// are.
#[derive(Clone, Debug, Default)]
pub struct Table {
    names: BTreeMap<String, Name>,
    /// The place of each actor among all, which orders those of a name.
    places: BTreeMap<ActorId, u64>,
    next_place: u64,
    /// What each waiter waits for.
    waiters: BTreeMap<u64, String>,
    gone: Gone,
    closed: bool,
}

impl Table {
    /// Makes the table of a tree in which nobody has registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an actor that is ready, and gives the waiters that waited for one of its name, in
    /// ascending order: each is told of this entry, once.
    ///
    /// An actor that has registered before keeps its place, and its entry is replaced.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Gone`] if the actor's end has been told already: what it said last was
    /// overtaken by that, and it must not come to life again. [`RegisterError::Closed`] after
    /// [`close`](Self::close).
    pub fn register(&mut self, entry: Entry) -> Result<Vec<u64>, RegisterError> {
        if self.closed {
            return Err(RegisterError::Closed);
        }
        if self.gone.contains(&entry.aid) {
            return Err(RegisterError::Gone);
        }
        let place = *self
            .places
            .entry(entry.aid.clone())
            .or_insert(self.next_place);
        self.next_place = self.next_place.max(place + 1);
        let name = entry.aid.name().to_owned();
        let name = self.names.entry(name).or_insert_with(Name::nobody);
        let resolved = match name {
            Name::Present(entries) => {
                entries.insert(place, entry);
                BTreeSet::new()
            }
            Name::Awaited(waiters) => {
                let resolved = mem::take(waiters);
                *name = Name::Present(BTreeMap::from([(place, entry)]));
                resolved
            }
        };
        for waiter in &resolved {
            self.waiters.remove(waiter);
        }
        self.checked();
        Ok(resolved.into_iter().collect())
    }

    /// Takes out an actor that is about to end, or that could not be reached, and tells whether it
    /// was there. It may register again.
    pub fn unregister(&mut self, aid: &ActorId) -> bool {
        let Some(place) = self.places.remove(aid) else {
            return false;
        };
        if let Some(Name::Present(entries)) = self.names.get_mut(aid.name()) {
            entries.remove(&place);
            if entries.is_empty() {
                self.names.remove(aid.name());
            }
        }
        self.checked();
        true
    }

    /// Takes out an actor whose process has ended, for ever, and tells whether it was there.
    ///
    /// The end is remembered against a registration that comes later; it may be told of actors
    /// that never registered, and more than once.
    pub fn actor_gone(&mut self, aid: &ActorId) -> bool {
        self.gone.insert(aid);
        let was_there = self.unregister(aid);
        self.checked();
        was_there
    }

    /// The newest actor of this name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.all(name).next_back()
    }

    /// All actors of this name, in the order in which they registered.
    pub fn query(&self, name: &str) -> Vec<Entry> {
        self.all(name).cloned().collect()
    }

    /// The newest actor of this name, or if there is none makes `waiter` wait for one.
    ///
    /// # Errors
    ///
    /// [`Closed`] after [`close`](Self::close), if there is none: none will come.
    ///
    /// # Panics
    ///
    /// If `waiter` is waiting already.
    pub fn wait(&mut self, name: &str, waiter: u64) -> Result<Option<Entry>, Closed> {
        if let Some(entry) = self.find(name) {
            return Ok(Some(entry.clone()));
        }
        if self.closed {
            return Err(Closed);
        }
        let earlier = self.waiters.insert(waiter, name.to_owned());
        assert!(earlier.is_none(), "waiter {waiter} waits already");
        match self
            .names
            .entry(name.to_owned())
            .or_insert_with(Name::nobody)
        {
            Name::Awaited(waiters) => drop(waiters.insert(waiter)),
            nobody => *nobody = Name::Awaited(BTreeSet::from([waiter])),
        }
        self.checked();
        Ok(None)
    }

    /// Forgets a waiter that was cancelled, and tells whether it was waiting. One that has been
    /// resolved meanwhile is not.
    pub fn abandon_waiter(&mut self, waiter: u64) -> bool {
        let Some(name) = self.waiters.remove(&waiter) else {
            return false;
        };
        if let Some(Name::Awaited(waiters)) = self.names.get_mut(&name) {
            waiters.remove(&waiter);
            if waiters.is_empty() {
                self.names.remove(&name);
            }
        }
        self.checked();
        true
    }

    /// Takes in no more actors and no more waiters, and gives those that were waiting, in
    /// ascending order: each is refused. What is known can still be asked for.
    pub fn close(&mut self) -> Vec<u64> {
        self.closed = true;
        self.names
            .retain(|_, name| matches!(name, Name::Present(_)));
        let refused = mem::take(&mut self.waiters).into_keys().collect();
        self.checked();
        refused
    }

    fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        let entries = match self.names.get(name) {
            Some(Name::Present(entries)) => Some(entries.values()),
            Some(Name::Awaited(_)) | None => None,
        };
        entries.into_iter().flatten()
    }

    fn checked(&self) {
        if cfg!(debug_assertions) {
            self.check();
        }
    }

    /// Asserts what holds between any two operations.
    fn check(&self) {
        let (mut present, mut awaited) = (0, 0);
        for (name, state) in &self.names {
            match state {
                Name::Present(entries) => {
                    assert!(!entries.is_empty(), "a name without actors is forgotten");
                    present += entries.len();
                    for (place, entry) in entries {
                        assert_eq!(entry.aid.name(), name, "an actor stands under its name");
                        assert_eq!(self.places.get(&entry.aid), Some(place));
                        assert!(!self.gone.contains(&entry.aid), "the dead are not listed");
                    }
                }
                Name::Awaited(waiters) => {
                    assert!(!waiters.is_empty(), "a name without waiters is forgotten");
                    awaited += waiters.len();
                    for waiter in waiters {
                        assert_eq!(self.waiters.get(waiter), Some(name));
                    }
                }
            }
        }
        assert_eq!(present, self.places.len(), "an actor stands in one place");
        assert_eq!(awaited, self.waiters.len(), "a waiter waits for one name");
        assert!(
            !self.closed || awaited == 0,
            "nobody waits for what will not come"
        );
        self.gone.check();
    }
}

/// What there is to a name. Nobody waits for a name that is present, so that it is never both.
#[derive(Clone, Debug)]
enum Name {
    /// These actors have it, by their places. Left when the last one ends.
    Present(BTreeMap<u64, Entry>),
    /// These waiters want it. Left when an actor of that name registers, or with the last waiter.
    Awaited(BTreeSet<u64>),
}

impl Name {
    /// A name that is about to be filled.
    fn nobody() -> Self {
        Self::Present(BTreeMap::new())
    }
}

/// The actors whose end was told, the last [`GONE_MAX`] of them.
#[derive(Clone, Debug, Default)]
struct Gone {
    actors: BTreeSet<ActorId>,
    in_order: VecDeque<ActorId>,
}

impl Gone {
    fn contains(&self, aid: &ActorId) -> bool {
        self.actors.contains(aid)
    }

    fn insert(&mut self, aid: &ActorId) {
        if !self.actors.insert(aid.clone()) {
            return;
        }
        self.in_order.push_back(aid.clone());
        if self.in_order.len() > GONE_MAX
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.actors.remove(&oldest);
        }
    }

    fn check(&self) {
        assert_eq!(
            self.actors.len(),
            self.in_order.len(),
            "an end is remembered once"
        );
        assert!(
            self.in_order.len() <= GONE_MAX,
            "what is remembered is bounded"
        );
    }
}

/// Why an actor was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Its process has ended.
    #[error("the actor has ended already")]
    Gone,
    /// The tree is ending.
    #[error("the registrar is closed")]
    Closed,
}

/// The tree is ending: no actor will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registrar is closed")]
pub struct Closed;

/// How many ends are remembered.
///
/// What an actor said last is overtaken by the word of its death only while it lies in a socket's
/// buffer or with a relaying parent, for milliseconds. A machine starts, and so ends, some thousand
/// processes a second, so that this many take seconds. If a late one slips through nevertheless,
/// the first who fails to reach it has it unregistered.
const GONE_MAX: usize = 4096;

#[cfg(test)]
mod tests;
