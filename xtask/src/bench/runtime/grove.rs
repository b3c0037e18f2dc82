//! A tree of actors, three below each, up and down.

use std::pin::pin;
use std::sync::LazyLock;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use async_channel::{Receiver, Sender};
use futures::future::{select, try_join_all};
use tractor::{OnExit, open_nursery_with};

use super::{seconds_since, times};
use crate::bench::median;

const ROUNDS: usize = 15;
const LEVELS: u32 = 3;
const BELOW_EACH: usize = 3;
const ACTORS: usize = 39;

/// The processes of actors.
type Pids = Vec<u32>;

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
        let mut pids: Pids = actors.iter().map(|actor| actor.pid()).collect();
        if levels == 1 {
            return body(&pids).await;
        }
        // They hold what is below them as long as their calls run.
        let holding = try_join_all(actors.iter().map(|actor| actor.run(hold(levels - 1))));
        let grown = try_join_all(actors.iter().map(|actor| actor.run(grown())));
        let body = async {
            pids.extend(grown.await?.into_iter().flatten());
            body(&pids).await
        };
        let holding = async {
            holding.await?;
            bail!("the actors let go of those below them")
        };
        let (first, _) = select(pin!(body), pin!(holding)).await.factor_first();
        first
    })
    .await
}

/// Who stands below this actor, told once they are all ready.
static GROWN: LazyLock<Announcement> = LazyLock::new(|| {
    let (tell, told) = async_channel::bounded(1);
    Announcement { tell, told }
});

struct Announcement {
    tell: Sender<Pids>,
    told: Receiver<Pids>,
}

/// Grows so many levels below the actor that runs this, and holds them.
#[tractor::rpc]
pub(super) async fn hold(levels: u32) -> Result<()> {
    grow(levels, async |pids| {
        GROWN.tell.send(pids.to_owned()).await?;
        std::future::pending().await
    })
    .await
}

/// Waits until everybody is ready below the actor that runs this.
#[tractor::rpc]
pub(super) async fn grown() -> Result<Pids> {
    Ok(GROWN.told.recv().await?)
}
