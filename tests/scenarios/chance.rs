//! Chance that can be repeated: a seed decides every delay and order of a scenario.

use std::future::Future;
use std::time::Duration;

/// A small generator of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// Up to so many milliseconds, as often close to nothing as close to the whole.
    pub(crate) fn delay(&mut self, millis: u64) -> Duration {
        let micros = self.below(millis * 1000 + 1);
        Duration::from_micros(if self.coin() { micros } else { micros / 16 })
    }

    /// Lets so much time pass.
    pub(crate) async fn pause(&mut self, millis: u64) {
        async_std::task::sleep(self.delay(millis)).await;
    }
}

/// Drops a future after so much time, without a deadline that would travel with its calls.
pub(crate) async fn give_up_after<F: Future>(after: Duration, future: F) -> Option<F::Output> {
    async_std::future::timeout(after, future).await.ok()
}
