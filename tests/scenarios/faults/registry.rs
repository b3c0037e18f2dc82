//! Faults 41, 42: names of actors, taken twice, stopped, dead.

use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use tractor::{Ending, Portal, find_actor, open_nursery, query_actor, wait_for_actor};
use tractor_core::process::Signal;
use tractor_ipc::limits::HANDSHAKE_MS_MAX;

use crate::calls::pid;
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone, eventually, hold, stop, within};

/// Fault 42. Many register one name at once, from several parents, and some one after the other.
/// All are there under it, in one order for everybody, and the newest is the one that is found, as
/// long as there is one.
pub(crate) async fn f42_one_name_of_many_parents_is_all_of_theirs(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let mut parents = Vec::new();
        for number in 0..2 + chance.below(3) {
            parents.push(nursery.start_actor(format!("parent {number}")).await?);
        }
        let (mut families, mut all) = (Vec::new(), 0);
        for parent in &parents {
            let (children, at_once) = (1 + chance.below(3), chance.coin());
            let family = parent.run(start_same(children, at_once));
            families.push(async_std::task::spawn(family));
            all += children as usize;
            chance.pause(3).await;
        }
        until_known(all).await;
        let mut newest = Vec::new();
        for _ in 0..chance.below(4) {
            newest.push(nursery.start_actor("same").await?.contact().clone());
        }
        let known = query_actor("same").await?;
        assert_eq!(known[all..], newest, "in the order of their starts");
        all = known.len();
        let asked = join_all(parents.iter().map(|parent| parent.run(query_same()))).await;
        for answer in asked {
            assert_eq!(
                answer?,
                known.iter().map(|contact| contact.pid).collect::<Vec<_>>()
            );
        }
        let gone = 1 + chance.below(all as u64) as usize;
        for last in (all - gone..all).rev() {
            let newest = find_actor("same").await?.expect("there are some");
            assert_eq!(newest.aid(), &known[last].aid);
            assert_eq!(wait_for_actor("same").await?.aid(), newest.aid());
            newest.cancel_actor().await?;
            until_known(last).await;
        }
        let found = find_actor("same").await?;
        let left = known[..all - gone].last();
        assert_eq!(
            found.as_ref().map(Portal::aid),
            left.map(|contact| &contact.aid)
        );
        nursery.cancel();
        join_all(families).await;
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Waits until so many are registered.
async fn until_known(actors: usize) {
    eventually(
        "all are registered, and the dead are forgotten",
        async || {
            query_actor("same")
                .await
                .is_ok_and(|found| found.len() == actors)
        },
    )
    .await;
}

/// Starts so many, at once or one after the other.
#[tractor::rpc]
async fn start_same(actors: u64, at_once: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = |_| nursery.start_actor("same").into_future();
        if at_once {
            try_join_all((0..actors).map(start)).await?;
        } else {
            for number in 0..actors {
                start(number).await?;
            }
        }
        std::future::pending().await
    })
    .await
}

#[tractor::rpc]
async fn query_same() -> tractor::Result<Vec<u32>> {
    Ok(query_actor("same")
        .await?
        .iter()
        .map(|contact| contact.pid)
        .collect())
}

/// Fault 41. Somebody is looked up whose process is stopped, by one or by several. Each lookup
/// fails in bounded time and says who did not answer; it is not forgotten, and is found when it
/// goes on.
pub(crate) async fn f41_stopped_actor_is_not_forgotten(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let mut askers = Vec::new();
        for number in 0..1 + chance.below(3) {
            askers.push(nursery.start_actor(format!("asker {number}")).await?);
        }
        let stopped = nursery.start_actor("stopped").await?;
        let process = hold(stopped.pid());
        stop(&process).await;
        let asking = askers
            .iter()
            .map(|asker| fails_to_find(asker, chance.delay(50)));
        join_all(asking).await;
        chance.pause(20).await;
        process.signal(Signal::Continue).expect("it is ours");
        for found in join_all(askers.iter().map(|asker| asker.run(find_and_call()))).await {
            assert_eq!(found?, Some(stopped.pid()));
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// The lookup of who is stopped, at this moment.
async fn fails_to_find(asker: &Portal, moment: Duration) {
    async_std::task::sleep(moment).await;
    let begin = Instant::now();
    let error = asker
        .run(find_and_call())
        .await
        .expect_err("it does not answer");
    within(
        begin,
        Duration::from_millis(HANDSHAKE_MS_MAX) + PROMPT,
        "the lookup",
    );
    assert!(matches!(error.ending(), Ending::LinkLost { .. }), "{error}");
    assert_eq!(error.origin().name(), "stopped", "{error}");
}

#[tractor::rpc]
async fn find_and_call() -> tractor::Result<Option<u32>> {
    match find_actor("stopped").await? {
        Some(found) => found.run(pid()).await.map(Some),
        None => Ok(None),
    }
}

/// Fault 41. The link between two actors that found each other does not depend on the registrar:
/// it lives on while the root's process is stopped, which would answer no lookup.
pub(crate) async fn f41_existing_links_do_not_need_the_registrar(seed: u64) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let friend = nursery.start_actor("friend").await?;
        let asker = nursery.start_actor("asker").await?;
        let calls = asker
            .run(call_while_root_stands(std::process::id(), seed))
            .await?;
        assert!(calls > 10, "{calls} calls");
        friend.cancel_actor().await?;
        asker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Stops the root, calls a friend a few times, and lets the root go on.
#[tractor::rpc]
async fn call_while_root_stands(root: u32, seed: u64) -> tractor::Result<u32> {
    let mut chance = Chance::new(seed);
    let friend = find_actor("friend").await?.expect("the friend is there");
    // The link is there before the first call.
    if chance.coin() {
        assert_eq!(friend.run(pid()).await?, friend.pid());
    }
    let root = hold(root);
    chance.pause(3).await;
    stop(&root).await;
    let mut calls = 0;
    while calls < 20 {
        assert_eq!(friend.run(pid()).await?, friend.pid());
        calls += 1;
        chance.pause(2).await;
    }
    assert_eq!(root.state(), Some('T'), "the root was stopped meanwhile");
    root.signal(Signal::Continue).expect("it is ours");
    Ok(calls)
}
