//! [`LookScore`]: whether it pays for a waiter to read the link itself.
//!
//! Pure. A wake-up through the leader costs a thread switch or two; looking costs processor time
//! that is lost if nothing comes. The score goes up with every look that hit and every wait that
//! turned out short, down with every miss and every long wait, and falls steeply when somebody
//! else needs the processor.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// A score is at most this, either way.
const BOUND: i32 = 8;
/// A waiter whose score says no looks nevertheless once in so many waits: conditions change, and
/// a score that never looks would never learn of it.
const PROBE_EVERY: u32 = 128;
/// A wait up to this long would have been found by looking.
const SHORT_WAIT: Duration = Duration::from_micros(100);
/// How much a look loses that was disturbed by others who need the processor.
const COMPETITION: i32 = 4;

/// The memory of one kind of waiter on one link. Races between its users lose a count at most.
#[derive(Debug)]
pub(crate) struct LookScore {
    score: AtomicI32,
    skipped: AtomicU32,
}

impl Default for LookScore {
    fn default() -> Self {
        Self::new()
    }
}

impl LookScore {
    pub(crate) const fn new() -> Self {
        Self {
            score: AtomicI32::new(BOUND / 2),
            skipped: AtomicU32::new(0),
        }
    }

    /// Whether to look now.
    pub(crate) fn worthwhile(&self) -> bool {
        if self.is_good() {
            return true;
        }
        let skipped = self.skipped.load(Relaxed).wrapping_add(1);
        self.skipped.store(skipped, Relaxed);
        skipped.is_multiple_of(PROBE_EVERY)
    }

    /// Whether looking has paid lately.
    pub(crate) fn is_good(&self) -> bool {
        self.score.load(Relaxed) > 0
    }

    /// Whether a look is a try more than a habit, and should be given twice the time.
    pub(crate) fn is_probing(&self) -> bool {
        self.score.load(Relaxed) <= 2
    }

    /// A look ended with what it looked for.
    pub(crate) fn hit(&self) {
        self.add(1);
    }

    /// A look ended with nothing.
    pub(crate) fn miss(&self) {
        self.add(-1);
    }

    /// A look was given up because somebody else needs the processor.
    pub(crate) fn disturbed(&self) {
        self.add(-COMPETITION);
    }

    /// A wait without looking took `time`.
    pub(crate) fn waited(&self, time: Duration) {
        self.add(if time <= SHORT_WAIT { 1 } else { -1 });
    }

    fn add(&self, n: i32) {
        self.score
            .store((self.score.load(Relaxed) + n).clamp(-BOUND, BOUND), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_end_looking_and_short_waits_bring_it_back() {
        let score = LookScore::new();
        assert!(score.worthwhile());
        for _ in 0..4 {
            score.miss();
        }
        assert!(!score.worthwhile());
        score.waited(SHORT_WAIT);
        assert!(score.worthwhile());
        score.waited(SHORT_WAIT * 2);
        assert!(!score.worthwhile());
    }

    #[test]
    fn a_bad_score_probes_now_and_then() {
        let score = LookScore::new();
        for _ in 0..100 {
            score.miss();
        }
        let looks = (0..10 * PROBE_EVERY).filter(|_| score.worthwhile()).count();
        assert_eq!(looks, 10);
    }

    #[test]
    fn the_score_is_bounded_so_that_it_learns_anew() {
        let score = LookScore::new();
        for _ in 0..1000 {
            score.hit();
        }
        score.disturbed();
        score.disturbed();
        assert!(!score.is_good());
    }
}
