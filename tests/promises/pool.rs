//! Workers share the calls that a pool makes of items: in bounded numbers, in order or not, and
//! cancelled with the stream of their results.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{Either, FutureExt, join, select};
use futures::stream::{Stream, StreamExt, TryStreamExt};
use tractor::{CancelScope, Ending, Progress, Refusal, get_root, open_nursery, open_worker_pool};

use crate::errors::{LoadError, load};
use crate::spawning::who;
use crate::witness::{NoteDrop, events, note, tell, wait_for, wait_for_times};

#[tractor::rpc]
pub(crate) fn square(n: u64) -> u64 {
    n * n
}

/// Tells the root that it has begun, waits until the root lets it end, and gives its number.
#[tractor::rpc]
pub(crate) async fn gated(n: u64) -> tractor::Result<u64> {
    let root = get_root().await?;
    root.run(tell("begins")).await?;
    root.run(tell(&format!("{n} begins"))).await?;
    root.run(wait_for(&format!("{n} may end"))).await?;
    Ok(n)
}

/// Tells the root that it has begun, and waits for ever.
#[tractor::rpc]
async fn held(n: u64) -> tractor::Result<()> {
    let _dropped = NoteDrop(format!("{n} dropped"));
    get_root().await?.run(tell(&format!("{n} begins"))).await?;
    std::future::pending().await
}

/// Polls a stream that gives nothing until `event` has happened here.
pub(crate) async fn poll_until<S: Stream + Unpin>(stream: &mut S, event: &str) {
    poll_until_times(stream, event, 1).await;
}

/// Polls a stream that gives nothing until `event` has happened here so often.
pub(crate) async fn poll_until_times<S: Stream + Unpin>(stream: &mut S, event: &str, times: usize) {
    match select(stream.next(), wait_for_times(event, times)).await {
        Either::Left(_) => panic!("it gave something before {event:?}"),
        Either::Right(((), _)) => {}
    }
}

/// Notes here how many results there are, each time that there is one more.
fn note_done(progress: Progress) {
    note(format!("{} done", progress.done));
}

fn may_end(items: impl IntoIterator<Item = u64>) {
    items.into_iter().for_each(|n| note(format!("{n} may end")));
}

/// Has the first of three items end last, and gives the order of the results.
async fn order_of_results(in_order: bool) -> tractor::Result<Vec<u64>> {
    open_worker_pool(2, async |pool| {
        let map = pool.map(gated, 0..3).on_progress(note_done);
        let map = if in_order { map } else { map.unordered() };
        let opener = async {
            may_end([1]);
            wait_for("1 done").await;
            may_end([2]);
            wait_for("2 done").await;
            may_end([0]);
        };
        join(map.try_collect(), opener).await.0
    })
    .await
}

#[tractor::test]
async fn results_come_in_the_order_of_the_items() -> tractor::Result<()> {
    assert_eq!(order_of_results(true).await?, [0, 1, 2]);
    Ok(())
}

#[tractor::test]
async fn unordered_results_come_as_they_arrive() -> tractor::Result<()> {
    assert_eq!(order_of_results(false).await?, [1, 2, 0]);
    Ok(())
}

#[tractor::test]
async fn the_items_are_spread_over_all_workers() -> tractor::Result<()> {
    open_worker_pool(3, async |pool| {
        let mut map = pool.map(gated, 0..3);
        poll_until_times(&mut map, "begins", 3).await;
        let names: Vec<_> = pool.workers().iter().map(|w| w.name().to_owned()).collect();
        assert_eq!(pool.statistics().in_flight, 3);
        let mut sorted = names;
        sorted.sort();
        assert_eq!(sorted, ["worker-1", "worker-2", "worker-3"]);
        may_end(0..3);
        assert_eq!(map.try_collect::<Vec<_>>().await?, [0, 1, 2]);
        Ok(())
    })
    .await
}

/// A slow first item: the workers go on until as many results wait as may.
async fn pulled_behind_a_slow_item(buffer: Option<usize>) -> tractor::Result<usize> {
    open_worker_pool(2, async |pool| {
        let pulled = Arc::new(AtomicUsize::new(0));
        let counted = pulled.clone();
        let endless = (0..).inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mut map = pool.map(gated, endless).on_progress(note_done);
        if let Some(buffer) = buffer {
            map = map.buffer(buffer);
        }
        let done = 1 + buffer.unwrap_or(2);
        may_end(1..100);
        poll_until(&mut map, &format!("{done} done")).await;
        assert_eq!(pool.statistics().in_flight, 1, "only the slow one");
        let behind = pulled.load(Ordering::Relaxed);
        may_end([0]);
        for n in 0..10 {
            assert_eq!(map.next().await.expect("it is endless")?, n);
        }
        assert!(pulled.load(Ordering::Relaxed) <= behind + 10);
        Ok(behind)
    })
    .await
}

#[tractor::test]
async fn a_slow_first_item_does_not_let_an_endless_iterator_be_consumed() -> tractor::Result<()> {
    assert_eq!(pulled_behind_a_slow_item(None).await?, 4);
    Ok(())
}

#[tractor::test]
async fn the_number_of_results_that_wait_can_be_chosen() -> tractor::Result<()> {
    assert_eq!(pulled_behind_a_slow_item(Some(7)).await?, 9);
    Ok(())
}

#[tractor::test]
async fn an_iterator_is_not_touched_before_a_worker_has_room() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let mut first = pool.map(gated, [1]);
        poll_until(&mut first, "1 begins").await;
        let items = [2_u64].into_iter().inspect(|_| note("taken"));
        let mut second = pool.map(square, items);
        assert!(second.next().now_or_never().is_none());
        assert!(!events().await.contains(&"taken".to_owned()));
        may_end([1]);
        assert_eq!(second.next().await.expect("one item")?, 4);
        assert_eq!(first.next().await.expect("one item")?, 1);
        assert!(second.next().await.is_none() && first.next().await.is_none());
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_worker_has_as_many_calls_as_the_map_allows() -> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let mut map = pool.map(gated, 0..9).calls_per_worker(3);
        poll_until_times(&mut map, "begins", 6).await;
        assert_eq!(pool.statistics().in_flight, 6);
        let mut calls = BTreeMap::new();
        for worker in pool.workers() {
            let tasks = worker.run(running()).await?;
            calls.insert(worker.pid(), tasks);
        }
        assert!(calls.values().all(|calls| *calls == 3), "{calls:?}");
        may_end(0..9);
        assert_eq!(map.try_collect::<Vec<_>>().await?, Vec::from_iter(0..9));
        Ok(())
    })
    .await
}

/// How many calls of [`gated`] run in this actor.
#[tractor::rpc]
async fn running() -> tractor::Result<usize> {
    let tasks = tractor::current_actor()?.statistics().tasks;
    let gated = tasks.iter().filter(|task| task.function.contains("gated"));
    Ok(gated.count())
}

#[tractor::test]
async fn an_endless_map_gives_as_many_results_as_are_taken() -> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let squares: Vec<u64> = pool.map(square, 1..).take(5).try_collect().await?;
        assert_eq!(squares, [1, 4, 9, 16, 25]);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn dropping_the_stream_cancels_its_calls_and_leaves_the_workers() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let mut map = pool.map(held, [7, 8]);
        poll_until(&mut map, "7 begins").await;
        let pid = pool.workers()[0].pid();
        drop(map);
        // Its worker has room when the function is dropped, so this can only come after.
        let mut next = pool.map(|()| events(), [()]);
        let events = next.next().await.expect("one item")?;
        assert_eq!(events, ["7 dropped"]);
        let mut who = pool.map(|()| who(), [()]);
        assert_eq!(who.next().await.expect("one item")?.pid, pid);
        assert_eq!(pool.statistics().started, 1);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_error_or_a_panic_of_the_function_is_a_result_of_its_worker() -> tractor::Result<()> {
    #[tractor::rpc]
    fn odd(n: u64) -> u64 {
        assert!(n % 2 == 1, "{n} is even");
        n
    }
    open_worker_pool(1, async |pool| {
        // Retries are for workers that die.
        let results: Vec<_> = pool.map(odd, 1..=3).retries(3).collect().await;
        assert!(results[1].as_ref().unwrap_err().is_panic());
        assert_eq!(
            (results[0].as_ref().ok(), results[2].as_ref().ok()),
            (Some(&1), Some(&3))
        );

        let tables = ["torn", "none"];
        let results: Vec<_> = pool.map(load, tables).retries(3).collect().await;
        for result in results {
            let error = result.unwrap_err();
            assert!(error.downcast_ref::<LoadError>().is_some(), "{error}");
            assert_eq!(error.origin().name(), "worker-1");
            assert_eq!(error.call(), Some("promises::errors::load"));
        }
        assert_eq!(pool.statistics().started, 1);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn progress_counts_what_is_done_and_what_failed() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let tell = told.clone();
        let hook = move |progress: Progress| {
            let Progress {
                done,
                failed,
                total,
                in_flight,
                ..
            } = progress;
            tell.lock().unwrap().push((done, failed, total, in_flight));
        };
        let tables = ["prices", "torn", "prices"];
        let map = pool.map(load, tables).on_progress(hook);
        assert_eq!(
            (map.size_hint(), map.progress().total),
            ((3, Some(3)), Some(3))
        );
        assert_eq!(map.count().await, 3);
        let some = Some(3);
        let expected = [(1, 0), (2, 1), (3, 1)].map(|(done, failed)| (done, failed, some, 0));
        assert_eq!(*told.lock().unwrap(), expected);

        let unknown = pool.map(square, (0..9).filter(|n| n % 2 == 0));
        assert_eq!(unknown.progress().total, None);
        assert_eq!(unknown.count().await, 5);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn maps_share_the_workers_and_a_map_that_is_not_polled_holds_up_no_other()
-> tractor::Result<()> {
    open_worker_pool(2, async |pool| {
        let (mut idle, busy) = (pool.map(square, 0..), pool.map(square, 0..50));
        assert_eq!(idle.next().await.expect("it is endless")?, 0);
        assert_eq!(busy.try_collect::<Vec<_>>().await?.len(), 50);

        let maps = [0, 1, 2].map(|_| pool.map(square, 0..20).try_collect::<Vec<_>>());
        for squares in futures::future::try_join_all(maps).await? {
            assert_eq!(squares, Vec::from_iter((0..20).map(|n| n * n)));
        }
        assert_eq!(idle.next().await.expect("it is endless")?, 1);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_pool_works_in_an_actor() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn sum_of_squares(to: u64) -> tractor::Result<u64> {
        open_worker_pool(2, async |pool| {
            let squares = pool.map(square, 1..=to);
            squares
                .try_fold(0, async |sum, n| tractor::Ok(sum + n))
                .await
        })
        .await
    }
    open_worker_pool(2, async |pool| {
        let sums: Vec<u64> = pool.map(sum_of_squares, 1..=4).try_collect().await?;
        assert_eq!(sums, [1, 5, 14, 30]);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_panic_of_the_iterator_keeps_no_worker_busy() -> tractor::Result<()> {
    open_worker_pool(1, async |pool| {
        let mut map = pool.map(square, (0..3).inspect(|n| assert!(*n > 0, "out of luck")));
        let next = AssertUnwindSafe(map.next());
        assert!(next.catch_unwind().await.is_err());
        assert_eq!(pool.statistics().in_flight, 0);
        assert_eq!(map.next().await.expect("two more")?, 1);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_map_that_outlives_its_pool_says_so_and_ends() -> tractor::Result<()> {
    let (mut map, mut empty, mut begun) = open_worker_pool(1, async |pool| {
        let mut begun = pool.map(held, 0..).retries(9);
        poll_until(&mut begun, "0 begins").await;
        let empty = pool.map(square, []);
        tractor::Ok((pool.map(square, 0..), empty, begun))
    })
    .await?;
    assert!(empty.next().await.is_none());
    let is_refusal = |result: Option<tractor::Result<u64>>| {
        let error = result.expect("it says so").unwrap_err();
        let refused = matches!(error.ending(), Ending::Refused(Refusal::NurseryClosed));
        assert!(refused, "{error}");
    };
    is_refusal(map.next().await);
    assert!(map.next().await.is_none() && map.next().await.is_none());
    // The item that was begun, and all that were not.
    is_refusal(begun.next().await.map(|result| result.map(|()| 0)));
    is_refusal(begun.next().await.map(|result| result.map(|()| 0)));
    assert!(begun.next().await.is_none());
    Ok(())
}

#[tractor::test]
async fn a_cancel_around_a_pool_ends_its_workers() -> tractor::Result<()> {
    let scope = CancelScope::new();
    let work = scope.run(open_worker_pool(2, async |pool| {
        let map = pool.map(held, 0..2);
        map.try_collect::<Vec<()>>().await
    }));
    let cancel = async {
        wait_for("0 begins").await;
        wait_for("1 begins").await;
        scope.cancel();
    };
    let (outcome, ()) = join(work, cancel).await;
    assert!(outcome.is_err() || outcome.is_ok_and(|inner| inner.unwrap_err().is_cancelled()));
    open_nursery(async |nursery| {
        assert_eq!(
            nursery
                .run_in_actor("next", square(2))
                .await?
                .result()
                .await?,
            4
        );
        Ok(())
    })
    .await
}
