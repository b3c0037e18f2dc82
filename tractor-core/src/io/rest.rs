//! Resting: a link that a waiter reads itself, again and again, is not watched in between.
//!
//! Were it watched, each frame would wake the leader as well, only to find that somebody else
//! reads, and taking the watch off and on costs two system calls for each wait. A link rests no
//! longer than the poll in which it was read; should that poll go on without reading all that has
//! come, because the user's code computes or blocks, the monitor has the link watched again after
//! one or two of its ticks. So nobody else's frames wait longer than that.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

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

/// For how long a link has rested when it was taken out of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age(u8);

impl Age {
    /// It begins now: there was nothing left to read.
    pub(super) const FRESH: Self = Self(FRESH);
}

impl Rest {
    /// Begins, or goes on; tells whether there was none.
    fn begin(&self, age: Age) -> bool {
        self.0.swap(age.0, Ordering::SeqCst) == AWAKE
    }

    /// Ends it; tells its age if there was one, which is so for one of several that end it.
    fn end(&self) -> Option<Age> {
        if !self.is_on() {
            return None;
        }
        let age = self.0.swap(AWAKE, Ordering::SeqCst);
        (age != AWAKE).then_some(Age(age))
    }

    /// Whether there is one.
    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst) != AWAKE
    }

    /// Some time has passed: has the link watched with `watch` if it has rested for too long, and
    /// tells whether that was the end of it.
    fn tick(&self, watch: impl FnOnce()) -> bool {
        let change = |from, to| {
            let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
            self.0.compare_exchange(from, to, set, fetch).is_ok()
        };
        if self.0.load(Ordering::SeqCst) == SEEN {
            // At no moment it is neither watched nor at rest.
            watch();
            return change(SEEN, AWAKE);
        }
        change(FRESH, SEEN);
        false
    }
}

thread_local! {
    /// The link that the current poll lets rest; `None` outside of a [`Poll`].
    static RESTING: RefCell<Option<Option<Weak<Link>>>> = const { RefCell::new(None) };
}

/// A poll of a user's future. Its end is the end of the rest that began in it.
pub(super) struct Poll(Option<Option<Weak<Link>>>);

impl Poll {
    pub(super) fn begin() -> Self {
        Self(RESTING.with_borrow_mut(|current| current.replace(None)))
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let outer = self.0.take();
        let link = RESTING.with_borrow_mut(|current| std::mem::replace(current, outer));
        if let Some(link) = link.flatten().and_then(|link| link.upgrade()) {
            watch(&link);
        }
    }
}

/// Lets a link that is not watched rest until the end of this poll. Where no end of it would be
/// seen, or nobody is there to see that it lasts too long, it is watched.
pub(super) fn begin(link: &Arc<Link>, age: Age) {
    let before = RESTING.with_borrow_mut(|current| match current {
        Some(Some(resting)) if Weak::as_ptr(resting) == Arc::as_ptr(link) => Ok(None),
        Some(resting) => Ok(resting.replace(Arc::downgrade(link))),
        None => Err(()),
    });
    let Ok(before) = before else {
        return link.arm();
    };
    let is_seen = engine().monitor.rest_began();
    if !link.rest.begin(age) {
        engine().monitor.rest_ended();
    }
    if link.is_closed() {
        end(link);
    } else if !is_seen {
        watch(link);
    }
    if let Some(before) = before.and_then(|before| before.upgrade()) {
        watch(&before);
    }
}

/// Ends the rest of a link that is about to be read, and tells its age if it rested, which means
/// that it need not be watched.
pub(super) fn end(link: &Link) -> Option<Age> {
    let age = link.rest.end();
    if age.is_some() {
        engine().monitor.rest_ended();
    }
    age
}

/// Whether a link rests.
pub(super) fn is_on(link: &Link) -> bool {
    link.rest.is_on()
}

/// Has a link watched, if it rests.
fn watch(link: &Link) {
    if link.rest.is_on() {
        // First, so that at no moment it is neither watched nor at rest.
        link.arm();
        end(link);
    }
}

/// The monitor's tick: has links watched that rest for too long.
pub(super) fn tick(links: &[Arc<Link>]) {
    for link in links {
        if link.rest.tick(|| link.arm()) {
            engine().monitor.rest_ended();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the link was to be watched.
    fn ticked(rest: &Rest) -> bool {
        let mut watched = false;
        let ended = rest.tick(|| watched = true);
        assert_eq!(ended, watched, "nobody else is there");
        watched
    }

    #[test]
    fn a_rest_ends_once() {
        let rest = Rest::default();
        assert_eq!(rest.end(), None);
        assert!(rest.begin(Age::FRESH));
        assert!(!rest.begin(Age::FRESH), "it goes on");
        assert_eq!(rest.end(), Some(Age::FRESH));
        assert_eq!(rest.end(), None);
    }

    #[test]
    fn the_monitor_ends_it_at_the_second_tick() {
        let rest = Rest::default();
        assert!(!ticked(&rest));
        rest.begin(Age::FRESH);
        assert!(!ticked(&rest));
        assert!(ticked(&rest));
        assert_eq!(rest.end(), None, "it is over");
        assert!(!ticked(&rest));
    }

    #[test]
    fn what_is_read_to_its_end_in_between_rests_anew() {
        let rest = Rest::default();
        rest.begin(Age::FRESH);
        for _ in 0..3 {
            assert!(!ticked(&rest));
            rest.end().unwrap();
            rest.begin(Age::FRESH);
        }
        assert!(!ticked(&rest));
        assert!(ticked(&rest));
    }

    #[test]
    fn what_is_read_in_part_in_between_does_not() {
        let rest = Rest::default();
        rest.begin(Age::FRESH);
        assert!(!ticked(&rest));
        let age = rest.end().unwrap();
        rest.begin(age);
        assert!(ticked(&rest));
    }
}
