//! T28, T29, T31 to T35, with contexts and streams: what is on its way when something ends.

use std::future::pending;
use std::time::Instant;

use futures::future::join_all;
use futures::{Stream, StreamExt, stream};
use tractor::{Context, Ending, Portal, Refusal, open_nursery, shield, wait_for_actor};

use crate::calls::pid;
use crate::chance::{Chance, give_up_after};
use crate::contexts::{echoes, nothing_runs, stays};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, hold, kill, ms, within};

#[tractor::rpc]
fn numbers(first: u64) -> impl Stream<Item = u64> {
    stream::iter(first..)
}

/// Sends without end, in pieces of so many bytes.
#[tractor::context]
async fn floods(ctx: Context<(), (), Vec<u8>>, bytes: usize) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut out, _nothing) = ctx.open_stream()?;
    loop {
        out.send(vec![1; bytes]).await?;
    }
}

/// T28. Streams flood a reader that reads a little, or nothing, and then no more. Calls on the
/// same link are answered, a cancel of the writer arrives, and so does one of a single stream.
pub(crate) async fn t28_flooded_reader_holds_nobody_up(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let mut unread = Vec::new();
        for _ in 0..3 {
            let mut numbers = writer.open_stream(numbers(7)).await?;
            for n in 0..chance.below(50_000) {
                assert_eq!(numbers.recv().await?, Some(7 + n));
            }
            unread.push(numbers);
        }
        let bytes = 1 << chance.below(20);
        let ended = writer
            .open_context(floods(bytes), async |ctx, ()| {
                let (_nothing, mut pieces) = ctx.open_stream()?;
                for _ in 0..chance.below(20) {
                    assert!(pieces.recv().await?.is_some());
                }
                let asked = Instant::now();
                for _ in 0..20 {
                    assert_eq!(writer.run(pid()).await?, writer.pid());
                }
                ctx.cancel();
                let error = ctx.result().await.expect_err("it never ends by itself");
                within(asked, PROMPT, "calls and a cancel beside full streams");
                assert!(error.is_cancelled(), "{error}");
                // What had arrived is there, and then the end.
                while pieces.recv().await?.is_some() {}
                tractor::Ok(())
            })
            .await;
        ended?;
        if chance.coin() {
            drop(unread);
            nothing_runs(&writer).await;
        } else {
            writer.cancel_actor().await?;
            for mut numbers in unread {
                let told = async {
                    while numbers.recv().await?.is_some() {}
                    tractor::Ok(())
                };
                let error = told.await.expect_err("it had no other end");
                assert!(error.is_cancelled(), "{error}");
            }
        }
        writer.cancel_actor().await
    })
    .await?;
    within(begin, BOUNDED, "ending with full streams");
    assert_alone();
    Ok(())
}

/// T29. Each side opens its end of the stream, sends and closes at a time of its own. All items
/// arrive, in their order, and the end behind them.
pub(crate) async fn t29_ends_are_opened_at_any_time(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("late").await?;
        for _ in 0..5 {
            let (mine, theirs) = (chance.below(3000), chance.below(3000));
            let waits = [(); 4].map(|()| chance.below(1500));
            let call = opens_late(theirs, [waits[0], waits[1]]);
            actor
                .open_context(call, async |ctx, ()| {
                    wait_micros(waits[2]).await;
                    let (mut out, mut back) = ctx.open_stream()?;
                    for n in 0..mine {
                        out.send(n).await?;
                    }
                    drop(out);
                    wait_micros(waits[3]).await;
                    for n in 0..theirs {
                        assert_eq!(back.recv().await?, Some(n));
                    }
                    assert_eq!(back.recv().await?, None);
                    assert_eq!(ctx.result().await?, mine);
                    tractor::Ok(())
                })
                .await?;
        }
        actor.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

async fn wait_micros(micros: u64) {
    async_std::task::sleep(std::time::Duration::from_micros(micros)).await;
}

#[tractor::context]
async fn opens_late(
    ctx: Context<(), u64, u64>,
    items: u64,
    waits: [u64; 2],
) -> tractor::Result<u64> {
    ctx.started(())?;
    wait_micros(waits[0]).await;
    let (mut out, mut numbers) = ctx.open_stream()?;
    for n in 0..items {
        out.send(n).await?;
    }
    drop(out);
    wait_micros(waits[1]).await;
    let mut read = 0;
    while let Some(n) = numbers.recv().await? {
        assert_eq!(n, read);
        read += 1;
    }
    Ok(read)
}

/// T31. A caller is killed before its context has started, while it streams, or when the result
/// is about to be sent. The callee drops that context alone: another caller's goes on.
pub(crate) async fn t31_caller_of_a_context_is_gone(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let callee = nursery.start_actor("callee").await?;
        callee
            .open_context(echoes(), async |ctx, _| {
                let (mut numbers, mut back) = ctx.open_stream()?;
                let inner = open_nursery(async |inner| {
                    let caller = inner.start_actor("caller").await?;
                    let process = hold(caller.pid());
                    let talk = async_std::task::spawn(caller.run(talk_with("callee".into())));
                    chance.pause(15).await;
                    kill(&process);
                    talk.await
                })
                .await;
                let error = inner.expect_err("it was killed");
                assert_eq!(error.signal(), Some(9), "{error}");
                for n in 0..1000 {
                    numbers.send(n).await?;
                    assert_eq!(back.recv().await?, Some(n));
                }
                tractor::Ok(())
            })
            .await?;
        nothing_runs(&callee).await;
        callee.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Opens contexts of all kinds with it, one after the other.
#[tractor::rpc]
async fn talk_with(name: String) -> tractor::Result<()> {
    let callee = wait_for_actor(&name).await?;
    loop {
        let short = callee.open_context(opens_late(0, [50, 50]), async |ctx, ()| {
            drop(ctx.open_stream()?);
            ctx.result().await
        });
        short.await?;
        let unread = callee.open_stream(numbers(0)).await?;
        let late = callee.open_context(stays(2), async |_, ()| tractor::Ok(()));
        give_up_after(ms(1), late).await;
        drop(unread);
    }
}

/// T32. Contexts and streams end in the very moment in which they begin, by the hundred. None of
/// them stays in a table, on either side.
pub(crate) async fn t32_finished_streams_leave_the_tables(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        for _ in 0..3 {
            let quick = join_all((0..30).map(|_| read_all(&worker, 0)));
            let short = join_all((0..20).map(|n| read_all(&worker, n * 10)));
            let dropped =
                join_all((0..20).map(|_| async { worker.open_stream(numbers(1)).await.map(drop) }));
            let at_once = join_all((0..20).map(|_| {
                let call = opens_late(0, [0, 0]);
                worker.open_context(call, async |_, ()| tractor::Ok(()))
            }));
            chance.pause(2).await;
            let (quick, short, dropped, at_once) = futures::join!(quick, short, dropped, at_once);
            let all = quick.into_iter().chain(short).chain(dropped).chain(at_once);
            all.collect::<tractor::Result<()>>()?;
            nothing_runs(&worker).await;
        }
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
fn some_numbers(n: u64) -> impl Stream<Item = u64> {
    stream::iter(0..n)
}

async fn read_all(worker: &Portal, n: u64) -> tractor::Result<()> {
    let read = worker.open_stream(some_numbers(n)).await?.count().await;
    assert_eq!(read as u64, n);
    Ok(())
}

/// T33. Tasks that send large items are dropped while these are on their way, beside a stream on
/// the same link. That one arrives whole, and its checksum is right.
pub(crate) async fn t33_dropped_sender_spoils_no_other_stream(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let steady = worker.open_context(echoes(), async |ctx, _| {
            let (mut numbers, mut back) = ctx.open_stream()?;
            let sending = async {
                for n in 0..20_000 {
                    numbers.send(n).await?;
                }
                numbers.close();
                tractor::Ok(())
            };
            let reading = async {
                for n in 0..20_000 {
                    assert_eq!(back.recv().await?, Some(n));
                }
                assert_eq!(back.recv().await?, None);
                tractor::Ok(())
            };
            futures::try_join!(sending, reading).map(drop)
        });
        let given_up = async {
            for _ in 0..8 {
                let bytes = 1 << (10 + chance.below(13));
                let large = worker.open_context(swallows(), async |ctx, ()| {
                    let (mut pieces, _nothing) = ctx.open_stream()?;
                    loop {
                        pieces.send(vec![7; bytes]).await?;
                    }
                });
                let ended: Option<tractor::Result<()>> =
                    give_up_after(chance.delay(8), large).await;
                assert!(ended.is_none(), "it sends for ever: {ended:?}");
            }
            tractor::Ok(())
        };
        futures::try_join!(steady, given_up)?;
        nothing_runs(&worker).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn swallows(ctx: Context<(), Vec<u8>, ()>) -> tractor::Result<()> {
    ctx.started(())?;
    let (_out, mut pieces) = ctx.open_stream()?;
    while let Some(piece) = pieces.recv().await? {
        assert!(piece.iter().all(|byte| *byte == 7));
    }
    Ok(())
}

/// T34. Contexts and streams are given up right after they were asked for, before the callee can
/// have started. Nothing of them is left on either side.
pub(crate) async fn t34_context_given_up_at_once_leaves_nothing(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        for _ in 0..50 {
            let context = worker.open_context(stays(chance.below(2)), async |_, ()| {
                pending::<tractor::Result<()>>().await
            });
            let numbers = worker.open_stream(numbers(0));
            let mut both = Box::pin(futures::future::join(context, numbers));
            assert!(futures::poll!(both.as_mut()).is_pending());
            if chance.coin() {
                chance.pause(1).await;
            }
        }
        nothing_runs(&worker).await;
        worker.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "giving up a hundred contexts and streams");
    assert_alone();
    Ok(())
}

/// T34. The same with a function that at once reads to the end, behind a shield. It hears of the
/// cancel wherever that finds it, before its first poll, in it or later.
pub(crate) async fn t34_cancel_ends_what_a_shield_reads(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        for _ in 0..100 {
            let context = worker.open_context(drains(), async |_, ()| {
                pending::<tractor::Result<()>>().await
            });
            let mut context = Box::pin(context);
            assert!(futures::poll!(context.as_mut()).is_pending());
            wait_micros(chance.below(300)).await;
        }
        nothing_runs(&worker).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn drains(ctx: Context<(), u64, ()>) -> tractor::Result<()> {
    ctx.started(())?;
    let (_out, mut numbers) = ctx.open_stream()?;
    let draining = shield(async move {
        while numbers.recv().await?.is_some() {}
        tractor::Ok(())
    });
    let error = draining.await.expect("nobody cancels the shield");
    error.map(|()| panic!("nobody has closed the stream"))
}

/// T35. Contexts are opened with an actor around the moment in which it is cancelled. Each ends,
/// cancelled or refused, and none is forgotten.
pub(crate) async fn t35_context_opened_during_cancel_ends(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let contexts: Vec<_> = (0..40)
            .map(|_| {
                let (worker, delay) = (worker.clone(), chance.delay(4));
                async_std::task::spawn(async move {
                    async_std::task::sleep(delay).await;
                    let body = async |_: &_, ()| pending::<tractor::Result<()>>().await;
                    worker.open_context(stays(0), body).await
                })
            })
            .collect();
        chance.pause(4).await;
        worker.cancel_actor().await?;
        for ended in join_all(contexts).await {
            let error = ended.expect_err("none ends well");
            let refused = matches!(error.ending(), Ending::Refused(Refusal::Closing));
            let lost = matches!(error.ending(), Ending::LinkLost { .. });
            assert!(error.is_cancelled() || refused || lost, "{error}");
        }
        eventually("it is reaped", async || {
            tractor::nurseries()
                .iter()
                .all(|nursery| nursery.children.is_empty())
        })
        .await;
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "contexts with one who ends");
    assert_alone();
    Ok(())
}
