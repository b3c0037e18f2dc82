//! Breakpoints that are off: what they cost where the code runs all the time.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::seconds_since;
use crate::bench::median;

const ROUNDS: usize = 9;
const PASSES: u32 = 20_000_000;

/// The time that a breakpoint with debug mode off adds to a round of a loop.
pub(super) async fn disarmed() -> Result<f64> {
    let mut added = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for pass in 0..PASSES {
            black_box(pass);
        }
        let without = seconds_since(started);
        let started = Instant::now();
        for pass in 0..PASSES {
            tractor::breakpoint!(black_box(pass)).await;
            black_box(pass);
        }
        let with = seconds_since(started);
        added.push((with - without).max(0.0) / f64::from(PASSES));
    }
    median(added).context("no round was measured")
}
