//! Cancel scopes: deadlines, shields and reasons, around calls and around nurseries.

use std::future::pending;
use std::time::Duration;

use futures::future::join;
use tractor::{
    CancelReason, CancelScope, Cancelled, Ending, checkpoint, current_deadline, move_on_after,
    open_nursery, shield, timeout,
};

use crate::spawning::who;
use crate::support::is_alive;
use crate::witness::{NoteDrop, events, hold, note, tell, wait_for};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(50);

#[tractor::rpc]
async fn has_deadline() -> bool {
    current_deadline().is_some()
}

/// Why something in a scope was cancelled, whether the scope or what ran in it says so.
fn reason<T>(result: Result<tractor::Result<T>, Cancelled>) -> CancelReason {
    match result {
        Err(cancelled) => cancelled.reason(),
        Ok(Err(error)) => match error.ending() {
            Ending::Cancelled { reason, .. } => *reason,
            _ => panic!("{error}"),
        },
        Ok(Ok(_)) => panic!("nothing was cancelled"),
    }
}

#[tractor::test]
async fn a_deadline_around_a_nursery_ends_its_block_and_its_children() {
    let mut pids = Vec::new();
    let nursery = open_nursery(async |nursery| {
        let _dropped = NoteDrop("block dropped".to_owned());
        for name in ["a", "b"] {
            pids.push(nursery.start_actor(name).await?.pid());
        }
        pending::<tractor::Result<()>>().await
    });
    let ended = timeout(Duration::from_millis(400), nursery).await;
    assert_eq!(reason(ended), CancelReason::Deadline);
    assert_eq!(events().await, ["block dropped"]);
    assert!(
        !pids.iter().any(|pid| is_alive(*pid)),
        "they are reaped before the scope is left"
    );
}

#[tractor::test]
async fn cancelling_a_scope_cancels_the_nurseries_in_it() {
    let scope = CancelScope::new();
    let handle = scope.clone();
    let mut pid = 0;
    let nursery = scope.run(open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        pid = worker.pid();
        note("started");
        worker.run(hold("work")).await
    }));
    let cancel = async {
        wait_for("started").await;
        handle.cancel();
    };
    let (ended, ()) = join(nursery, cancel).await;
    assert_eq!(reason(ended), CancelReason::ScopeCancelled);
    assert!(scope.is_cancelled() && !is_alive(pid));
    let by = scope.cancelled_by().expect("it is cancelled");
    assert_eq!((by.by, by.reason), (None, CancelReason::ScopeCancelled));
}

/// A nursery whose block returns before its one-shot does, which is never.
async fn leave_work() -> tractor::Result<String> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("worker", hold("work")).await?;
        note("block ended");
        tractor::Ok("all is done".to_owned())
    })
    .await
}

#[tractor::rpc]
async fn leave_work_behind() -> tractor::Result<String> {
    leave_work().await
}

#[tractor::test]
async fn a_nursery_that_is_cut_off_behind_its_block_gives_no_value() -> tractor::Result<()> {
    let one_shots = timeout(Duration::from_millis(300), leave_work());
    assert_eq!(reason(one_shots.await), CancelReason::Deadline);
    let daemons = open_nursery(async |nursery| nursery.start_actor("daemon").await.map(drop));
    let daemons = timeout(Duration::from_millis(300), daemons);
    assert_eq!(reason(daemons.await), CancelReason::Deadline);

    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let cancel = async {
            middle.run(wait_for("block ended")).await?;
            middle.cancel_actor().await
        };
        let (ended, told) = join(middle.run(leave_work_behind()), cancel).await;
        told?;
        let error = ended.expect_err("its work was cut off");
        assert!(error.is_cancelled(), "{error}");
        tractor::Ok(())
    })
    .await
}

#[tractor::test]
async fn a_nursery_whose_children_only_have_to_be_reaped_gives_its_value() {
    let scope = CancelScope::new();
    let nursery = scope.run(open_nursery(async |nursery| {
        let once = nursery.run_in_actor("once", who()).await?;
        once.result().await?;
        let daemon = nursery.start_actor("daemon").await?;
        daemon.cancel_actor().await?;
        note("all is done");
        tractor::Ok("all is done")
    }));
    // In the same poll: the daemon has heard, and is most likely there still.
    let cancel = async {
        wait_for("all is done").await;
        scope.cancel();
    };
    let (ended, ()) = join(nursery, cancel).await;
    let value = ended.expect("the scope waits for it");
    assert_eq!(value.expect("nothing was cut off"), "all is done");
}

#[tractor::test]
async fn a_nursery_that_ends_its_children_itself_gives_its_value() -> tractor::Result<()> {
    let scope = CancelScope::new();
    let nursery = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        worker.run(who()).await?;
        nursery.cancel();
        // It is not the scope any more that ends it.
        scope.cancel();
        tractor::Ok("all is done")
    });
    let ended = scope.run(nursery).await;
    assert_eq!(ended.expect("the scope waits for it")?, "all is done");
    Ok(())
}

#[tractor::test]
async fn a_shield_lets_a_call_come_to_its_end() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let scope = CancelScope::new();
        let shielded = scope.run(async {
            let answer = shield(worker.run(wait_for("go"))).await;
            note(format!("{answer:?}"));
            pending::<()>().await;
        });
        let cancel = async {
            worker.run(tell("it serves us")).await?;
            scope.cancel();
            worker.run(tell("go")).await
        };
        let (ended, told) = join(shielded, cancel).await;
        told?;
        assert!(ended.is_err(), "{ended:?}");
        assert_eq!(events().await, ["Ok(Ok(()))"]);
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_shield_around_a_nursery_keeps_its_children() -> tractor::Result<()> {
    let scope = CancelScope::new();
    let nursery = scope.run(shield(open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        scope.cancel();
        assert!(scope.is_cancelled());
        let name = worker.run(who()).await?.name;
        worker.cancel_actor().await?;
        tractor::Ok(name)
    })));
    let ended = nursery
        .await
        .expect("it is ready in the poll that sees the cancel");
    assert_eq!(ended.expect("nobody cancels the shield")?, "worker");
    Ok(())
}

#[tractor::test]
async fn a_shield_hides_the_deadline_too() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let seen = timeout(LONG, async {
            let bound = worker.run(has_deadline()).await?;
            let free = shield(worker.run(has_deadline()))
                .await
                .expect("nobody cancels it")?;
            tractor::Ok((bound, free))
        });
        assert_eq!(seen.await.expect("there is time")?, (true, false));
        assert!(!worker.run(has_deadline()).await?);
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn moving_on_after_a_while_leaves_nobody_behind() -> tractor::Result<()> {
    let mut pid = 0;
    let nursery = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        pid = worker.pid();
        worker.run(hold("work")).await
    });
    let moved_on = move_on_after(Duration::from_millis(400), nursery).await;
    assert!(moved_on.is_none_or(|result| result.is_err()));
    assert!(!is_alive(pid));
    assert_eq!(move_on_after(LONG, async { 7 }).await, Some(7));
    Ok(())
}

#[tractor::test]
async fn of_nested_scopes_the_outermost_answers() {
    let outer = CancelScope::new();
    let ended = outer
        .run(async {
            let inner = CancelScope::new();
            // Whatever it says is not heard any more.
            let _ = inner
                .run(async {
                    inner.cancel();
                    outer.cancel_with(CancelReason::Asked, None);
                    pending::<()>().await;
                })
                .await;
            note("between the two");
            checkpoint().await
        })
        .await;
    let reason = ended.map_or_else(
        |cancelled| cancelled.reason(),
        |inner| inner.unwrap_err().reason(),
    );
    assert_eq!(reason, CancelReason::Asked);
    assert!(events().await.is_empty(), "what lies between is dropped");
}

#[tractor::test]
async fn in_a_cancelled_scope_no_call_is_sent_and_no_child_started() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let scope = CancelScope::new();
        scope.cancel();
        assert!(scope.run(worker.run(tell("sent"))).await.is_err());
        let start = nursery.start_actor("never").into_future();
        assert!(scope.run(start).await.is_err());
        assert!(worker.run(events()).await?.is_empty());
        assert_eq!(nursery.statistics().children.len(), 1);
        worker.cancel_actor().await
    })
    .await
}

/// Gives up after a moment what never ends, with what is left of its own scope.
#[tractor::rpc]
async fn give_up_inside() -> Option<()> {
    move_on_after(Duration::from_millis(20), hold("inside")).await
}

#[tractor::test]
async fn scopes_work_within_remote_functions() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(worker.run(give_up_inside()).await?, None);
        assert_eq!(
            worker.run(events()).await?,
            ["inside begins", "inside dropped"]
        );
        worker.cancel_actor().await
    })
    .await
}
