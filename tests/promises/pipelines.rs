//! A19: streams made of streams, over several actors: what one end does, the other end sees.

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use tractor::{CancelScope, Context, Portal, open_nursery};
use tractor_core::process::Signal;

use crate::spawning::who;
use crate::support::{is_alive, signal};
use crate::witness::{NoteDrop, wait_for};

/// Every second number, from `first` on, below `end`.
#[tractor::rpc]
fn every_second(first: u64, end: u64) -> impl Stream<Item = u64> {
    let dropped = NoteDrop("dropped".to_owned());
    stream::iter((first..end).step_by(2)).map(move |n| {
        let _ = &dropped;
        assert_ne!(n, BROKEN, "the broken number");
        n
    })
}

/// The number that breaks a streamer.
const BROKEN: u64 = 1_000_000_007;

/// Merges what two actors of its own stream. First it tells who takes part; its result is how
/// many numbers went through.
#[tractor::context]
async fn aggregate(ctx: Context<[u32; 3], (), u64>, from: u64, end: u64) -> tractor::Result<u64> {
    open_nursery(async |nursery| {
        let even = nursery.start_actor("even").await?;
        let odd = nursery.start_actor("odd").await?;
        ctx.started([std::process::id(), even.pid(), odd.pid()])?;
        let (mut merged, _nothing) = ctx.open_stream()?;
        let evens = even.open_stream(every_second(from, end)).await?;
        let odds = odd.open_stream(every_second(from + 1, end)).await?;
        let mut both = stream::select(evens, odds);
        let mut count = 0;
        while let Some(number) = both.next().await {
            merged.send(number?).await?;
            count += 1;
        }
        nursery.cancel();
        tractor::Ok(count)
    })
    .await
}

fn check_gone(pids: &[u32]) {
    let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.is_empty(), "{left:?} of {pids:?} are left");
}

#[tractor::test]
async fn a_pipeline_of_four_processes_runs_through() -> tractor::Result<()> {
    const END: u64 = 20_000;
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let aggregator = nursery.start_actor("aggregator").await?;
        let pids = aggregator
            .open_context(aggregate(0, END), async |ctx, pids| {
                let (_nothing, mut merged) = ctx.open_stream()?;
                let mut next = [0, 1];
                while let Some(number) = merged.recv().await? {
                    let next = &mut next[(number % 2) as usize];
                    assert_eq!(number, *next, "each source is in order");
                    *next += 2;
                }
                assert_eq!(next, [END, END + 1]);
                assert_eq!(ctx.result().await?, END);
                tractor::Ok(pids)
            })
            .await?;
        check_gone(&pids[1..]);
        let mut all = vec![std::process::id()];
        all.extend(pids);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
        aggregator.cancel_actor().await
    })
    .await?;
    assert!(begin.elapsed() < Duration::from_secs(10));
    Ok(())
}

#[tractor::test]
async fn a_pipeline_that_is_cancelled_midway_ends_as_a_whole() -> tractor::Result<()> {
    let scope = CancelScope::new();
    let asked = scope.clone();
    let mut everybody = Vec::new();
    let mut begin = Instant::now();
    let ended = scope
        .run(open_nursery(async |nursery| {
            let aggregator = nursery.start_actor("aggregator").await?;
            aggregator
                .open_context(aggregate(0, BROKEN), async |ctx, pids| {
                    everybody.extend(pids);
                    let (_nothing, mut merged) = ctx.open_stream()?;
                    for _ in 0..1000 {
                        assert!(merged.recv().await?.is_some());
                    }
                    begin = Instant::now();
                    asked.cancel();
                    // It is dropped here, wherever it waits.
                    while merged.recv().await?.is_some() {}
                    tractor::Ok(())
                })
                .await
        }))
        .await;
    assert!(ended.is_err() || ended.is_ok_and(|ended| ended.is_err_and(|e| e.is_cancelled())));
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(everybody.len(), 3);
    check_gone(&everybody);
    Ok(())
}

#[tractor::test]
async fn a_reader_that_stops_ends_the_sources_and_nothing_else() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let aggregator = nursery.start_actor("aggregator").await?;
        let pids = aggregator
            .open_context(aggregate(0, BROKEN), async |ctx, pids| {
                let (_nothing, mut merged) = ctx.open_stream()?;
                assert!(merged.recv().await?.is_some());
                ctx.cancel();
                ctx.result().await.expect_err("it has no end of its own");
                tractor::Ok(pids)
            })
            .await?;
        check_gone(&pids[1..]);
        assert_eq!(aggregator.run(who()).await?.pid, pids[0], "it still serves");
        aggregator.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_panic_of_a_source_is_told_at_the_other_end_with_its_place() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let aggregator = nursery.start_actor("aggregator").await?;
        let mut everybody = Vec::new();
        let ended: tractor::Result<()> = aggregator
            .open_context(aggregate(BROKEN - 1001, u64::MAX), async |ctx, pids| {
                everybody.extend(pids);
                let (_nothing, mut merged) = ctx.open_stream()?;
                while merged.recv().await?.is_some() {}
                std::future::pending().await
            })
            .await;
        let error = ended.expect_err("a source is broken");
        assert!(error.is_panic(), "{error}");
        assert!(error.to_string().contains("the broken number"), "{error}");
        // The numbers begin with an even one.
        assert_eq!(error.origin().name(), "odd", "{error}");
        assert!(
            error.to_string().contains("relayed by 'aggregator'"),
            "{error}"
        );
        check_gone(&everybody[1..]);
        aggregator.cancel_actor().await
    })
    .await
}

/// Passes on what the next of `rest` streams, or counts itself if there is none.
#[tractor::context]
async fn relay(ctx: Context<(), (), u64>, rest: Vec<Portal>) -> tractor::Result<()> {
    let _dropped = NoteDrop("relay dropped".to_owned());
    ctx.started(())?;
    let (mut out, _nothing) = ctx.open_stream()?;
    let Some((next, rest)) = rest.split_first() else {
        for n in 0.. {
            out.send(n).await?;
        }
        return Ok(());
    };
    next.open_context(relay(rest.to_vec()), async |ctx, ()| {
        let (_nothing, mut numbers) = ctx.open_stream()?;
        while let Some(n) = numbers.recv().await? {
            out.send(n).await?;
        }
        tractor::Ok(())
    })
    .await
}

/// The links of the chain are not those of parents and children.
#[tractor::test]
async fn a_chain_of_siblings_ends_from_its_reader_to_its_source() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let mut chain = Vec::new();
        for name in ["first", "second", "third"] {
            chain.push(nursery.start_actor(name).await?);
        }
        let first = &chain[0];
        let context = first.open_context(relay(chain[1..].to_vec()), async |ctx, ()| {
            let (_nothing, mut numbers) = ctx.open_stream()?;
            for n in 0..10_000 {
                assert_eq!(numbers.recv().await?, Some(n));
            }
            ctx.cancel();
            tractor::Ok(())
        });
        context.await?;
        for actor in &chain {
            actor.run(wait_for("relay dropped")).await?;
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}

#[tractor::test]
async fn a_chain_whose_middle_is_killed_ends_at_both_ends() -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let first = nursery.start_actor("first").await?;
        let third = nursery.start_actor("third").await?;
        // The death of the second is the business of a nursery of its own.
        let inner: tractor::Result<()> = open_nursery(async |inner| {
            let second = inner.start_actor("second").await?;
            let pid = second.pid();
            let chain = relay(vec![second, third.clone()]);
            let talk = first.open_context(chain, async |ctx, ()| {
                let (_nothing, mut numbers) = ctx.open_stream()?;
                for n in 0..1000 {
                    assert_eq!(numbers.recv().await?, Some(n));
                }
                signal(pid, Signal::Kill);
                while numbers.recv().await?.is_some() {}
                std::future::pending().await
            });
            talk.await
        })
        .await;
        let error = inner.expect_err("the second was killed");
        let mut all = error.group().iter().chain([&error]);
        assert!(all.any(|error| error.signal() == Some(9)), "{error}");
        first.run(wait_for("relay dropped")).await?;
        third.run(wait_for("relay dropped")).await?;
        nursery.cancel();
        tractor::Ok(())
    })
    .await;
    ended
}
