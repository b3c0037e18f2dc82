//! Actors that are killed, and what their nursery does about it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use anyhow::{Context, Error, Result, ensure};
use futures::future::{join, try_join_all};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tractor::open_nursery;

use super::orphans::{descriptor, exited};
use super::{grove, seconds_since, times};
use crate::bench::median;

const ROUNDS: usize = 15;
/// Twelve actors below the one that is killed.
const LEVELS: u32 = 2;
const ROUNDS_MANY: usize = 5;
const MANY: usize = 200;

/// How long it takes until nobody is left below an actor that is killed.
pub(super) async fn subtree_gone() -> Result<f64> {
    median(times(ROUNDS, async || kill_a_middle().await).await?).context("no round was measured")
}

async fn kill_a_middle() -> Result<f64> {
    let mut passed = None;
    let ended: Result<(), Error> = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let watching = async {
            let below = middle.run(grove::grown()).await?;
            let below = below.into_iter().map(u32::cast_signed).map(descriptor);
            let below = below.collect::<Result<Vec<_>>>()?;
            let process = descriptor(middle.pid().cast_signed())?;
            let started = Instant::now();
            pidfd_send_signal(&process, Signal::KILL)?;
            // The runtime's own threads deal with the death meanwhile.
            exited(&below)?;
            passed = Some(seconds_since(started));
            Ok::<_, Error>(())
        };
        let (held, watched) = join(middle.run(grove::hold(LEVELS)), watching).await;
        watched?;
        Ok(held?)
    })
    .await;
    passed.with_context(|| format!("it was not killed: {ended:?}"))
}

/// How long it takes until a nursery has told the deaths of all its children, which come at once.
pub(super) async fn many_told() -> Result<f64> {
    median(times(ROUNDS_MANY, async || kill_many().await).await?).context("no round was measured")
}

async fn kill_many() -> Result<f64> {
    let mut killed = None;
    let ended: Result<(), Error> = open_nursery(async |nursery| {
        let start = |number| nursery.start_actor(format!("{number}")).into_future();
        let children = try_join_all((0..MANY).map(start)).await?;
        let pids = children.iter().map(|child| child.pid().cast_signed());
        let children = pids.map(descriptor).collect::<Result<Vec<_>>>()?;
        // None is to end before it is killed, because another one was.
        children.iter().try_for_each(stop)?;
        killed = Some(Instant::now());
        for child in &children {
            pidfd_send_signal(child, Signal::KILL)?;
        }
        std::future::pending().await
    })
    .await;
    let passed = seconds_since(killed.context("they were not killed")?);
    let error = ended.err().context("they died")?;
    let error = error.downcast::<tractor::Error>()?;
    ensure!(error.group().len() == MANY, "not all were told: {error}");
    Ok(passed)
}

/// Stops a process, and waits until it stands still.
fn stop(process: &OwnedFd) -> Result<()> {
    pidfd_send_signal(process, Signal::STOP)?;
    let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    waitid(WaitId::PidFd(process.as_fd()), stopped)?;
    Ok(())
}
