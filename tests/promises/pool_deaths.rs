//! A worker that dies is replaced, and its items are told of it once or tried again.

use futures::stream::{StreamExt, TryStreamExt};
use tractor::{Ending, Error, get_root, open_worker_pool};
use tractor_core::process::Signal;

use crate::deaths::{die, kill_oneself};
use crate::pool::{gated, poll_until, poll_until_times, square};
use crate::support::{signal, wait_gone};
use crate::witness::{events, note, tell};

/// Kills its process by a signal if `n` is 1 or 4, else gives `n`.
#[tractor::rpc]
fn mortal(n: u64) -> u64 {
    if n == 1 || n == 4 {
        die();
    }
    n
}

/// Ends its process when it is begun for the first `deaths` times, as the root counts them.
#[tractor::rpc]
async fn dies_at_first(deaths: usize) -> tractor::Result<usize> {
    let root = get_root().await?;
    root.run(tell("tried")).await?;
    let tried = root.run(events()).await?;
    let tried = tried.iter().filter(|event| *event == "tried").count();
    if tried <= deaths {
        die();
        std::future::pending::<()>().await;
    }
    Ok(tried)
}

async fn times_tried() -> usize {
    let events = events().await;
    events.iter().filter(|event| *event == "tried").count()
}

#[tractor::test]
async fn the_death_of_a_worker_is_its_items_error_and_another_takes_its_place()
-> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let results: Vec<_> = pool.map(mortal, 0..6).collect().await;
        let numbers: Vec<_> = results.iter().map(|r| r.as_ref().ok().copied()).collect();
        assert_eq!(numbers, [Some(0), None, Some(2), Some(3), None, Some(5)]);
        let errors: Vec<&Error> = results.iter().filter_map(|r| r.as_ref().err()).collect();
        for error in &errors {
            assert_eq!(
                (error.signal(), error.origin().name()),
                (Some(9), "worker-1")
            );
            assert_eq!(error.call(), Some("promises::pool_deaths::mortal"));
        }
        assert_ne!(errors[0].origin_pid(), errors[1].origin_pid());
        assert_eq!(pool.statistics().started, 3);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn many_deaths_in_a_row_are_no_reason_to_give_up_while_items_are_worked_at()
-> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let results: Vec<_> = pool.map(|_| kill_oneself(), 0..12).collect().await;
        let killed = results
            .iter()
            .filter(|r| r.as_ref().is_err_and(Error::is_death));
        assert_eq!(killed.count(), 12);
        assert_eq!(pool.map(square, [3]).next().await.expect("one item")?, 9);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_item_is_tried_again_on_another_worker() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let mut map = pool.map(dies_at_first, [2]).retries(2);
        assert_eq!(map.next().await.expect("one item")?, 3);
        assert!(map.next().await.is_none());
        assert_eq!(pool.statistics().started, 3);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_item_is_given_up_after_its_last_try() -> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let mut map = pool.map(dies_at_first, [usize::MAX]).retries(2);
        let error = map.next().await.expect("one item").unwrap_err();
        assert_eq!(error.signal(), Some(9), "{error}");
        assert!(map.next().await.is_none(), "it is told once");
        let progress = map.progress();
        assert_eq!(
            (progress.done, progress.failed, progress.in_flight),
            (1, 1, 0)
        );
        assert_eq!((progress.retried, times_tried().await), (2, 3));
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_item_is_not_tried_again_unless_that_is_asked_for() -> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let mut map = pool.map(dies_at_first, [1]);
        let error = map.next().await.expect("one item").unwrap_err();
        assert!(error.is_death(), "{error}");
        assert_eq!(times_tried().await, 1);
        Ok(())
    })
    .await
}

/// Kills all three workers while each has an item.
async fn all_killed_at_once(retries: u32) -> tractor::Result<Vec<tractor::Result<u64>>> {
    open_worker_pool(3, async |pool| {
        let mut map = pool.map(gated, 0..5).retries(retries);
        poll_until_times(&mut map, "begins", 3).await;
        for worker in pool.workers() {
            signal(worker.pid(), Signal::Kill);
        }
        for worker in pool.workers() {
            wait_gone(worker.pid());
        }
        (0..5).for_each(|n| note(format!("{n} may end")));
        let results = map.collect().await;
        assert_eq!(pool.map(square, [5]).next().await.expect("one item")?, 25);
        Ok(results)
    })
    .await
}

#[tractor::test]
async fn when_all_workers_are_killed_each_item_in_flight_is_told_once() -> tractor::Result<()> {
    let results = all_killed_at_once(0).await?;
    let signals: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().map_or_else(Error::signal, |_| None))
        .collect();
    let killed = Some(9);
    assert_eq!(signals, [killed, killed, killed, None, None]);
    Ok(())
}

#[tractor::test]
async fn when_all_workers_are_killed_fresh_ones_try_again() -> tractor::Result<()> {
    let results = all_killed_at_once(1).await?;
    let numbers: Vec<u64> = results.into_iter().collect::<tractor::Result<_>>()?;
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    Ok(())
}

#[tractor::test]
async fn all_calls_of_a_worker_that_dies_are_told_and_those_of_others_go_on() -> tractor::Result<()>
{
    open_worker_pool(2, async |pool| {
        let mut map = pool.map(gated, 0..4).unordered().calls_per_worker(2);
        poll_until_times(&mut map, "begins", 4).await;
        let victim = pool.workers()[0].clone();
        signal(victim.pid(), Signal::Kill);
        let error = map.next().await.expect("four items").unwrap_err();
        assert_eq!(error.origin(), victim.aid());
        assert_eq!(error.calls_in_flight(), ["promises::pool::gated"; 2]);
        (0..4).for_each(|n| note(format!("{n} may end")));
        let rest: Vec<_> = map.collect().await;
        let by_victim = rest.iter().filter_map(|r| r.as_ref().err());
        assert_eq!(by_victim.map(Error::id).collect::<Vec<_>>(), [error.id()]);
        assert_eq!(rest.len(), 3);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_idle_worker_that_dies_is_replaced() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        assert_eq!(pool.map(square, [2]).next().await.expect("one item")?, 4);
        let pid = pool.workers()[0].pid();
        signal(pid, Signal::Kill);
        wait_gone(pid);
        let mut map = pool.map(square, [3]).retries(1);
        assert_eq!(map.next().await.expect("one item")?, 9);
        assert_ne!(pool.workers()[0].pid(), pid);
        Ok(())
    })
    .await
}

/// Tells the root and waits for ever, when it is begun for the first time.
#[tractor::rpc]
async fn stays_at_first(n: u64) -> tractor::Result<u64> {
    let root = get_root().await?;
    let event = format!("{n} stays");
    if !root.run(events()).await?.contains(&event) {
        root.run(tell(&event)).await?;
        std::future::pending::<()>().await;
    }
    Ok(n)
}

#[tractor::test]
async fn a_worker_that_is_cancelled_is_replaced_and_its_item_told_of_it() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let mut map = pool.map(stays_at_first, [7]);
        poll_until(&mut map, "7 stays").await;
        pool.workers()[0].cancel_actor().await?;
        let error = map.next().await.expect("one item").unwrap_err();
        assert!(error.is_of_cancel(), "{error}");

        let mut map = pool.map(stays_at_first, [8]).retries(1);
        poll_until(&mut map, "8 stays").await;
        pool.workers()[0].cancel_actor().await?;
        assert_eq!(map.next().await.expect("one item")?, 8);
        assert_eq!(pool.statistics().started, 3);
        Ok(())
    })
    .await
}

#[tractor::test(max_children = 1)]
async fn a_worker_that_cannot_be_started_fails_the_pool() -> tractor::Result<()> {
    let result: tractor::Result<()> =
        open_worker_pool(2, async |_| std::future::pending().await).await;
    let error = result.unwrap_err();
    let Ending::NotSpawned { reason } = error.ending() else {
        panic!("{error}");
    };
    assert!(reason.contains("max_children"), "{error}");
    let squares: Vec<u64> =
        open_worker_pool(1, async |pool| pool.map(square, 1..=2).try_collect().await).await?;
    assert_eq!(squares, [1, 4]);
    Ok(())
}
