//! [`Pace`]: whether a function may be polled for the first time where its call was read.
//!
//! Pure; times are durations since any fixed start.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// First polls that take longer than this on average are left to the executor.
const QUICK: Duration = Duration::from_micros(50);
/// A sample counts at most as this: a single interruption is forgotten after a few calls.
const SAMPLE_MAX: Duration = Duration::from_micros(400);
/// The unit of the moving average: 64 ns, so that a `u32` holds over four minutes.
const UNIT_NS: u128 = 64;
/// How long a function that held up the leader is left to the executor, at first. It doubles.
///
/// Being interrupted by others who need the processor looks like blocking: a short bar costs a
/// quick function little, and one that blocks is barred for seconds after some tries.
const BARRED: Duration = Duration::from_millis(16);
/// How often the time doubles at most, so that nobody is barred for good: up to a minute.
const DOUBLINGS_MAX: u32 = 12;

/// What is known about one function's first poll. Races between threads lose a sample at most.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    average: AtomicU32,
    /// Nanoseconds; 0 means never barred.
    barred_until: AtomicU64,
    strikes: AtomicU32,
}

impl Pace {
    /// Whether the next first poll may be made by the leader.
    pub(crate) fn is_quick(&self, now: Duration) -> bool {
        u128::from(self.average.load(Relaxed)) * UNIT_NS < QUICK.as_nanos()
            && u128::from(self.barred_until.load(Relaxed)) <= now.as_nanos()
    }

    /// A first poll took `time`.
    pub(crate) fn took(&self, time: Duration) {
        let sample =
            u32::try_from(time.min(SAMPLE_MAX).as_nanos() / UNIT_NS).unwrap_or(u32::MAX) / 8;
        let average = self.average.load(Relaxed);
        self.average.store(average - average / 8 + sample, Relaxed);
    }

    /// A first poll took so long that the leader's role was given to another thread. The bar is
    /// longer each time, unless the function has behaved for as long as its latest one.
    pub(crate) fn held_up(&self, now: Duration) {
        let bar_of = |strikes: u32| BARRED * (1 << strikes.min(DOUBLINGS_MAX));
        let strikes = self.strikes.load(Relaxed);
        let latest_end = Duration::from_nanos(self.barred_until.load(Relaxed));
        let behaved = strikes > 0 && now >= latest_end + bar_of(strikes - 1);
        let strikes = if behaved { 0 } else { strikes };
        let until = now + bar_of(strikes);
        self.strikes.store(strikes + 1, Relaxed);
        self.barred_until
            .store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_functions_lose_the_right_and_gain_it_back() {
        let pace = Pace::default();
        assert!(pace.is_quick(Duration::ZERO));
        for _ in 0..20 {
            pace.took(QUICK * 2);
        }
        assert!(!pace.is_quick(Duration::ZERO));
        for _ in 0..20 {
            pace.took(Duration::from_micros(1));
        }
        assert!(pace.is_quick(Duration::ZERO));
    }

    #[test]
    fn who_holds_up_the_leader_is_barred_for_longer_each_time() {
        let pace = Pace::default();
        let mut now = Duration::from_secs(5);
        for strikes in 0..20 {
            pace.held_up(now);
            let bar = BARRED * (1 << strikes.min(DOUBLINGS_MAX));
            assert!(!pace.is_quick(now + bar - Duration::from_nanos(1)));
            now += bar;
            assert!(pace.is_quick(now));
        }
    }

    #[test]
    fn who_behaves_for_as_long_as_its_bar_is_forgiven() {
        let pace = Pace::default();
        pace.held_up(Duration::ZERO);
        pace.held_up(BARRED);
        let forgiven = BARRED * 3 + BARRED * 2;
        pace.held_up(forgiven);
        assert!(
            pace.is_quick(forgiven + BARRED),
            "it was barred as at first"
        );
    }
}
