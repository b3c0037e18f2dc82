//! A pipeline over four processes: an aggregator merges what two actors of its own stream, and the
//! root reads as much of it as it likes.
//!
//! Run it with `cargo run --example pipeline`. A finite pipeline runs through; an endless one is
//! cancelled midway, which ends all of it at once. Nobody sends more than its reader takes.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use tractor::prelude::*;

/// A function that only streams returns its stream.
#[tractor::rpc]
fn multiples(of: u64, count: usize) -> impl Stream<Item = u64> {
    stream::iter(1..).map(move |n| n * of).take(count)
}

/// Sends the sums of what its two actors send, and first of all their process ids.
#[tractor::context]
async fn aggregate(ctx: Context<[u32; 2], (), u64>, count: usize) -> tractor::Result<u64> {
    open_nursery(async |nursery| {
        let twos = nursery.start_actor("twos").await?;
        let threes = nursery.start_actor("threes").await?;
        ctx.started([twos.pid(), threes.pid()])?;
        let (mut sums, _nothing) = ctx.open_stream()?;

        let left = twos.open_stream(multiples(2, count)).await?;
        let right = threes.open_stream(multiples(3, count)).await?;
        let mut pairs = left.zip(right);
        let mut sent = 0;
        while let Some((left, right)) = pairs.next().await {
            sums.send(left? + right?).await?;
            sent += 1;
        }
        nursery.cancel(); // the two are daemons, and done
        tractor::Ok(sent)
    })
    .await
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    let pids = open_nursery(async |nursery| {
        let aggregator = nursery.start_actor("aggregator").await?;

        let finite = aggregator.open_context(aggregate(10_000), async |ctx, _pids| {
            let (_nothing, sums) = ctx.open_stream()?;
            let total = sums.try_fold(0, async |total, sum| Ok(total + sum)).await?;
            println!("{} sums, {total} in total", ctx.result().await?);
            tractor::Ok(())
        });
        finite.await?;

        let endless = aggregator.open_context(aggregate(usize::MAX), async |ctx, pids| {
            let (_nothing, sums) = ctx.open_stream()?;
            let first: Vec<u64> = sums.take(5).try_collect().await?;
            println!("the first of an endless stream: {first:?}");
            ctx.cancel();
            tractor::Ok(pids)
        });
        let pids = endless.await?;
        println!("{} of its {} sources are left", alive(&pids), pids.len());
        aggregator.cancel_actor().await?;
        tractor::Ok([aggregator.pid(), pids[0], pids[1]])
    })
    .await?;
    println!("{} of {} processes are left", alive(&pids), pids.len());
    Ok(())
}

fn alive(pids: &[u32]) -> usize {
    let lives = |pid: &&u32| Path::new("/proc").join(pid.to_string()).exists();
    pids.iter().filter(lives).count()
}
