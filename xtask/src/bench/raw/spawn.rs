//! Starting processes: from the decision to the first sign of life.

use std::io::Read;
use std::process::Child;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use crate::bench::machine::{Machine, Pinned};
use crate::bench::median;
use crate::bench::peer::start_ready;

const ROUNDS_ONE: usize = 100;
const ROUNDS_MANY: usize = 15;
const MANY: usize = 64;
/// Each start keeps its thread until the new program is loaded, so that one thread alone does not
/// fill two cores.
const THREADS: usize = 2;

pub(super) fn ready(machine: &Machine) -> Result<f64> {
    let one = || {
        let started = Instant::now();
        let children = start(1)?;
        Ok((started, Instant::now(), children))
    };
    let anywhere = median_time(ROUNDS_ONE, one)?;
    // A process that stays where its parent runs need not wake another core first.
    let Some(pair) = machine.pair() else {
        return Ok(anywhere);
    };
    let _pinned = Pinned::to(pair.ours)?;
    Ok(anywhere.min(median_time(ROUNDS_ONE, one)?))
}

pub(super) fn sixty_four(_machine: &Machine) -> Result<f64> {
    median_time(ROUNDS_MANY, || {
        let started = Instant::now();
        let children = thread::scope(|scope| {
            let threads = [(); THREADS].map(|()| scope.spawn(|| start(MANY / THREADS)));
            let mut children = Vec::with_capacity(MANY);
            for thread in threads {
                children.extend(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
            }
            anyhow::Ok(children)
        })?;
        Ok((started, Instant::now(), children))
    })
}

/// Starts that many and returns when each has written its byte.
fn start(processes: usize) -> Result<Vec<Child>> {
    let mut running = Vec::with_capacity(processes);
    for _ in 0..processes {
        running.push(start_ready()?);
    }
    let mut children = Vec::with_capacity(processes);
    for (child, mut output) in running {
        output.read_exact(&mut [0])?;
        children.push(child);
    }
    Ok(children)
}

/// The median time of a round, which does not count the reaping after it.
fn median_time(
    rounds: usize,
    round: impl Fn() -> Result<(Instant, Instant, Vec<Child>)>,
) -> Result<f64> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let (started, ended, children) = round()?;
        times.push((ended - started).as_secs_f64());
        for mut child in children {
            let status = child.wait()?;
            ensure!(status.success(), "a started process ended with {status}");
        }
    }
    median(times).context("no round was measured")
}
