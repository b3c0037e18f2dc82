//! How the rate of streams depends on how many there are and how large their items are.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tractor::{Bytes, Context, OnExit, Portal, gather_contexts};

use super::machine::{Machine, pin_process};
use super::median;
use super::plot::Line;
use super::raw::bulk;

const STREAMS: [usize; 4] = [1, 2, 4, 8];

/// From 1 B to 16 MiB.
const SIZES: [usize; 13] = [
    1,
    4,
    16,
    64,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
];

/// How long each point is measured for, after as long to warm up.
const WINDOW: Duration = Duration::from_millis(150);

/// Each round has a new process, because where its memory lies decides something.
const ROUNDS: usize = 5;

/// A round of the plain side moves so many bytes, in at most so many blocks.
const PLAIN_BYTES: usize = 256 << 20;
const PLAIN_BLOCKS_MAX: usize = 200_000;

/// Bytes per second by item size: of a plain socket, then of so many streams between two actors.
pub(super) async fn measure(machine: &Machine) -> Result<Vec<Line>> {
    let plain = SIZES.iter().map(|size| {
        eprintln!("measuring a plain socket with {size} B");
        let blocks = (PLAIN_BYTES / size).clamp(16, PLAIN_BLOCKS_MAX);
        Ok((*size, bulk::rate(machine, *size, blocks, ROUNDS)?))
    });
    let mut lines = vec![Line {
        name: "plain socket, one write each".to_owned(),
        points: plain.collect::<Result<_>>()?,
    }];
    // As the plain side; where the kernel would put them decides much.
    let pair = machine.pair();
    pair.map_or(Ok(()), |pair| pin_process(pair.ours))?;
    let theirs = pair.map(|pair| pair.theirs);
    for streams in STREAMS {
        let mut points = Vec::new();
        for size in SIZES {
            eprintln!("measuring {streams} streams with {size} B");
            points.push((size, rate(streams, size, theirs).await?));
        }
        let plural = if streams == 1 { "" } else { "s" };
        let name = format!("{streams} stream{plural}");
        lines.push(Line { name, points });
    }
    Ok(lines)
}

async fn rate(streams: usize, size: usize, cpu: Option<usize>) -> Result<f64> {
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let round = tractor::open_nursery_with(OnExit::CancelDaemons, async |nursery| {
            let sender = nursery.start_actor("sender").await?;
            round(&sender, streams, size, cpu).await
        });
        rates.push(round.await?);
    }
    median(rates).context("no round was measured")
}

async fn round(sender: &Portal, streams: usize, size: usize, cpu: Option<usize>) -> Result<f64> {
    let calls = (0..streams).map(|_| (sender, send_all(size, cpu)));
    gather_contexts(calls, async |contexts, _started| {
        let begin = Instant::now() + WINDOW;
        let end = begin + WINDOW;
        let reads = contexts.iter().map(async |context| {
            let (_nothing, mut items) = context.open_stream()?;
            let (mut bytes, mut now) = (0, Instant::now());
            // Not so often that the clock is measured, nor so seldom that the window is missed.
            let often = (64 << 10) / size + 1;
            while now < end {
                for _ in 0..often {
                    let item = items.recv().await?.context("the sender has ended")?;
                    ensure!(item.len() == size, "an item of another length");
                }
                now = Instant::now();
                if now >= begin {
                    bytes += often * size;
                }
            }
            context.cancel();
            Ok(bytes)
        });
        let bytes: usize = try_join_all(reads).await?.into_iter().sum();
        Ok(bytes as f64 / WINDOW.as_secs_f64())
    })
    .await
}

/// Sends until nobody reads, on this processor.
#[tractor::context]
async fn send_all(ctx: Context<(), (), Bytes>, size: usize, cpu: Option<usize>) -> Result<()> {
    cpu.map_or(Ok(()), pin_process)?;
    ctx.started(())?;
    let (mut items, _nothing) = ctx.open_stream()?;
    let item = Bytes::from(vec![7; size]);
    while items.send(item.clone()).await.is_ok() {}
    Ok(())
}
