//! T24, T25, T26: one stream that several tasks read: its end, and which of them leaves when.

use std::future::pending;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::future::join_all;
use futures::{Stream, stream};
use tractor::{Broadcast, Ending, Error, Lag, Nursery, Refusal, Subscription};
use tractor::{open_nursery, shield};

use crate::chance::{Chance, give_up_after};
use crate::contexts::nothing_runs;
use crate::tree::{BOUNDED, PROMPT, assert_alone, exited, hold, kill, within};

const LAGS: [Lag; 3] = [Lag::Wait, Lag::DropOldest, Lag::Fail];

/// Counts up to so many, with so many microseconds before each and before the end, if there is one.
#[tractor::rpc]
fn counts(items: u64, micros: u64, ends: bool) -> impl Stream<Item = u64> {
    stream::unfold(0, move |n| async move {
        async_std::task::sleep(Duration::from_micros(micros)).await;
        if n < items {
            return Some((n, n + 1));
        }
        if !ends {
            pending::<()>().await;
        }
        None
    })
}

/// A subscription, with what it does when it lags.
type Subscribed = (Lag, Subscription<u64>);

/// All of them are there before the first one reads.
fn subscribe(numbers: &Broadcast<u64>, tasks: u64, chance: &mut Chance) -> Vec<Subscribed> {
    let lags = (0..tasks).map(|_| *chance.pick(&LAGS));
    lags.map(|lag| (lag, numbers.subscribe(lag))).collect()
}

/// What a task got of its subscription.
#[derive(Debug)]
struct Got {
    lag: Lag,
    /// Whether it was told that it missed something.
    lagged: bool,
    /// What it had, and what it was told that it missed.
    items: u64,
    /// What happened to the sender.
    error: Option<Error>,
}

/// Reads to the end. Some take their time, and some give up what they wait for and ask again.
async fn read((lag, mut subscription): Subscribed, mut chance: Chance) -> Got {
    let (takes_time, gives_up) = (chance.coin(), chance.coin());
    let mut got = Got {
        lag,
        lagged: false,
        items: 0,
        error: None,
    };
    loop {
        if takes_time && chance.below(10) == 0 {
            chance.pause(3).await;
        }
        let patience = if gives_up { chance.delay(3) } else { BOUNDED };
        match give_up_after(patience, subscription.recv()).await {
            None => assert!(gives_up, "neither an item nor the end has come: {got:?}"),
            Some(Ok(Some(n))) => {
                assert_eq!(n, got.items, "{got:?}");
                got.items += 1;
            }
            Some(Ok(None)) => break,
            Some(Err(error)) => match error.ending() {
                Ending::Refused(Refusal::Lagged { items }) => {
                    assert_ne!(lag, Lag::Wait, "{got:?}");
                    (got.lagged, got.items) = (true, got.items + items);
                }
                _ => assert!(got.error.replace(error).is_none(), "it is told once"),
            },
        }
    }
    // Who asks again does not wait either.
    assert!(matches!(subscription.recv().await, Ok(None)), "{got:?}");
    got
}

/// Everybody but who had lagged too much before has all and hears of the end.
fn check_ends(got: &[Got], items: u64, killed: bool) {
    let is_over = |got: &&Got| got.lag == Lag::Fail && got.lagged;
    for early in got.iter().filter(is_over) {
        assert!(early.items <= items && early.error.is_none(), "{got:?}");
    }
    let rest: Vec<_> = got.iter().filter(|it| !is_over(it)).collect();
    for it in &rest {
        let signal = it.error.as_ref().map(Error::signal);
        assert_eq!(signal, killed.then_some(Some(9)), "{got:?}");
        assert_eq!(it.items, rest[0].items, "{got:?}");
        assert!(killed || it.items == items, "{got:?}");
    }
}

/// T24. A stream ends, or its sender is killed, while several tasks read or wait for it, each in
/// its way. All of them hear of it, not only the one that reads for the others, and so does who
/// subscribes afterwards.
pub(crate) async fn t24_end_wakes_every_subscriber(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (items, killed) = (chance.below(60), chance.below(3) == 0);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let sender = nursery.start_actor("sender").await?;
        let process = hold(sender.pid());
        let call = counts(items, chance.below(1000), !killed);
        let capacity = 1 + chance.below(16) as usize;
        let numbers = sender.open_stream(call).await?.broadcast(capacity);
        let tasks = 2 + chance.below(10);
        let subscribed = subscribe(&numbers, tasks, &mut chance);
        let readers: Vec<_> = subscribed
            .into_iter()
            .map(|it| async_std::task::spawn(read(it, Chance::new(chance.below(1 << 60)))))
            .collect();
        let handle = chance.coin().then_some(numbers);
        let killing = async {
            if killed {
                chance.pause(30).await;
                kill(&process);
            }
        };
        let all = shield(async {
            let (got, ()) = futures::join!(join_all(readers), killing);
            check_ends(&got, items, killed);
            if let Some(numbers) = handle {
                hears_the_end(numbers.subscribe(Lag::Wait), killed).await;
            }
        });
        all.await.expect("nobody cancels the shield");
        if killed {
            pending::<()>().await;
        }
        sender.cancel_actor().await
    })
    .await;
    within(begin, BOUNDED, "the end of a stream for many");
    match ended {
        Err(error) if killed => {
            assert_eq!(error.signal(), Some(9), "{error}");
            assert!(error.group().is_empty(), "it is told once: {error}");
        }
        ended => assert!(!killed && ended.is_ok(), "{ended:?}"),
    }
    assert_alone();
    Ok(())
}

/// Who comes late may still find items, if all others were told that they had lagged.
async fn hears_the_end(mut late: Subscription<u64>, killed: bool) {
    let told = loop {
        match late.recv().await {
            Ok(Some(_)) => {}
            told => break told.map_err(|error| error.signal()),
        }
    };
    assert_eq!(told, if killed { Err(Some(9)) } else { Ok(None) });
}

/// T25. Of several tasks that wait for the same items some are cancelled, the one that reads for
/// all perhaps among them, or just then. Another reads on, and who stays misses nothing.
pub(crate) async fn t25_cancelled_reader_is_replaced(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let items = 10 + chance.below(50);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let numbers = source(nursery, items, &mut chance).await?;
        let stay = 1 + chance.below(4);
        let tasks = stay + 1 + chance.below(6);
        let mut subscribed = subscribe(&numbers, tasks, &mut chance);
        // Whoever is the first to come reads for all.
        chance.shuffle(&mut subscribed);
        let mut readers: Vec<_> = subscribed
            .into_iter()
            .map(|it| async_std::task::spawn(read(it, Chance::new(chance.below(1 << 60)))))
            .collect();
        if chance.coin() {
            chance.shuffle(&mut readers);
        }
        drop(numbers);
        for cancelled in readers.split_off(stay as usize) {
            chance.pause(8).await;
            drop(cancelled.cancel().await);
        }
        check_ends(&join_all(readers).await, items, false);
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    within(
        begin,
        BOUNDED,
        "a stream of which some readers are cancelled",
    );
    assert_alone();
    Ok(())
}

/// So many numbers, from another actor or from a task of this one.
async fn source(
    nursery: &Nursery,
    items: u64,
    chance: &mut Chance,
) -> tractor::Result<Broadcast<u64>> {
    let (capacity, micros) = (1 + chance.below(16) as usize, chance.below(1500));
    if chance.coin() {
        let sender = nursery.start_actor("sender").await?;
        let numbers = sender.open_stream(counts(items, micros, true)).await?;
        return Ok(numbers.broadcast(capacity));
    }
    let (feed, numbers) = mpsc::unbounded();
    async_std::task::spawn(async move {
        for n in 0..items {
            async_std::task::sleep(Duration::from_micros(micros)).await;
            // Those who stay have perhaps all lagged too much.
            if feed.unbounded_send(Ok(n)).is_err() {
                break;
            }
        }
    });
    Ok(Broadcast::new(numbers, capacity))
}

/// T26. The handles and subscriptions of a stream go in any order, some of them while they are
/// read, and perhaps the actor that sends is cancelled meanwhile. Once the last is gone, wherever
/// the first one was, nothing is left of the stream there, and its process ends when it is asked.
pub(crate) async fn t26_last_subscriber_ends_the_sender(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let cancelled = chance.coin().then(|| chance.delay(15));
    open_nursery(async |nursery| {
        let sender = nursery.start_actor("sender").await?;
        let process = hold(sender.pid());
        let call = counts(u64::MAX, chance.below(4) * 200, true);
        let capacity = 1 + chance.below(16) as usize;
        let numbers = sender.open_stream(call).await?.broadcast(capacity);
        let tasks = 1 + chance.below(6);
        let mut holders = Vec::new();
        for subscribed in subscribe(&numbers, tasks, &mut chance) {
            let leaving = leaves(subscribed, chance.delay(15), cancelled.is_some());
            holders.push(async_std::task::spawn(leaving));
        }
        for handle in vec![numbers; 1 + chance.below(3) as usize] {
            let holding = chance.delay(15);
            holders.push(async_std::task::spawn(async move {
                async_std::task::sleep(holding).await;
                drop(handle);
            }));
        }
        let cancel = async {
            if let Some(moment) = cancelled {
                async_std::task::sleep(moment).await;
                sender.cancel_actor().await?;
            }
            tractor::Ok(())
        };
        let (_, asked) = futures::join!(join_all(holders), cancel);
        asked?;
        let gone = Instant::now();
        if cancelled.is_none() {
            nothing_runs(&sender).await;
            sender.cancel_actor().await?;
        }
        exited(process, PROMPT).await;
        within(gone, PROMPT, "the end of a sender without readers");
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Holds a subscription for so long and reads a part of that time. The sender may be cancelled,
/// and nothing else happens to it.
async fn leaves((lag, mut subscription): Subscribed, holding: Duration, is_cancelled: bool) {
    let reading = async {
        loop {
            match subscription.recv().await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => {
                    let lagged = matches!(error.ending(), Ending::Refused(Refusal::Lagged { .. }));
                    let has_lagged = lag != Lag::Wait && lagged;
                    assert!(
                        has_lagged || is_cancelled && error.is_cancelled(),
                        "{error}"
                    );
                }
            }
        }
    };
    give_up_after(holding / 2, reading).await;
    async_std::task::sleep(holding / 2).await;
}
