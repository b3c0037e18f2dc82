//! A tree of actors, three below each, up and down.

use std::sync::LazyLock;
use std::time::Instant;

use anyhow::{Context, Error, Result, ensure};
use async_channel::{Receiver, Sender};
use futures::future::{select, try_join_all};
use tractor::{OnExit, open_nursery_with};

use super::{seconds_since, times};
use crate::bench::median;

const ROUNDS: usize = 15;
const LEVELS: u32 = 3;
const BELOW_EACH: usize = 3;
const ACTORS: usize = 39;

pub(super) async fn up_and_down() -> Result<f64> {
    let round = async || {
        let started = Instant::now();
        grow(LEVELS, async |pids| {
            ensure!(
                pids.len() == ACTORS,
                "{} actors instead of {ACTORS}",
                pids.len()
            );
            Ok(())
        })
        .await?;
        Ok(seconds_since(started))
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

/// Has so many levels of actors below this one. When all are ready at once `body` is told their
/// processes; when it has ended they are cancelled and reaped.
pub(super) async fn grow(levels: u32, body: impl AsyncFnOnce(&[u32]) -> Result<()>) -> Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let start = |number| async move { nursery.start_actor(format!("{levels}-{number}")).await };
        let actors = try_join_all((0..BELOW_EACH).map(start)).await?;
        let mut pids: Vec<u32> = actors.iter().map(|actor| actor.pid()).collect();
        if levels == 1 {
            return body(&pids).await;
        }
        // They hold what is below them as long as their calls run.
        let holding = try_join_all(actors.iter().map(|actor| actor.run(hold(levels - 1))));
        let grown = try_join_all(actors.iter().map(|actor| actor.run(grown())));
        let grown_and_done = async {
            pids.extend(grown.await?.into_iter().flatten());
            body(&pids).await
        };
        let holding = async { Err(holding.await.err().map_or_else(ended, Error::from)) };
        select(Box::pin(grown_and_done), Box::pin(holding))
            .await
            .factor_first()
            .0
    })
    .await
}

fn ended() -> Error {
    Error::msg("an actor let go of those below it")
}

/// Who stands below this actor, told once they are all ready.
static GROWN: LazyLock<(Sender<Vec<u32>>, Receiver<Vec<u32>>)> =
    LazyLock::new(|| async_channel::bounded(1));

/// Grows so many levels below the actor that runs this, and holds them.
#[tractor::rpc]
async fn hold(levels: u32) -> Result<()> {
    grow(levels, async |pids| {
        GROWN.0.send(pids.to_owned()).await?;
        std::future::pending().await
    })
    .await
}

/// Waits until everybody is ready below the actor that runs this.
#[tractor::rpc]
async fn grown() -> Result<Vec<u32>> {
    Ok(GROWN.1.recv().await?)
}
