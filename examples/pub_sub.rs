//! Publish and subscribe: an actor publishes prices by topic; others follow those that they want.
//!
//! Run it with `cargo run --example pub_sub`. The feed makes prices only of what somebody follows,
//! begins with the first follower and ends with the last.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures::{Stream, StreamExt, stream};
use tractor::prelude::*;
use tractor::{Lag, OnExit, Publisher, Topics, open_nursery_with};

type Price = (String, u64);

static PRICES: LazyLock<Publisher<String, u64>> = LazyLock::new(|| Publisher::new(feed, 64));

/// Prices without end, of the topics that are followed at the time.
fn feed(topics: Topics<String>) -> impl Stream<Item = tractor::Result<Price>> {
    let rounds = stream::iter(0..).map(move |round| {
        let prices = topics.current().into_iter();
        stream::iter(prices.map(move |topic| Ok((topic, 100 + round % 7))))
    });
    rounds.flatten()
}

#[tractor::rpc]
fn prices(of: Vec<String>) -> impl Stream<Item = tractor::Result<Price>> {
    PRICES.subscribe(of, Lag::Wait)
}

/// Follows some prices for a while, and tells of which topics it got how many.
#[tractor::rpc]
async fn follow(exchange: Portal, topics: Vec<String>) -> tractor::Result<BTreeMap<String, u32>> {
    let mut prices = exchange.open_stream(prices(topics)).await?;
    let mut seen = BTreeMap::new();
    for _ in 0..3_000 {
        if let Some(price) = prices.recv().await? {
            let (topic, _) = price?;
            *seen.entry(topic).or_default() += 1;
        }
    }
    Ok(seen)
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let exchange = nursery.start_actor("exchange").await?;
        let wanted: [&[&str]; 2] = [&["gold"], &["silver", "tin", "zinc"]];
        let mut followers = Vec::new();
        for (topics, name) in wanted.into_iter().zip(["goldsmith", "foundry"]) {
            let topics = topics.iter().map(ToString::to_string).collect();
            let call = follow(exchange.clone(), topics);
            followers.push((name, nursery.run_in_actor(name, call).await?));
        }
        for (name, follower) in followers {
            let seen = follower.result().await?;
            let (topics, prices): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
            println!(
                "{name}: {} prices of {}",
                prices.iter().sum::<u32>(),
                topics.join(", ")
            );
        }
        tractor::Ok(())
    })
    .await
}
