//! One stream of another actor, read by several tasks, each at its own speed.
//!
//! Run it with `cargo run --example broadcast`. A sensor's readings go to three tasks: one has to
//! have them all and is waited for, one wants the latest and skips what it was too slow for, one
//! gives up when it cannot keep up.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use futures::{Stream, stream};
use tractor::{Ending, Lag, OnExit, Refusal, Subscription, open_nursery_with};

/// A thousand readings.
#[tractor::rpc]
fn readings() -> impl Stream<Item = u64> {
    stream::iter(1..=1_000)
}

/// Reads to the end, and counts.
async fn read(name: &str, mut readings: Subscription<u64>) -> tractor::Result<()> {
    let (mut count, mut missed) = (0, 0);
    loop {
        match readings.recv().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => break,
            Err(error) => match error.ending() {
                Ending::Refused(Refusal::Lagged { items }) => missed += items,
                _ => return Err(error),
            },
        }
    }
    println!("{name}: {count} read, {missed} missed");
    Ok(())
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let sensor = nursery.start_actor("sensor").await?;
        let readings = sensor.open_stream(readings()).await?.broadcast(100);
        let recorder = readings.subscribe(Lag::Wait);
        let display = readings.subscribe(Lag::DropOldest);
        let alarm = readings.subscribe(Lag::Fail);
        // The recorder reads everything before the others come to it.
        read("recorder", recorder).await?;
        read("display", display).await?;
        read("alarm", alarm).await
    })
    .await
}
