//! Resting: a link that a waiter reads itself, again and again, is not watched in between.
//!
//! Were it watched, each frame would wake the leader as well, only to find that somebody else
//! reads, and taking the watch off and on costs two system calls for each wait. A link rests no
//! longer than the poll in which it was read; should that poll go on without reading, because the
//! user's code computes or blocks, the monitor has the link watched again after one or two of its
//! ticks. So nobody else's frames wait longer than that.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::engine;
use super::link::Link;

/// Whether a link rests.
#[derive(Debug, Default)]
pub(crate) struct Rest(AtomicU8);

/// It does not.
const AWAKE: u8 = 0;
/// Since a moment ago.
const FRESH: u8 = 1;
/// The monitor has seen it resting.
const SEEN: u8 = 2;

/// What the monitor has to do about a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tick {
    /// Nothing.
    Leave,
    /// Have it watched: its rest is over.
    Watch,
}

impl Rest {
    /// Begins, or begins anew; tells whether there was none.
    fn begin(&self) -> bool {
        self.0.swap(FRESH, Ordering::SeqCst) == AWAKE
    }

    /// Ends it; tells whether there was one, which is so for one of several that end it.
    fn end(&self) -> bool {
        self.0.load(Ordering::Relaxed) != AWAKE && self.0.swap(AWAKE, Ordering::SeqCst) != AWAKE
    }

    /// Some time has passed.
    fn tick(&self) -> Tick {
        let change = |from, to| {
            let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
            self.0.compare_exchange(from, to, set, fetch).is_ok()
        };
        match change(SEEN, AWAKE) {
            true => Tick::Watch,
            false => {
                change(FRESH, SEEN);
                Tick::Leave
            }
        }
    }
}

thread_local! {
    /// The link that the current poll lets rest; `None` outside of a [`Poll`].
    static RESTING: RefCell<Option<Option<Arc<Link>>>> = const { RefCell::new(None) };
}

/// A poll of a user's future. Its end is the end of the rest that began in it.
pub(super) struct Poll(Option<Option<Arc<Link>>>);

impl Poll {
    pub(super) fn begin() -> Self {
        Self(RESTING.with_borrow_mut(|current| current.replace(None)))
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let outer = self.0.take();
        let link = RESTING.with_borrow_mut(|current| std::mem::replace(current, outer));
        if let Some(link) = link.flatten() {
            watch(&link);
        }
    }
}

/// Lets a link that is not watched rest until the end of this poll. Where no end of it would be
/// seen, it is watched.
pub(super) fn begin(link: &Arc<Link>) {
    let before = RESTING.with_borrow_mut(|current| match current {
        Some(Some(resting)) if Arc::ptr_eq(resting, link) => Ok(None),
        Some(resting) => Ok(resting.replace(link.clone())),
        None => Err(()),
    });
    match before {
        Ok(before) => {
            if link.rest.begin() {
                engine().monitor.rest_began();
            }
            if let Some(before) = before {
                watch(&before);
            }
        }
        Err(()) => link.watch(|interest| interest.readable = true),
    }
}

/// Ends the rest of a link that is about to be read, and tells whether it rested, which means that
/// it is not watched.
pub(super) fn end(link: &Link) -> bool {
    let rested = link.rest.end();
    if rested {
        engine().monitor.rest_ended();
    }
    rested
}

/// Has a link watched, if it rests.
fn watch(link: &Link) {
    if end(link) {
        link.watch(|interest| interest.readable = true);
    }
}

/// The monitor's tick: has links watched that rest for too long.
pub(super) fn tick(links: impl IntoIterator<Item = Arc<Link>>) {
    for link in links {
        if link.rest.tick() == Tick::Watch {
            engine().monitor.rest_ended();
            link.watch(|interest| interest.readable = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_once() {
        let rest = Rest::default();
        assert!(!rest.end());
        assert!(rest.begin());
        assert!(!rest.begin(), "it goes on");
        assert!(rest.end());
        assert!(!rest.end());
    }

    #[test]
    fn the_monitor_ends_it_at_the_second_tick() {
        let rest = Rest::default();
        assert_eq!(rest.tick(), Tick::Leave);
        rest.begin();
        assert_eq!(rest.tick(), Tick::Leave);
        assert_eq!(rest.tick(), Tick::Watch);
        assert!(!rest.end(), "it is over");
        assert_eq!(rest.tick(), Tick::Leave);
    }

    #[test]
    fn what_is_read_in_between_rests_anew() {
        let rest = Rest::default();
        rest.begin();
        for _ in 0..3 {
            assert_eq!(rest.tick(), Tick::Leave);
            assert!(rest.end());
            rest.begin();
        }
        assert_eq!(rest.tick(), Tick::Leave);
        assert_eq!(rest.tick(), Tick::Watch);
    }
}
