//! Faults 41, 42: names of actors, taken twice, stopped, dead.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Ending, find_actor, open_nursery, query_actor, wait_for_actor};
use tractor_core::process::Signal;
use tractor_ipc::limits::HANDSHAKE_MS_MAX;

use crate::calls::pid;
use crate::tree::{PROMPT, assert_alone, eventually, hold, stop, within};

/// Fault 42. Many register one name at once, from several parents. All are there under it, in
/// one order for everybody, and the newest is the one that is found.
#[tractor::test]
async fn one_name_of_many_parents_is_all_of_theirs() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let mut parents = Vec::new();
        for number in 0..3 {
            parents.push(nursery.start_actor(format!("parent {number}")).await?);
        }
        let families: Vec<_> = parents
            .iter()
            .map(|parent| async_std::task::spawn(parent.run(start_same())))
            .collect();
        eventually("all are registered", async || {
            query_actor("same")
                .await
                .is_ok_and(|found| found.len() == 6)
        })
        .await;
        let known = query_actor("same").await?;
        let asked = join_all(parents.iter().map(|parent| parent.run(query_same()))).await;
        for answer in asked {
            assert_eq!(
                answer?,
                known.iter().map(|contact| contact.pid).collect::<Vec<_>>()
            );
        }
        let newest = find_actor("same").await?.expect("there are six");
        assert_eq!(newest.aid(), &known[5].aid);
        assert_eq!(wait_for_actor("same").await?.aid(), newest.aid());
        newest.cancel_actor().await?;
        eventually("it is forgotten", async || {
            query_actor("same")
                .await
                .is_ok_and(|found| found.len() == 5)
        })
        .await;
        assert_eq!(
            find_actor("same").await?.expect("there are five").aid(),
            &known[4].aid
        );
        nursery.cancel();
        join_all(families).await;
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_same() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let _one = nursery.start_actor("same").await?;
        let _two = nursery.start_actor("same").await?;
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

/// Fault 41. Somebody is looked up whose process is stopped. The lookup fails in bounded time and
/// says who did not answer; it is not forgotten, and is found when it goes on.
#[tractor::test]
async fn stopped_actor_is_not_forgotten() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let stopped = nursery.start_actor("stopped").await?;
        let process = hold(stopped.pid());
        stop(&process).await;
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
        process.signal(Signal::Continue).expect("it is ours");
        assert_eq!(asker.run(find_and_call()).await?, Some(stopped.pid()));
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
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
#[tractor::test]
async fn existing_links_do_not_need_the_registrar() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let friend = nursery.start_actor("friend").await?;
        let asker = nursery.start_actor("asker").await?;
        let calls = asker
            .run(call_while_root_stands(std::process::id()))
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
async fn call_while_root_stands(root: u32) -> tractor::Result<u32> {
    let friend = find_actor("friend").await?.expect("the friend is there");
    let root = hold(root);
    stop(&root).await;
    let mut calls = 0;
    while calls < 20 {
        assert_eq!(friend.run(pid()).await?, friend.pid());
        calls += 1;
    }
    assert_eq!(root.state(), Some('T'), "the root was stopped meanwhile");
    root.signal(Signal::Continue).expect("it is ours");
    Ok(calls)
}
