//! The nursery map: which nursery of this actor owns which child.
//!
//! It is how the actor's own cancel reaches every child, how a nursery whose future was dropped
//! is waited for, and what statistics are made of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tractor_core::Cancellation;
use tractor_core::actor::Owner;
use tractor_core::io::link::Link;
use tractor_ipc::ActorId;

use crate::child::Child;
use crate::debugger;
use crate::nursery::{Inner, NurseryStatistics};

static NURSERIES: Mutex<Map> = Mutex::new(Map {
    by_number: BTreeMap::new(),
    wakers: Vec::new(),
});

struct Map {
    by_number: BTreeMap<u64, Arc<Inner>>,
    /// Woken when a nursery is over.
    wakers: Vec<Waker>,
}

/// Every nursery of this actor that has children or may have some, oldest first.
pub fn statistics() -> Vec<NurseryStatistics> {
    all().iter().map(|inner| inner.statistics()).collect()
}

pub(crate) fn next_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn add(inner: &Arc<Inner>) {
    lock().by_number.insert(inner.number, inner.clone());
}

pub(crate) fn remove(number: u64) {
    let (inner, wakers) = {
        let mut map = lock();
        (
            map.by_number.remove(&number),
            std::mem::take(&mut map.wakers),
        )
    };
    drop(inner);
    wakers.into_iter().for_each(Waker::wake);
}

pub(crate) fn find(number: u64) -> Option<Arc<Inner>> {
    lock().by_number.get(&number).cloned()
}

/// Whether no nursery has children any more; otherwise `waker` is woken when that may have
/// changed.
pub(crate) fn all_over(waker: &Waker) -> bool {
    let mut map = lock();
    let over = map.by_number.is_empty();
    if !over {
        map.wakers.push(waker.clone());
    }
    over
}

/// How many children there are or will be, in all nurseries.
pub(crate) fn population() -> usize {
    all().iter().map(|inner| inner.population()).sum()
}

/// So many requests for the terminal are below this child now.
pub(crate) fn holds_changed(child: &ActorId, count: u32) {
    let child = all().iter().find_map(|inner| inner.child(child));
    if let Some(child) = child {
        child.holds(count);
    }
}

/// No request for the terminal counts any more.
pub(crate) fn forget_holds() {
    for child in children() {
        child.holds(0);
    }
}

/// Every child of this actor, by nursery.
pub(crate) fn children() -> Vec<Arc<Child>> {
    all().iter().flat_map(|inner| inner.children()).collect()
}

/// Kills every child.
pub(crate) fn kill_all(cancellation: &Cancellation) {
    for inner in all() {
        inner.kill(cancellation);
    }
}

fn all() -> Vec<Arc<Inner>> {
    lock().by_number.values().cloned().collect()
}

fn lock() -> MutexGuard<'static, Map> {
    NURSERIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cancels every child when the actor is cancelled.
pub(crate) struct Nurseries;

impl Owner for Nurseries {
    fn cancel(&self, cancellation: &Cancellation, remaining: Duration) {
        debugger::closing();
        for inner in all() {
            // Also where the block runs outside of the actor's own scope, in a task or a thread.
            inner.cancel_from_around(cancellation, remaining);
        }
    }

    fn link_to_child(&self, aid: &ActorId) -> Option<Arc<Link>> {
        all().iter().find_map(|inner| inner.link_to_child(aid))
    }
}
