//! A cluster: one actor per core, with a context open on each, that share out a computation.
//!
//! Run it with `cargo run --release --example actor_cluster`. It counts the primes below a bound
//! in stripes: each actor takes the next one when it is done with its last, and adds up what it
//! found; the sums are its results, taken as they come.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Mutex;
use std::thread::available_parallelism;

use futures::StreamExt;
use futures::future::try_join_all;
use tractor::prelude::*;
use tractor::{OpenContext, gather_contexts, open_actor_cluster};

const BOUND: u64 = 1_000_000;
const STRIPE: u64 = 20_000;

/// Counts the primes of each stripe that it is sent; asks for the next by telling the last count.
#[tractor::context]
async fn count_primes(ctx: Context<(), u64, u64>) -> tractor::Result<u64> {
    ctx.started(())?;
    let (mut found, mut stripes) = ctx.open_stream()?;
    let mut total = 0;
    while let Some(from) = stripes.recv().await? {
        let count = (from..from + STRIPE).filter(|n| is_prime(*n)).count() as u64;
        total += count;
        found.send(count).await?;
    }
    Ok(total)
}

fn is_prime(n: u64) -> bool {
    n >= 2
        && (2..)
            .take_while(|d| d * d <= n)
            .all(|d| !n.is_multiple_of(d))
}

/// Has one actor count stripes until none is left.
async fn feed(
    actor: &OpenContext<u64, u64, u64>,
    stripes: &Mutex<impl Iterator<Item = u64>>,
) -> tractor::Result<u32> {
    let (mut send, mut found) = actor.open_stream()?;
    let mut done = 0;
    loop {
        let next = stripes
            .lock()
            .expect("nothing panics under the lock")
            .next();
        let Some(from) = next else { break };
        send.send(from).await?;
        if found.recv().await?.is_none() {
            break;
        }
        done += 1;
    }
    Ok(done)
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    let cores = available_parallelism().map_or(1, usize::from);
    let stripes = Mutex::new((0..BOUND).step_by(STRIPE as usize));
    let primes = open_actor_cluster(cores, async |actors| {
        let calls = actors.iter().map(|actor| (actor, count_primes()));
        gather_contexts(calls, async |contexts, _started| {
            let done = try_join_all(contexts.iter().map(|actor| feed(actor, &stripes))).await?;
            println!(
                "{} actors counted {} stripes",
                done.len(),
                done.iter().sum::<u32>()
            );
            let mut results = contexts.results();
            let mut sum = 0;
            while let Some((_, counted)) = results.next().await {
                sum += counted?;
            }
            tractor::Ok(sum)
        })
        .await
    })
    .await?;
    println!("{primes} primes below {BOUND}");
    Ok(())
}
