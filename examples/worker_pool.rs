//! A pool of workers: calls of many items on a few processes, with a progress bar, and a worker
//! that is killed in the middle of an item.
//!
//! Run it with `cargo run --release --example worker_pool`. It tests numbers for being prime. One
//! of the workers is killed half-way through a number; another process takes its place and the
//! number is tried again. The bar is drawn on the standard error, if that is a terminal; the
//! results are printed in the order of the numbers, whichever was ready first.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process};
use tractor::Progress;
use tractor::prelude::*;

const NUMBERS: [u64; 8] = [
    112_272_535_095_293,
    112_582_705_942_171,
    115_280_095_190_773,
    115_797_848_077_099,
    1_099_726_899_285_419,
    64,
    112_272_535_095_295,
    112_272_535_095_293,
];
/// Whoever tests this one is killed, the first time.
const UNLUCKY: u64 = 115_280_095_190_773;

#[tractor::rpc]
async fn is_prime(n: u64) -> tractor::Result<bool> {
    let (half, end) = (n.isqrt() / 2, n.isqrt());
    let has_divisor = |mut range: std::ops::RangeInclusive<u64>| range.any(|d| n.is_multiple_of(d));
    if n < 2 || has_divisor(2..=half) {
        return Ok(false);
    }
    get_root()
        .await?
        .run(half_way(n, std::process::id()))
        .await?;
    Ok(!has_divisor(half.max(1) + 1..=end))
}

/// Runs in the root: does what a kernel without memory would do.
#[tractor::rpc]
fn half_way(n: u64, pid: u32) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if n == UNLUCKY && !DONE.swap(true, Ordering::Relaxed) {
        let pid = Pid::from_raw(pid.cast_signed()).expect("a pid is not 0");
        kill_process(pid, Signal::KILL).expect("it is our own child");
    }
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}");
    let bar = ProgressBar::new(NUMBERS.len() as u64).with_style(style.expect("it is well-formed"));
    let size = available_parallelism().map_or(1, usize::from).max(2);

    open_worker_pool(size, async |pool| {
        let drawn = bar.clone();
        let mut verdicts =
            pool.map(is_prime, NUMBERS)
                .retries(1)
                .on_progress(move |progress: Progress| {
                    drawn.set_position(progress.done as u64);
                    drawn.set_message(format!("({} tried again)", progress.retried));
                });
        for n in NUMBERS {
            let verdict = verdicts
                .next()
                .await
                .expect("there is one for each number")?;
            let is = if verdict { "is" } else { "is not" };
            bar.suspend(|| println!("{n} {is} prime"));
        }
        let Progress {
            done,
            failed,
            retried,
            ..
        } = verdicts.progress();
        println!("{done} done, {failed} failed, {retried} tried again");
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}
