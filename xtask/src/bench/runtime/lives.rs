//! Actors from their start to their reaping, without anybody below them.

use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, ensure};
use futures::future::try_join_all;
use tractor::{OnExit, open_nursery, open_nursery_with};

use super::{seconds_since, times};
use crate::bench::median;

const ROUNDS_ONE: usize = 100;
const ROUNDS_MANY: usize = 15;
const MANY: usize = 64;
/// The actors that are cancelled because another one failed.
const SIBLINGS: usize = 8;

pub(super) async fn ready() -> Result<f64> {
    let round = async || {
        open_nursery_with(OnExit::CancelDaemons, async |nursery| {
            let started = Instant::now();
            nursery.start_actor("ready").await?;
            Ok::<_, Error>(seconds_since(started))
        })
        .await
    };
    median(times(ROUNDS_ONE, round).await?).context("no round was measured")
}

pub(super) async fn many_ready() -> Result<f64> {
    let round = async || {
        open_nursery_with(OnExit::CancelDaemons, async |nursery| {
            let started = Instant::now();
            let start = |number| async move { nursery.start_actor(format!("{number}")).await };
            try_join_all((0..MANY).map(start)).await?;
            Ok::<_, Error>(seconds_since(started))
        })
        .await
    };
    median(times(ROUNDS_MANY, round).await?).context("no round was measured")
}

pub(super) async fn cancel_and_reap() -> Result<f64> {
    let round = async || {
        let cancelled = open_nursery(async |nursery| {
            let actor = nursery.start_actor("cancelled").await?;
            let cancelled = Instant::now();
            actor.cancel_actor().await?;
            Ok::<_, Error>(cancelled)
        })
        .await?;
        Ok(seconds_since(cancelled))
    };
    median(times(ROUNDS_ONE, round).await?).context("no round was measured")
}

pub(super) async fn one_cancels_all() -> Result<f64> {
    let round = async || {
        let mut failed_at = None;
        let result: Result<(), Error> = open_nursery(async |nursery| {
            let start = |number| nursery.run_in_actor(format!("sibling-{number}"), forever());
            let siblings = (0..SIBLINGS).map(|number| start(number).into_future());
            let _siblings = try_join_all(siblings).await?;
            let failing = nursery.start_actor("failing").await?;
            failed_at = Some(Instant::now());
            Ok(failing.run(fail()).await?)
        })
        .await;
        let passed = seconds_since(failed_at.context("not all actors were started")?);
        ensure!(result.is_err(), "the failure got lost");
        Ok(passed)
    };
    median(times(ROUNDS_MANY, round).await?).context("no round was measured")
}

#[tractor::rpc]
async fn forever() {
    std::future::pending().await
}

#[tractor::rpc]
async fn fail() -> Result<()> {
    Err(anyhow!("on purpose"))
}
