//! Streams: items in order, as fast as the reader reads, with one end and its cause.

use std::time::{Duration, Instant};

use futures::{SinkExt, Stream, StreamExt, stream};
use tractor::{Bytes, Context, Refusal, open_nursery};
use tractor_core::process::Signal;

use crate::support::signal;
use crate::witness::{NoteDrop, events, note, wait_for};

#[tractor::rpc]
fn count_to(n: u64) -> impl Stream<Item = u64> {
    stream::iter(0..n)
}

/// Counts for ever, one number after the other.
#[tractor::rpc]
async fn count() -> impl Stream<Item = u64> {
    let dropped = NoteDrop("dropped".to_owned());
    stream::unfold((0, dropped), async |(n, dropped)| {
        async_std::task::yield_now().await;
        Some((n, (n + 1, dropped)))
    })
}

#[tractor::test]
async fn a_function_that_streams_is_read_to_its_end() -> tractor::Result<()> {
    let here: Vec<_> = count_to(3).collect().await;
    assert_eq!(here, [0, 1, 2]);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("counter").await?;
        for n in [0, 1, 1_000_000] {
            let mut numbers = actor.open_stream(count_to(n)).await?;
            let mut next = 0;
            while let Some(number) = numbers.recv().await? {
                assert_eq!(number, next);
                next += 1;
            }
            assert_eq!(next, n);
            assert_eq!(numbers.recv().await?, None, "the end stays");
        }
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn dropping_a_stream_ends_its_function() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("counter").await?;
        let numbers = actor.open_stream(count()).await?;
        let first: Vec<_> = numbers.take(5).map(Result::unwrap).collect().await;
        assert_eq!(first, [0, 1, 2, 3, 4]);
        actor.run(wait_for("dropped")).await?;
        actor.cancel_actor().await
    })
    .await
}

/// So many numbers, then what `how` says.
#[tractor::rpc]
fn breaks_after(n: u64, how: String) -> impl Stream<Item = u64> {
    stream::iter(0..).map(move |i| {
        if i == n && how == "panics" {
            panic!("broken at {n}");
        }
        if i == n {
            signal(std::process::id(), Signal::Kill);
        }
        i
    })
}

#[tractor::test]
async fn what_was_sent_before_a_panic_arrives_before_it() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("broken").await?;
        let mut numbers = actor
            .open_stream(breaks_after(1000, "panics".into()))
            .await?;
        for n in 0..1000 {
            assert_eq!(numbers.recv().await?, Some(n));
        }
        let error = numbers.recv().await.expect_err("it panicked");
        assert!(
            error.is_panic() && error.to_string().contains("broken at 1000"),
            "{error}"
        );
        assert_eq!(numbers.recv().await?, None, "it is over");
        actor.cancel_actor().await
    })
    .await
}

/// Fault 4: what has arrived before a kill is read, then the death is told.
#[tractor::test]
async fn a_death_is_told_behind_the_items() -> tractor::Result<()> {
    let mut read = 0;
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let actor = nursery.start_actor("mortal").await?;
        let stream = breaks_after(5_000, "is killed".into());
        let mut numbers = actor.open_stream(stream).await?;
        // The nursery's block is cancelled by the death of its child.
        let reading = async {
            while let Some(n) = numbers.recv().await? {
                assert_eq!(n, read);
                read += 1;
            }
            tractor::Ok(())
        };
        let told = tractor::shield(reading)
            .await
            .expect("nobody else cancels it");
        let error = told.expect_err("the end is a death");
        assert_eq!(error.signal(), Some(9), "{error}");
        Err(error)
    })
    .await;
    assert!(read <= 5_000);
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert!(error.group().is_empty(), "one death is told once: {error}");
    Ok(())
}

/// Sends numbers as fast as it may, and notes how many were sent when the reader has gone.
#[tractor::context]
async fn flood(ctx: Context<(), (), u64>) -> tractor::Result<u64> {
    ctx.started(())?;
    let (mut out, _nothing) = ctx.open_stream()?;
    let mut sent = 0;
    loop {
        match out.send(sent).await {
            Ok(()) => sent += 1,
            Err(error) => {
                assert!(
                    matches!(
                        error.ending(),
                        tractor::Ending::Refused(Refusal::StreamStopped)
                    ),
                    "{error}"
                );
                note("stopped");
                return Ok(sent);
            }
        }
    }
}

#[tractor::test]
async fn a_reader_that_stops_reading_holds_its_writer_and_nobody_else() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("writer").await?;
        let sent = actor
            .open_context(flood(), async |ctx, ()| {
                let (_nothing, mut numbers) = ctx.open_stream()?;
                assert_eq!(numbers.recv().await?, Some(0));
                // The writer has used its credit and waits; calls and other streams go on.
                let begun = Instant::now();
                for _ in 0..100 {
                    actor.run(note_down()).await?;
                }
                let other: Vec<_> = actor.open_stream(count_to(100_000)).await?.collect().await;
                assert_eq!(other.len(), 100_000);
                assert!(begun.elapsed() < Duration::from_secs(10));
                let bytes = actor.run(memory()).await?;
                drop(numbers);
                actor.run(wait_for("stopped")).await?;
                let sent = ctx.result().await?;
                assert!(sent > 1000, "{sent}");
                // A number takes at most nine bytes and its count, and the window is 256 KiB.
                assert!(sent < 256 * 1024, "{sent} numbers were sent to nobody");
                tractor::Ok(bytes)
            })
            .await?;
        assert!(sent < 64 << 20, "{sent} bytes");
        actor.cancel_actor().await
    })
    .await
}

#[tractor::rpc]
async fn note_down() {
    note("called");
}

/// The resident memory of the actor, in bytes.
#[tractor::rpc]
async fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .expect("it says so");
    kib * 1024
}

#[tractor::test]
async fn a_reader_a_thousand_times_slower_costs_no_memory() -> tractor::Result<()> {
    const ITEMS: u64 = 1_000_000;
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("writer").await?;
        let before = actor.run(memory()).await?;
        let mut numbers = actor.open_stream(count_to(ITEMS)).await?;
        let mut peak = 0;
        for n in 0..ITEMS {
            assert_eq!(numbers.recv().await?, Some(n));
            // Writing one takes some 50 ns.
            let until =
                Instant::now() + Duration::from_micros(if n % 1000 == 0 { 2000 } else { 0 });
            while Instant::now() < until {
                async_std::task::yield_now().await;
            }
            if n % 100_000 == 0 {
                peak = peak.max(actor.run(memory()).await?);
            }
        }
        assert_eq!(numbers.recv().await?, None);
        let grown = peak.saturating_sub(before);
        assert!(grown < 8 << 20, "the writer grew by {grown} bytes");
        actor.cancel_actor().await
    })
    .await
}

#[tractor::context]
async fn echo(ctx: Context<(), Vec<Bytes>, Vec<Bytes>>) -> tractor::Result<()> {
    ctx.started(())?;
    let (out, blocks) = ctx.open_stream()?;
    blocks.forward(out).await
}

#[tractor::test]
async fn blocks_of_all_sizes_come_back_as_they_were() -> tractor::Result<()> {
    let block = |len: usize| -> Bytes { (0..len).map(|n| (n % 251) as u8).collect() };
    let item = |n: usize| vec![block(n), block(3), block(2 * n)];
    let sizes = [0, 1, 100, 16_383, 16_384, 70_000, 300_000, 3_000_000];
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("echo").await?;
        actor
            .open_context(echo(), async |ctx, ()| {
                let (mut out, mut back) = ctx.open_stream()?;
                let sending = async {
                    for size in sizes {
                        out.send(item(size)).await?;
                    }
                    // As a sink it is closed by this.
                    SinkExt::<Vec<Bytes>>::close(&mut out).await
                };
                let reading = async {
                    for size in sizes {
                        assert!(back.recv().await? == Some(item(size)), "{size}");
                    }
                    assert_eq!(back.recv().await?, None);
                    tractor::Ok(())
                };
                futures::try_join!(sending, reading).map(drop)
            })
            .await?;
        actor.cancel_actor().await
    })
    .await
}

#[tractor::rpc]
fn nothings(n: usize) -> impl Stream<Item = ()> {
    stream::repeat(()).take(n)
}

#[tractor::test]
async fn items_without_bytes_are_counted_right() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("nothing").await?;
        let count = actor.open_stream(nothings(700_000)).await?.count().await;
        assert_eq!(count, 700_000);
        actor.cancel_actor().await
    })
    .await
}

#[tractor::rpc]
fn results() -> impl Stream<Item = Result<u8, String>> {
    stream::iter([Ok(1), Err("two".to_owned()), Ok(3)])
}

#[tractor::test]
async fn an_item_may_be_a_result_of_its_own() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("results").await?;
        let items: Vec<_> = actor.open_stream(results()).await?.collect().await;
        let items: Vec<_> = items.into_iter().map(Result::unwrap).collect();
        assert_eq!(items, [Ok(1), Err("two".to_owned()), Ok(3)]);
        actor.cancel_actor().await
    })
    .await
}

/// Reads until the other side closes, then answers with the sum.
#[tractor::context]
async fn sums(ctx: Context<(), u64, u64>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    let mut sum = 0;
    while let Some(n) = numbers.recv().await? {
        sum += n;
    }
    note("heard the end");
    out.send(sum).await
}

#[tractor::test]
async fn one_way_closes_and_the_other_goes_on() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("sums").await?;
        actor
            .open_context(sums(), async |ctx, ()| {
                let (mut numbers, mut answer) = ctx.open_stream()?;
                for n in 1..=1000 {
                    numbers.send(n).await?;
                }
                drop(numbers);
                assert_eq!(answer.recv().await?, Some(500_500));
                assert_eq!(answer.recv().await?, None);
                Ok::<_, tractor::Error>(())
            })
            .await?;
        assert_eq!(actor.run(events()).await?, ["heard the end"]);
        actor.cancel_actor().await
    })
    .await
}

/// T29: what is sent before the other side has opened its stream is there when it does.
#[tractor::context]
async fn opens_late(ctx: Context<(), u64, ()>) -> tractor::Result<u64> {
    ctx.started(())?;
    wait_for("may open").await;
    let (_out, numbers) = ctx.open_stream()?;
    Ok(numbers
        .map(Result::unwrap)
        .collect::<Vec<_>>()
        .await
        .iter()
        .sum())
}

#[tractor::test]
async fn items_wait_for_a_stream_that_is_opened_late() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("late").await?;
        actor
            .open_context(opens_late(), async |ctx, ()| {
                let (mut numbers, _nothing) = ctx.open_stream()?;
                for n in 1..=100 {
                    numbers.send(n).await?;
                }
                drop(numbers);
                actor.run(crate::witness::tell("may open")).await?;
                assert_eq!(ctx.result().await?, 5050);
                tractor::Ok(())
            })
            .await?;
        actor.cancel_actor().await
    })
    .await
}
