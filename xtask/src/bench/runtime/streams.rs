//! Streams: an item there and back, many small ones, large ones, and what they do to others.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use futures::executor::block_on;
use futures::future::abortable;
use tractor::{Bytes, Context, OnExit, OpenContext, Portal, RecvStream};

use super::{Message, echo, seconds_since, times};
use crate::bench::raw::BLOCK_BYTES;
use crate::bench::{median, percentile};

/// Each round has a new process, because where the kernel puts it decides much.
const ROUNDS: usize = 9;

const ECHOES: usize = 10_000;
/// Until both sides know that looking pays.
const ECHOES_WARM_UP: usize = 1_000;

const SMALL: u64 = 4_000_000;
const SMALL_WARM_UP: u64 = 200_000;

/// 512 MiB a round, as on the plain side.
const BLOCKS: usize = 8 * 1024;
const BLOCKS_WARM_UP: usize = 256;

/// Calls beside a flood, one after the other.
const PINGS: usize = 2_000;

pub(super) async fn echo_round_trip() -> Result<f64> {
    let round = async || {
        with_actor(async |actor| Ok(actor.open_context(echoes(), median_echo).await?)).await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

pub(super) async fn small_items() -> Result<f64> {
    let round = async || {
        with_actor(async |actor| Ok(actor.open_context(numbers(), numbers_per_second).await?)).await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

pub(super) async fn blocks_of_bytes() -> Result<f64> {
    let round = async || {
        with_actor(async |actor| {
            let body = async |ctx: &OpenContext<_, Bytes, _>, ()| {
                let (_, mut blocks) = ctx.open_stream()?;
                rate_of_blocks(async || Ok(blocks.recv().await?.map_or(0, |it| it.len()))).await
            };
            actor.open_context(shared_blocks(), body).await
        })
        .await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

pub(super) async fn blocks_of_vec() -> Result<f64> {
    let round = async || {
        with_actor(async |actor| {
            let body = async |ctx: &OpenContext<_, Vec<u8>, _>, ()| {
                let (_, mut blocks) = ctx.open_stream()?;
                rate_of_blocks(async || Ok(blocks.recv().await?.map_or(0, |it| it.len()))).await
            };
            actor.open_context(plain_blocks(), body).await
        })
        .await
    };
    median(times(3, round).await?).context("no round was measured")
}

pub(super) async fn ping_beside_flood() -> Result<f64> {
    let round = async || {
        with_actor(async |actor| {
            let body = async |ctx: &OpenContext<_, u64, _>, ()| {
                let (_, numbers) = ctx.open_stream()?;
                slow_pings(actor, numbers).await
            };
            actor.open_context(flood(), body).await
        })
        .await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

async fn with_actor(body: impl AsyncFnOnce(&Portal) -> Result<f64>) -> Result<f64> {
    tractor::open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        body(&nursery.start_actor("stream").await?).await
    })
    .await
}

#[tractor::context]
async fn echoes(ctx: Context<(), Message, Message>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut back, mut items) = ctx.open_stream()?;
    while let Some(item) = items.recv().await? {
        back.send(item).await?;
    }
    Ok(())
}

async fn median_echo(ctx: &OpenContext<Message, Message, ()>, (): ()) -> Result<f64> {
    let (mut there, mut back) = ctx.open_stream()?;
    let mut times = Vec::with_capacity(ECHOES);
    for item in 0..ECHOES_WARM_UP + ECHOES {
        let started = Instant::now();
        there.send(Message::default()).await?;
        back.recv().await?.context("the echo has ended")?;
        if item >= ECHOES_WARM_UP {
            times.push(seconds_since(started));
        }
    }
    median(times).context("nothing was sent")
}

#[tractor::context]
async fn numbers(ctx: Context<(), (), u64>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut numbers, _) = ctx.open_stream()?;
    for number in 0..SMALL_WARM_UP + SMALL {
        numbers.send(number).await?;
    }
    Ok(())
}

async fn numbers_per_second(ctx: &OpenContext<(), u64, ()>, (): ()) -> Result<f64> {
    let (_, mut numbers) = ctx.open_stream()?;
    let mut started = Instant::now();
    let mut expected = 0;
    while let Some(number) = numbers.recv().await? {
        ensure!(number == expected, "{number} came for {expected}");
        expected += 1;
        if expected == SMALL_WARM_UP {
            started = Instant::now();
        }
    }
    ensure!(expected == SMALL_WARM_UP + SMALL, "only {expected} came");
    Ok(SMALL as f64 / seconds_since(started))
}

#[tractor::context]
async fn shared_blocks(ctx: Context<(), (), Bytes>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut blocks, _) = ctx.open_stream()?;
    let block = Bytes::from(vec![7; BLOCK_BYTES]);
    for _ in 0..BLOCKS_WARM_UP + BLOCKS {
        blocks.send(block.clone()).await?;
    }
    Ok(())
}

/// As who does not know of [`Bytes`] writes it: a few of them, for they are slow.
#[tractor::context]
async fn plain_blocks(ctx: Context<(), (), Vec<u8>>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut blocks, _) = ctx.open_stream()?;
    for _ in 0..BLOCKS_WARM_UP + BLOCKS / 8 {
        blocks.send(vec![7; BLOCK_BYTES]).await?;
    }
    Ok(())
}

/// Bytes per second of blocks until the stream ends; `next` gives the length of the next block.
async fn rate_of_blocks(mut next: impl AsyncFnMut() -> Result<usize>) -> Result<f64> {
    for _ in 0..BLOCKS_WARM_UP {
        ensure!(next().await? == BLOCK_BYTES, "a block of another length");
    }
    let started = Instant::now();
    let mut bytes = 0;
    loop {
        let len = next().await?;
        if len == 0 {
            return Ok(bytes as f64 / seconds_since(started));
        }
        bytes += len;
    }
}

#[tractor::context]
async fn flood(ctx: Context<(), (), u64>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut numbers, _) = ctx.open_stream()?;
    let mut number = 0;
    // Until nobody reads it any more.
    while numbers.send(number).await.is_ok() {
        number += 1;
    }
    Ok(())
}

/// The time of a call that 99 of 100 calls beside a flood of items do not exceed.
async fn slow_pings(actor: &Portal, mut numbers: RecvStream<u64>) -> Result<f64> {
    let (reading, stop) = abortable(async move {
        let mut count = 0;
        while let Ok(Some(_)) = numbers.recv().await {
            count += 1;
        }
        count
    });
    // On a thread of its own, as a busy reader is on an executor with several.
    let reader = thread::spawn(|| block_on(reading));
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let started = Instant::now();
        actor.run(echo(Message::default())).await?;
        times.push(seconds_since(started));
    }
    stop.abort();
    let ended = reader.join().map_err(|_| anyhow!("the reader panicked"))?;
    ensure!(ended.is_err(), "the flood has ended by itself");
    percentile(times, 0.99).context("nothing was called")
}
