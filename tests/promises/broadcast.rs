//! One stream for several tasks: each has every item, or is told what it missed. When some of them
//! leave while others wait is in `tests/scenarios/broadcasts.rs`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use futures::channel::mpsc;
use futures::future::{join_all, join3};
use futures::{SinkExt, Stream, StreamExt, stream};
use tractor::{Broadcast, Ending, Lag, Refusal, Subscription, open_nursery};

use crate::witness::{note, wait_for};

/// What a task gets to the end of its subscription.
async fn all<T: Clone + Send + 'static>(items: Subscription<T>) -> Vec<T> {
    items.map(Result::unwrap).collect().await
}

/// Polls once, for a task that waits and then is given up.
async fn finds_nothing<T: Clone + Send + 'static>(items: &mut Subscription<T>) {
    let mut next = pin!(items.recv());
    poll_fn(|cx| {
        assert!(next.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

fn missed(result: Option<Result<u64, tractor::Error>>) -> u64 {
    match result.expect("it lags").expect_err("it lags").ending() {
        Ending::Refused(Refusal::Lagged { items }) => *items,
        other => panic!("{other:?}"),
    }
}

#[tractor::rpc]
fn count_to(n: u64) -> impl Stream<Item = u64> {
    stream::iter(0..n)
}

#[tractor::test]
async fn each_task_gets_every_item_of_a_stream_from_another_actor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("counter").await?;
        let numbers = actor.open_stream(count_to(100_000)).await?;
        let numbers = numbers.broadcast(16);
        let all_there: Vec<_> = (0..4).map(|_| numbers.subscribe(Lag::Wait)).collect();
        let tasks = all_there
            .into_iter()
            .map(|items| async_std::task::spawn(all(items)));
        let expected: Vec<u64> = (0..100_000).collect();
        for read in join_all(tasks).await {
            assert_eq!(read, expected);
        }
        assert!(
            all(numbers.subscribe(Lag::Wait)).await.is_empty(),
            "it has ended"
        );
        actor.cancel_actor().await
    })
    .await
}

/// Counts for ever.
#[tractor::rpc]
fn count() -> impl Stream<Item = u64> {
    stream::unfold(0, async |n| {
        async_std::task::yield_now().await;
        Some((n, n + 1))
    })
}

#[tractor::test]
async fn who_lags_is_told_how_much_and_the_others_miss_nothing() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("counter").await?;
        let numbers = actor.open_stream(count()).await?.broadcast(10);
        let mut quick = numbers.subscribe(Lag::Wait);
        let mut lossy = numbers.subscribe(Lag::DropOldest);
        let mut strict = numbers.subscribe(Lag::Fail);
        for n in 0..1_000 {
            assert_eq!(quick.recv().await?, Some(n));
        }
        assert_eq!(missed(lossy.next().await), 990);
        assert_eq!(lossy.recv().await?, Some(990));
        assert_eq!(
            missed(strict.next().await),
            11,
            "it failed with the eleventh"
        );
        assert!(strict.next().await.is_none(), "its subscription is over");
        drop((quick, lossy, strict, numbers));
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn who_is_waited_for_holds_back_the_far_sender() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("counter").await?;
        let numbers = actor.open_stream(endless_kilobytes()).await?.broadcast(4);
        let mut quick = numbers.subscribe(Lag::Wait);
        let mut slow = numbers.subscribe(Lag::Wait);
        for _ in 0..4 {
            assert!(quick.recv().await?.is_some());
        }
        finds_nothing(&mut quick).await;
        // What the sender had under way when it began to matter has been sent.
        actor.run(wait_for("held back")).await?;
        assert!(slow.recv().await?.is_some());
        assert!(quick.recv().await?.is_some());
        drop((quick, slow, numbers));
        actor.run(wait_for("nobody reads")).await?;
        let sent = actor.run(kilobytes_sent()).await?;
        // A window of 1 MiB at most, and what has been read from it since.
        assert!((100..2_100).contains(&sent), "{sent}");
        actor.cancel_actor().await
    })
    .await
}

static SENT: AtomicU64 = AtomicU64::new(0);

#[tractor::rpc]
fn kilobytes_sent() -> u64 {
    SENT.load(Ordering::SeqCst)
}

/// Sends for ever, and notes when it is about to be held back.
#[tractor::rpc]
async fn endless_kilobytes() -> impl Stream<Item = tractor::Bytes> {
    let (mut out, items) = mpsc::channel(0);
    async_std::task::spawn(async move {
        let kilobyte = tractor::Bytes::from(vec![0; 1024]);
        while out.send(kilobyte.clone()).await.is_ok() {
            if SENT.fetch_add(1, Ordering::SeqCst) == 100 {
                note("held back");
            }
        }
        note("nobody reads");
    });
    items
}

#[tractor::rpc]
fn one_then_kill() -> impl Stream<Item = u64> {
    stream::unfold(0, async |n| {
        if n > 0 {
            wait_for("die").await;
            crate::support::signal(std::process::id(), tractor_core::process::Signal::Kill);
        }
        Some((n, n + 1))
    })
}

#[tractor::test]
async fn every_task_is_told_what_killed_the_sender() -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let actor = nursery.start_actor("mortal").await?;
        let numbers = actor.open_stream(one_then_kill()).await?.broadcast(4);
        let read = |mut items: Subscription<u64>| async move {
            assert_eq!(items.recv().await?, Some(0));
            let died = items.recv().await.expect_err("it was killed");
            assert_eq!(items.recv().await?, None, "told once");
            assert_eq!(died.signal(), Some(9), "{died}");
            tractor::Ok(died)
        };
        let readers =
            [Lag::Wait, Lag::DropOldest, Lag::Fail].map(|lag| read(numbers.subscribe(lag)));
        let [a, b, c] = readers;
        let killed = async { actor.run(crate::witness::tell("die")).await.err() };
        let told = tractor::shield(async { futures::join!(join3(a, b, c), killed) }).await;
        let ((a, b, c), _died_or_not) = told.expect("nobody else cancels it");
        b?;
        c?;
        Err(a?)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert!(error.group().is_empty(), "one death is told once: {error}");
    Ok(())
}

#[tractor::test]
async fn a_stream_that_panics_is_told_to_the_tasks_that_wait_for_it() -> tractor::Result<()> {
    let broken = stream::poll_fn(|_| -> Poll<Option<tractor::Result<u64>>> { panic!("broken") });
    let numbers = Broadcast::new(broken, 4);
    let (mut first, mut second) = (numbers.subscribe(Lag::Wait), numbers.subscribe(Lag::Wait));
    let panicked = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(first.recv()));
    assert!(panicked.await.is_err());
    let told = second.recv().await.expect_err("it is gone");
    assert!(told.is_panic(), "{told}");
    assert_eq!(second.recv().await?, None);
    Ok(())
}
