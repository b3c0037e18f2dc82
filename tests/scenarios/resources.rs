//! T27: who wants a resource of its actor while that is opened, used or closed, at any moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Access, Offer, Portal, maybe_open_context, open_nursery};

use crate::chance::{Chance, give_up_after};
use crate::contexts::nothing_runs;
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, exited, hold, within};

/// The openings of this actor's resource, which are numbered, and how many were closed.
static OPENED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// The number of the one that can be used now.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Whether one is being opened, kept or closed.
static KEPT: AtomicBool = AtomicBool::new(false);

/// Stands for the one that is kept; there is no second at the same time.
struct Keeping;

impl Keeping {
    fn begin() -> Self {
        assert!(!KEPT.swap(true, Ordering::SeqCst), "two are kept at once");
        Self
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        KEPT.store(false, Ordering::SeqCst);
    }
}

/// Opens the resource and closes it, and takes its time for both.
async fn keep(
    offer: Offer<u64>,
    ledger: Option<Portal>,
    times: [Duration; 2],
) -> tractor::Result<()> {
    let _keeping = Keeping::begin();
    async_std::task::sleep(times[0]).await;
    let number = OPENED.fetch_add(1, Ordering::SeqCst) + 1;
    OPEN.store(number, Ordering::SeqCst);
    let number = offer.serve(number).await;
    OPEN.store(0, Ordering::SeqCst);
    async_std::task::sleep(times[1]).await;
    assert_eq!(CLOSED.fetch_add(1, Ordering::SeqCst) + 1, number);
    match ledger {
        Some(ledger) => ledger.run(write_closed(number)).await,
        None => Ok(()),
    }
}

/// Those of which a user has seen that it was closed, and those whose last user may have been one
/// that was dropped, and could see nothing.
static ACCOUNTED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// What a user knows when it returns or is dropped.
struct Visit {
    /// How many were opened when it came.
    came: u64,
    /// The one that it was let in to.
    number: AtomicU64,
    dropped: bool,
}

impl Visit {
    fn begin() -> Self {
        Self {
            came: OPENED.load(Ordering::SeqCst),
            number: AtomicU64::new(0),
            dropped: false,
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        match *self.number.get_mut() {
            // Perhaps it was let in, and went before it noticed; or what was being opened for it
            // will have been opened although it went.
            0 => lock(&ACCOUNTED).extend(self.came..=OPENED.load(Ordering::SeqCst) + 1),
            number if self.dropped || CLOSED.load(Ordering::SeqCst) >= number => {
                lock(&ACCOUNTED).insert(number);
            }
            // Others had not left yet.
            _ => {}
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Comes, uses the resource, and leaves or is dropped, each when its seed says so.
#[tractor::rpc]
async fn uses(seed: u64, ledger: Option<Portal>) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    chance.pause(15).await;
    let (times, stays) = ([chance.delay(3), chance.delay(5)], chance.delay(5));
    let (mut visit, keeps) = (Visit::begin(), ledger.clone());
    let using = maybe_open_context(
        "shared",
        |offer| async move { Ok(keep(offer, keeps, times).await?) },
        async |number: &u64, _: Access| {
            visit.number.store(*number, Ordering::SeqCst);
            assert_eq!(OPEN.load(Ordering::SeqCst), *number, "it is stale");
            if let Some(ledger) = ledger {
                ledger.run(write_used(*number)).await?;
            }
            async_std::task::sleep(stays).await;
            assert_eq!(OPEN.load(Ordering::SeqCst), *number, "it is still used");
            tractor::Ok(())
        },
    );
    if chance.below(4) > 0 {
        return using.await;
    }
    let used = give_up_after(chance.delay(10), using).await;
    visit.dropped = used.is_none();
    used.unwrap_or(Ok(()))
}

/// How many were opened and closed, whether one is kept, and which are accounted for.
#[tractor::rpc]
async fn openings() -> (u64, u64, bool, BTreeSet<u64>) {
    (
        OPENED.load(Ordering::SeqCst),
        CLOSED.load(Ordering::SeqCst),
        KEPT.load(Ordering::SeqCst),
        lock(&ACCOUNTED).clone(),
    )
}

/// T27. Users come and leave while their resource is opened, used or closed; some are dropped, and
/// some calls cancelled. Nobody is let in to one that is not open, and two are never kept at once.
/// The last user of each returns when it is closed, and in the end all that were opened are.
pub(crate) async fn t27_nobody_sees_a_resource_that_is_closed(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("user").await?;
        let users = 2 + chance.below(30);
        let calls = (0..users).map(|_| {
            let call = actor.run(uses(chance.below(1 << 60), None));
            let gives_up = chance.below(6) == 0;
            let patience = if gives_up { chance.delay(25) } else { BOUNDED };
            async move {
                let used = give_up_after(patience, call).await;
                assert!(used.is_some() || gives_up, "a user waits for ever");
                used.unwrap_or(Ok(()))
            }
        });
        for used in join_all(calls).await {
            used?;
        }
        nothing_runs(&actor).await;
        eventually(
            "the last users have seen their resource closed",
            async || {
                let told = actor.run(openings()).await.expect("it answers");
                let (opened, closed, is_kept, accounted) = told;
                let all_seen = (1..=opened).all(|number| accounted.contains(&number));
                opened == closed && !is_kept && all_seen
            },
        )
        .await;
        let begin = Instant::now();
        actor.cancel_actor().await?;
        within(begin, PROMPT, "the end of an actor without its resource");
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// What an actor tells of its openings to one that outlives it.
static LEDGER: Mutex<(BTreeSet<u64>, Vec<u64>)> = Mutex::new((BTreeSet::new(), Vec::new()));

#[tractor::rpc]
async fn write_used(number: u64) {
    lock(&LEDGER).0.insert(number);
}

#[tractor::rpc]
async fn write_closed(number: u64) {
    lock(&LEDGER).1.push(number);
}

/// Those that were used, and those that were closed, in this order.
#[tractor::rpc]
async fn written() -> (BTreeSet<u64>, Vec<u64>) {
    lock(&LEDGER).clone()
}

/// T27. The actor is cancelled while its users come, use their resource and leave. Before its
/// process ends, each opening that was used is closed, once, and the closing may call others.
pub(crate) async fn t27_cancelled_actor_closes_its_resource(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let ledger = nursery.start_actor("ledger").await?;
        let actor = nursery.start_actor("user").await?;
        let process = hold(actor.pid());
        let users = 1 + chance.below(20);
        let calls = (0..users).map(|_| uses(chance.below(1 << 60), Some(ledger.clone())));
        let calls = join_all(calls.map(|call| actor.run(call)));
        let cancel = async {
            chance.pause(25).await;
            let begin = Instant::now();
            actor.cancel_actor().await?;
            exited(process, PROMPT).await;
            within(begin, PROMPT, "the end of an actor with a resource");
            tractor::Ok(())
        };
        let (ended, cancelled) = futures::join!(calls, cancel);
        cancelled?;
        for error in ended.into_iter().filter_map(Result::err) {
            assert!(!error.is_panic(), "{error}");
        }
        let (used, closed) = ledger.run(written()).await?;
        let case = format!("used {used:?}, closed {closed:?}");
        assert!(closed.is_sorted_by(|one, next| one < next), "{case}");
        assert!(used.iter().all(|it| closed.contains(it)), "{case}");
        ledger.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
