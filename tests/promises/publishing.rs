//! A publisher's feed runs while somebody subscribes, and each gets its topics, from any actor.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, StreamExt, stream};
use tractor::{Ending, Lag, Misuse, OnExit, Portal, Publisher, Refusal, Topics};
use tractor::{open_nursery, open_nursery_with};
use tractor_core::process::Signal;

use crate::support::signal;
use crate::witness::{NoteDrop, events, note, wait_for, wait_for_times};

type Item = (String, u64);

static TICKS: LazyLock<Publisher<String, u64>> = LazyLock::new(|| Publisher::new(feed, 8));

/// A tick of each topic that is wanted, in turn; notes what is wanted.
fn feed(mut topics: Topics<String>) -> impl Stream<Item = tractor::Result<Item>> {
    note("feed begins");
    let dropped = NoteDrop("feed ends".to_owned());
    let (out, ticks) = futures::channel::mpsc::unbounded();
    let changes = async move {
        loop {
            let wanted: Vec<_> = topics.changed().await.into_iter().collect();
            note(format!("wanted: {}", wanted.join(" ")));
            if out.unbounded_send(wanted).is_err() {
                return;
            }
        }
    };
    let changes = stream::once(changes).filter_map(async |()| None);
    let ticks = stream::unfold(
        (ticks, Vec::new(), 0),
        async |(mut ticks, mut wanted, n)| {
            if let Ok(changed) = ticks.try_recv() {
                wanted = changed;
            }
            async_std::task::yield_now().await;
            let item = wanted.get(n as usize % wanted.len().max(1)).cloned();
            Some((item.map(|topic| Ok((topic, n))), (ticks, wanted, n + 1)))
        },
    );
    let ticks = ticks.filter_map(async |item| item);
    stream::select(changes, ticks).inspect(move |_| _ = &dropped)
}

#[tractor::rpc]
fn ticks(of: Vec<String>) -> impl Stream<Item = tractor::Result<Item>> {
    TICKS.subscribe(of, Lag::DropOldest)
}

fn topics(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The topics of the next items, without notices of a lag.
async fn next_topics(
    ticks: &mut tractor::RecvStream<tractor::Result<Item>>,
    items: usize,
) -> tractor::Result<Vec<String>> {
    let mut seen = Vec::new();
    while seen.len() < items {
        if let Ok((topic, _)) = ticks.recv().await?.expect("the feed goes on") {
            seen.push(topic);
        }
    }
    seen.sort();
    seen.dedup();
    Ok(seen)
}

#[tractor::test]
async fn each_actor_gets_its_topics_and_the_feed_runs_while_somebody_wants_one()
-> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let ticker = nursery.start_actor("ticker").await?;
        for round in 1..=3 {
            let mut a = ticker.open_stream(ticks(topics(&["a"]))).await?;
            let mut bc = ticker.open_stream(ticks(topics(&["b", "c"]))).await?;
            ticker.run(wait_for_times("wanted: a b c", round)).await?;
            assert_eq!(next_topics(&mut a, 1_000).await?, ["a"]);
            assert_eq!(next_topics(&mut bc, 1_000).await?, ["b", "c"]);
            drop(a);
            ticker.run(wait_for_times("wanted: b c", round)).await?;
            assert_eq!(next_topics(&mut bc, 1_000).await?, ["b", "c"]);
            drop(bc);
            ticker.run(wait_for_times("feed ends", round)).await?;
        }
        let feeds = ["feed begins", "feed ends"];
        let told = ticker.run(events()).await?;
        let told = told.iter().filter(|event| feeds.contains(&event.as_str()));
        let expected = feeds.iter().cycle().take(6);
        assert!(told.eq(expected), "one feed at a time");
        Ok(())
    })
    .await
}

/// Reads a tick of another actor, then waits for ever.
#[tractor::rpc]
async fn read_on(ticker: Portal) -> tractor::Result<()> {
    let mut ticks = ticker.open_stream(ticks(topics(&["a"]))).await?;
    next_topics(&mut ticks, 1).await?;
    note("reads");
    std::future::pending().await
}

#[tractor::test]
async fn a_subscriber_that_is_killed_has_left() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let ticker = nursery.start_actor("ticker").await?;
        let died: tractor::Result<()> = open_nursery(async |inner| {
            let reader = inner.start_actor("reader").await?;
            let reads = reader.run(read_on(ticker.clone()));
            let kill = async {
                reader.run(wait_for("reads")).await?;
                signal(reader.pid(), Signal::Kill);
                tractor::Ok(())
            };
            let (read, ()) = futures::future::try_join(reads, kill).await?;
            Ok(read)
        })
        .await;
        assert_eq!(died.expect_err("it was killed").signal(), Some(9));
        ticker.run(wait_for("feed ends")).await?;
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_feed_that_fails_is_told_to_those_there_and_begun_again_for_the_next()
-> tractor::Result<()> {
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    let feed = |_: Topics<u8>| {
        let round = BEGUN.fetch_add(1, Ordering::SeqCst);
        let failure = tractor::Error::new(
            tractor::current_actor().expect("it is one").aid().clone(),
            Ending::LinkLost {
                reason: format!("round {round}"),
            },
        );
        stream::iter([Ok((1, round)), Err(failure)])
    };
    let publisher = Publisher::new(feed, 4);
    for round in 0..3 {
        let mut there = [(); 2].map(|()| publisher.subscribe([1], Lag::Wait));
        for items in &mut there {
            assert_eq!(items.recv().await?, Some((1, round)));
            let failed = items.recv().await.expect_err("the feed failed");
            assert!(
                failed.to_string().contains(&format!("round {round}")),
                "{failed}"
            );
            assert_eq!(items.recv().await?, None);
        }
    }
    assert_eq!(BEGUN.load(Ordering::SeqCst), 3);
    Ok(())
}

#[tractor::test]
async fn who_is_slow_for_one_topic_holds_back_no_other_unless_it_says_so() -> tractor::Result<()> {
    let feed = |_| stream::iter((0..100_u64).map(|n| Ok((n % 2, n))));
    let publisher = Publisher::new(feed, 4);
    let mut even = publisher.subscribe([0], Lag::DropOldest);
    let mut odd = publisher.subscribe([1], Lag::Wait);
    for n in 0..50 {
        assert_eq!(odd.recv().await?, Some((1, 2 * n + 1)));
    }
    let lagged = even.recv().await.expect_err("only four are kept");
    let Ending::Refused(Refusal::Lagged { items: 46 }) = lagged.ending() else {
        panic!("{lagged}");
    };
    for n in [92, 94, 96, 98] {
        assert_eq!(even.recv().await?, Some((0, n)));
    }
    Ok(())
}

#[tractor::test]
async fn a_subscription_without_a_topic_is_refused() -> tractor::Result<()> {
    let publisher = Publisher::new(
        |_: Topics<u8>| stream::empty::<tractor::Result<(u8, u8)>>(),
        4,
    );
    let mut nothing = publisher.subscribe([], Lag::Wait);
    let refused = nothing.recv().await.expect_err("no topic");
    let Ending::Refused(Refusal::Misused(Misuse::NoTopic)) = refused.ending() else {
        panic!("{refused}");
    };
    assert_eq!(nothing.recv().await?, None);
    Ok(())
}
