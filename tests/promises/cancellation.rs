//! Dropping is cancelling: it reaches the remote function, and its destructors, wherever it is.

use std::fmt::Debug;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use tractor::{
    CancelReason, Ending, Error, Portal, checkpoint, current_actor, current_deadline, find_actor,
    get_root, move_on_after, open_nursery, open_worker_pool, shield, timeout,
};
use tractor_core::process::Signal;
use tractor_core::scope;

use crate::by_hand::{dial, start};
use crate::spawning::who;
use crate::support::{signal, wait_gone};
use crate::witness::{hold, note, tell, wait_for, wait_for_times};

/// Holds in the last actor of the path, called by the one before it, and so on.
#[tractor::rpc]
async fn hold_through(path: Vec<String>) -> tractor::Result<()> {
    match path.split_first() {
        None => hold("chain").await,
        Some((next, rest)) => {
            let next = find_actor(next).await?.expect("it is ready");
            next.run(hold_through(rest.to_vec())).await?;
        }
    }
    Ok(())
}

#[tractor::rpc]
async fn panic_in_destructor() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            note("bomb dropped");
            panic!("in a destructor");
        }
    }
    let _bomb = Bomb;
    note("bomb begins");
    pending::<()>().await;
}

/// A plain function, which nothing can drop.
#[tractor::rpc]
fn block_until_told() {
    note("blocking begins");
    block_on(wait_for("go"));
    note("blocking ends");
}

/// How much time this call has, in milliseconds.
#[tractor::rpc]
async fn time_left() -> Option<u64> {
    let left = current_deadline()?.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).ok()
}

#[tractor::rpc]
async fn time_left_in(name: &str) -> tractor::Result<Option<u64>> {
    find_actor(name)
        .await?
        .expect("it is ready")
        .run(time_left())
        .await
}

/// What runs in this actor, and how it is with it.
#[tractor::rpc]
async fn tasks() -> tractor::Result<Vec<String>> {
    let tasks = current_actor()?.statistics().tasks;
    Ok(tasks
        .iter()
        .map(|task| format!("{} {:?}", task.function, task.state))
        .collect())
}

#[tractor::rpc]
async fn cancel_peer(name: &str) -> tractor::Result<()> {
    find_actor(name)
        .await?
        .expect("it is ready")
        .cancel_actor()
        .await
}

/// Polls the call until the event has come, and gives it back: it is not over.
async fn held_until<C>(call: C, event: impl Future<Output = tractor::Result<()>>) -> C
where
    C: Future<Output: Debug> + Unpin,
{
    match select(call, pin!(event)).await {
        Either::Right((seen, call)) => {
            seen.expect("the actor is well");
            call
        }
        Either::Left((result, _)) => panic!("it ended before the event: {result:?}"),
    }
}

fn check_cancelled(error: &Error, by: &str, reason: CancelReason) {
    let Ending::Cancelled {
        by: Some(who),
        reason: why,
    } = error.ending()
    else {
        panic!("{error}");
    };
    assert_eq!((who.name(), *why), (by, reason), "{error}");
}

#[tractor::test]
async fn dropping_a_call_drops_the_remote_function() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        drop(
            held_until(
                worker.run(hold("work")),
                worker.run(wait_for("work begins")),
            )
            .await,
        );
        worker.run(wait_for("work dropped")).await?;
        // It leaves the table right behind its destructors; then only the question itself runs.
        while worker.run(tasks()).await?.len() > 1 {}
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn dropping_a_call_reaches_through_three_actors() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let a = nursery.start_actor("a").await?;
        nursery.start_actor("b").await?;
        let c = nursery.start_actor("c").await?;
        let path = ["b", "c"].map(str::to_owned).to_vec();
        drop(held_until(a.run(hold_through(path)), c.run(wait_for("chain begins"))).await);
        c.run(wait_for("chain dropped")).await?;
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn three_hundred_dropped_calls_are_all_cancelled() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let calls = join_all((0..300).map(|_| worker.run(hold("one"))));
        drop(held_until(calls, worker.run(wait_for_times("one begins", 300))).await);
        worker.run(wait_for_times("one dropped", 300)).await?;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_destructor_that_panics_harms_nobody() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        drop(
            held_until(
                worker.run(panic_in_destructor()),
                worker.run(wait_for("bomb begins")),
            )
            .await,
        );
        worker.run(wait_for("bomb dropped")).await?;
        assert_eq!(worker.run(who()).await?.pid, worker.pid());
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_plain_function_runs_on_and_its_result_is_discarded() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        drop(
            held_until(
                worker.run(block_until_told()),
                worker.run(wait_for("blocking begins")),
            )
            .await,
        );
        let expected = "promises::cancellation::block_until_told CancelledRunning";
        while !worker
            .run(tasks())
            .await?
            .iter()
            .any(|task| task == expected)
        {
            checkpoint().await.expect("nobody cancels this");
        }
        worker.run(tell("go")).await?;
        worker.run(wait_for("blocking ends")).await?;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn deadlines_travel_with_calls_and_grow_shorter() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let near = nursery.start_actor("near").await?;
        nursery.start_actor("far").await?;
        assert_eq!(near.run(time_left()).await?, None);
        let (there, far) = timeout(Duration::from_secs(20), async {
            let there = near.run(time_left()).await?.expect("it travels");
            let far = near.run(time_left_in("far")).await?.expect("it travels on");
            tractor::Ok((there, far))
        })
        .await
        .expect("there is time")?;
        // A share of 50 ms is kept for the answer at each hop.
        assert!((10_000..=19_950).contains(&there), "{there}");
        assert!((10_000..=19_900).contains(&far), "{far}");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_passed_deadline_ends_the_remote_function() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let ended = timeout(Duration::from_millis(300), worker.run(hold("late"))).await;
        match ended {
            // The callee has a little less time, so that its report arrives, if it is not busy.
            Ok(result) => {
                let error = result.unwrap_err();
                let deadline = Ending::Cancelled {
                    by: None,
                    reason: CancelReason::Deadline,
                };
                assert_eq!(format!("{:?}", error.ending()), format!("{deadline:?}"));
                assert_eq!(error.call(), Some("promises::witness::hold"));
            }
            Err(cancelled) => assert_eq!(cancelled.reason(), CancelReason::Deadline),
        }
        worker.run(wait_for("late dropped")).await?;
        worker.cancel_actor().await
    })
    .await
}

/// Lets another actor hold something, for no longer than this caller has, or than this.
#[tractor::rpc]
async fn hold_below(below: Portal, at_most: Duration) -> tractor::Result<()> {
    match timeout(at_most, below.run(hold("below"))).await {
        Ok(held) => held,
        Err(cancelled) => Err(Error::other(cancelled)),
    }
}

#[tractor::test]
async fn moving_on_gives_nothing_whoever_saw_the_deadline_first() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let below = nursery.start_actor("below").await?;
        let (short, long) = (Duration::from_millis(300), Duration::from_secs(300));
        let call = move_on_after(short, worker.run(hold("call"))).await;
        assert!(call.is_none(), "{call:?}");
        let handled = move_on_after(short, async {
            let ended = worker.run(hold("handled")).await;
            format!("instead of {ended:?}")
        });
        assert_eq!(handled.await, None);
        let one_shot = open_nursery(async |nursery| {
            let once = nursery.run_in_actor("once", hold("one-shot")).await?;
            once.result().await
        });
        let one_shot = move_on_after(short, one_shot).await;
        assert!(one_shot.is_none(), "{one_shot:?}");
        let in_block = open_nursery(async |nursery| {
            let inner = nursery.start_actor("inner").await?;
            inner.run(hold("in the block")).await
        });
        let in_block = move_on_after(short, in_block).await;
        assert!(in_block.is_none(), "{in_block:?}");
        let two_hops = worker.run(hold_below(below.clone(), long));
        let two_hops = move_on_after(short, two_hops).await;
        assert!(two_hops.is_none(), "{two_hops:?}");
        let pool = open_worker_pool(2, async |pool| {
            pool.map(hold, ["one", "two"])
                .try_collect::<Vec<()>>()
                .await
        });
        let pool = move_on_after(short, pool).await;
        assert!(pool.is_none(), "{pool:?}");
        // A deadline inside is nobody else's, here and there.
        let inner = move_on_after(long, async {
            let moved_on = move_on_after(short, worker.run(hold("inner"))).await;
            moved_on.is_none()
        });
        assert_eq!(inner.await, Some(true));
        let impatient = move_on_after(long, worker.run(hold_below(below.clone(), short)));
        let error = impatient.await.expect("there is time").unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn the_tasks_of_a_channel_end_with_it() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = dial(&worker);
        start(&mut channel, 1, &hold("by hand"));
        worker.run(wait_for("by hand begins")).await?;
        drop(channel);
        worker.run(wait_for("by hand dropped")).await?;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn the_tasks_of_a_killed_caller_end_with_it() -> tractor::Result<()> {
    open_nursery(async |outer| {
        let callee = outer.start_actor("callee").await?;
        let killed: tractor::Result<()> = open_nursery(async |nursery| {
            let caller = nursery.start_actor("caller").await?;
            let call = caller.run(hold_through(vec!["callee".to_owned()]));
            let held = held_until(call, callee.run(wait_for("chain begins"))).await;
            signal(caller.pid(), Signal::Kill);
            held.await
        })
        .await;
        assert_eq!(killed.unwrap_err().signal(), Some(9));
        callee.run(wait_for("chain dropped")).await?;
        callee.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn cancelling_a_child_ends_it_and_tells_whoever_waits_for_it() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let held = worker.run(hold("work"));
        let held = held_until(held, worker.run(wait_for("work begins"))).await;
        worker.cancel_actor().await?;
        check_cancelled(&held.await.unwrap_err(), "root", CancelReason::Asked);
        wait_gone(worker.pid());
        worker
            .cancel_actor()
            .await
            .expect("what has ended was cancelled successfully");
        check_cancelled(
            &worker.run(who()).await.unwrap_err(),
            "root",
            CancelReason::Asked,
        );
        Ok(())
    })
    .await
}

#[tractor::test]
async fn any_actor_may_cancel_a_peer_that_it_found() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let by = nursery.start_actor("by").await?;
        let victim = nursery.start_actor("victim").await?;
        let held = victim.run(hold("work"));
        let held = held_until(held, victim.run(wait_for("work begins"))).await;
        by.run(cancel_peer("victim")).await?;
        check_cancelled(&held.await.unwrap_err(), "by", CancelReason::Asked);
        wait_gone(victim.pid());
        // The nursery takes it for what it is.
        assert!(find_actor("victim").await?.is_none());
        by.cancel_actor().await
    })
    .await
}

/// When it is cancelled, it tells the root before it ends.
#[tractor::rpc]
async fn tell_root_in_cleanup() -> tractor::Result<()> {
    let task = scope::current().expect("a call runs in a scope");
    note("begun");
    let cleanup = shield(async {
        task.cancelled().await;
        get_root().await?.run(tell("cleaned")).await
    });
    cleanup.await.expect("nobody cancels the shield")
}

#[tractor::test]
async fn shielded_cleanup_may_still_call_others() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery
            .run_in_actor("worker", tell_root_in_cleanup())
            .await?;
        worker.portal().run(wait_for("begun")).await?;
        worker.portal().cancel_actor().await?;
        wait_for("cleaned").await;
        Ok(())
    })
    .await
}
