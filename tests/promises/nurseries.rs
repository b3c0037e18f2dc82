//! Nurseries own their children: one is left when every one of them is reaped, and the failure of
//! one cancels the others.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, join, pending, select};
use tractor::{
    Ending, OnExit, Portal, Refusal, checkpoint, open_nursery, open_nursery_with, shield,
};

use crate::spawning::who;
use crate::support::{is_alive, wait_gone};
use crate::witness::{NoteDrop, events, hold, note, tell, wait_for};

#[tractor::rpc]
pub(crate) async fn fail(why: &str) -> Result<u8, String> {
    Err(why.to_owned())
}

fn check_refused<T: std::fmt::Debug>(result: tractor::Result<T>, expected: &Refusal) {
    let error = result.unwrap_err();
    assert!(
        matches!(error.ending(), Ending::Refused(refusal) if refusal == expected),
        "{error}"
    );
}

#[tractor::test]
async fn leaving_waits_for_one_shots_and_then_for_daemons() -> tractor::Result<()> {
    let (send, portals) = oneshot::channel();
    let nursery = async {
        let left = open_nursery(async |nursery| {
            let daemon = nursery.start_actor("daemon").await?;
            let once = nursery.run_in_actor("once", wait_for("go")).await?;
            send.send((once.portal().clone(), daemon))
                .expect("somebody waits");
            Ok(())
        })
        .await;
        note("left");
        left
    };
    let watched = async {
        let (once, daemon): (Portal, Portal) = portals.await.expect("they are sent");
        once.run(tell("go")).await?;
        wait_gone(once.pid());
        assert_eq!(daemon.run(who()).await?.name, "daemon");
        assert!(
            events().await.is_empty(),
            "the nursery waits for its daemon"
        );
        daemon.cancel_actor().await
    };
    let (left, watched) = join(nursery, watched).await;
    assert_eq!(events().await, ["left"]);
    left.and(watched)
}

#[tractor::test]
async fn daemons_are_cancelled_on_exit_if_wanted_but_one_shots_are_not() -> tractor::Result<()> {
    let (send, portal) = oneshot::channel();
    let nursery = open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let daemon = nursery.start_actor("daemon").await?;
        let once = nursery.run_in_actor("once", wait_for("go")).await?;
        send.send((once.portal().clone(), daemon.pid()))
            .expect("somebody waits");
        tractor::Ok(once)
    });
    let watched = async {
        let (once, daemon): (Portal, u32) = portal.await.expect("it is sent");
        assert!(is_alive(daemon), "one-shots come first");
        once.run(tell("go")).await.map(|()| daemon)
    };
    let (once, daemon) = join(nursery, watched).await;
    once?.result().await?;
    assert!(!is_alive(daemon?));
    Ok(())
}

#[tractor::test]
async fn a_one_shot_ends_when_it_has_returned_although_the_block_goes_on() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let once = nursery.run_in_actor("once", who()).await?;
        wait_gone(once.portal().pid());
        assert_eq!(once.result().await?.name, "once");
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_failing_child_cancels_siblings_and_block() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let _dropped = NoteDrop("block dropped".to_owned());
        let busy = nursery.start_actor("busy").await?;
        let idle = nursery.start_actor("idle").await?;
        note(format!("{} {}", busy.pid(), idle.pid()));
        nursery.run_in_actor("other", pending_call()).await?;
        let gate = nursery.run_in_actor("failing", fail_after("go")).await?;
        gate.portal().run(tell("go")).await?;
        busy.run(hold("work")).await?;
        unreachable!("the call never returns");
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!(error.origin().name(), "failing");
    assert!(
        matches!(error.ending(), Ending::Failed(user) if user.message() == "no"),
        "{error}"
    );
    assert!(
        error.group().is_empty(),
        "being cancelled is no failure: {error}"
    );
    let events = events().await;
    assert_eq!(events[1], "block dropped");
    for pid in events[0].split(' ') {
        assert!(!is_alive(pid.parse().unwrap()), "{events:?}");
    }
}

#[tractor::test]
async fn a_block_that_hears_of_the_cancel_adds_nothing_to_the_failure() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let busy = nursery.start_actor("busy").await?;
        let gate = nursery.run_in_actor("failing", fail_after("go")).await?;
        let gate = async {
            busy.run(wait_for("work begins")).await?;
            gate.portal().run(tell("go")).await
        };
        let (_, held) = join(gate, shield(busy.run(hold("work")))).await;
        let held = held.expect("it shields");
        assert!(held.as_ref().unwrap_err().is_cancelled(), "{held:?}");
        held
    })
    .await;
    let error = result.unwrap_err();
    assert!(
        matches!(error.ending(), Ending::Failed(user) if user.message() == "no"),
        "{error}"
    );
}

#[tractor::rpc]
async fn pending_call() {
    pending::<()>().await;
}

#[tractor::rpc]
async fn fail_after(event: &str) -> Result<(), String> {
    wait_for(event).await;
    Err("no".to_owned())
}

#[tractor::test]
async fn a_result_that_nobody_asked_for_still_fails_the_nursery() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        nursery.run_in_actor("failing", fail("unseen")).await?;
        tractor::Ok(())
    })
    .await;
    assert!(result.unwrap_err().to_string().contains("unseen"));
}

#[tractor::test]
async fn an_error_of_the_block_cancels_the_children_and_is_returned_as_it_is() {
    #[derive(Debug, thiserror::Error)]
    enum Own {
        #[error("the block's own error")]
        Block(u32),
        #[error(transparent)]
        Tractor(#[from] tractor::Error),
    }
    let result: Result<(), Own> = open_nursery(async |nursery| {
        let daemon = nursery.start_actor("daemon").await?;
        Err(Own::Block(daemon.pid()))
    })
    .await;
    match result {
        Err(Own::Block(pid)) => assert!(!is_alive(pid)),
        other => panic!("{other:?}"),
    }
}

#[tractor::test]
async fn a_panicking_block_leaves_no_child() {
    let (send, pid) = oneshot::channel();
    let nursery = open_nursery(async |nursery| {
        let daemon = nursery.start_actor("daemon").await?;
        send.send(daemon.pid()).expect("somebody waits");
        panic!("on purpose");
        #[expect(unreachable_code, reason = "the type of the block")]
        tractor::Ok(())
    });
    let panic = AssertUnwindSafe(nursery).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    wait_gone(pid.await.expect("it was sent"));
}

#[tractor::test]
async fn a_nursery_whose_future_is_dropped_leaves_no_child() {
    let (send, pids) = oneshot::channel();
    let nursery = Box::pin(open_nursery(async |nursery| {
        let first = nursery.start_actor("first").await?;
        let second = nursery.run_in_actor("second", pending_call()).await?;
        send.send([first.pid(), second.portal().pid()])
            .expect("somebody waits");
        pending::<tractor::Result<()>>().await
    }));
    let Either::Left((pids, nursery)) = select(pids, nursery).await else {
        panic!("the block never ends");
    };
    drop(nursery);
    let pids = pids.expect("they are sent");
    pids.into_iter().for_each(wait_gone);
}

#[tractor::test]
async fn a_start_that_is_given_up_leaves_no_process() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for _ in 0..4 {
            let start = nursery.start_actor("given-up").into_future();
            assert!(
                start.now_or_never().is_none(),
                "a process is not started in no time"
            );
        }
        // What takes longer than a poll is given up further on its way.
        let mut start = nursery.start_actor("given-up-late").into_future();
        let mut started = None;
        while nursery.statistics().children.is_empty() && started.is_none() {
            started = (&mut start).now_or_never();
            checkpoint().await.expect("nobody cancels this");
        }
        drop(start);
        if let Some(late) = started {
            // With one processor it may be ready before anybody can look.
            late?.cancel_actor().await?;
        }
        nursery
            .run_in_actor("fine", who())
            .await?
            .result()
            .await
            .map(drop)
    })
    .await
}

#[tractor::test]
async fn a_cancelled_nursery_takes_no_children_and_its_block_goes_on() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let daemon = nursery.start_actor("daemon").await?;
        assert!(!nursery.is_cancelled());
        nursery.cancel();
        assert!(nursery.is_cancelled());
        check_refused(nursery.start_actor("late").await, &Refusal::NurseryClosed);
        check_refused(
            nursery.run_in_actor("late", who()).await,
            &Refusal::NurseryClosed,
        );
        wait_gone(daemon.pid());
        note("block goes on");
        Ok(())
    })
    .await?;
    assert_eq!(events().await, ["block goes on"]);
    Ok(())
}

#[tractor::test]
async fn a_clone_that_outlives_its_block_starts_nothing() -> tractor::Result<()> {
    let leaked = open_nursery(async |nursery| tractor::Ok(nursery.clone())).await?;
    check_refused(leaked.start_actor("late").await, &Refusal::NurseryClosed);
    assert!(leaked.statistics().children.is_empty());
    Ok(())
}

#[tractor::test]
async fn nurseries_of_one_actor_do_not_touch_each_other() -> tractor::Result<()> {
    open_nursery(async |outer| {
        let outside = outer.start_actor("outside").await?;
        let inner: tractor::Result<()> = open_nursery(async |inner| {
            inner.start_actor("inside").await?;
            inner
                .run_in_actor("failing", fail("inside only"))
                .await?
                .result()
                .await
                .map(drop)
        })
        .await;
        assert!(inner.unwrap_err().to_string().contains("inside only"));
        assert_eq!(outside.run(who()).await?.name, "outside");
        outside.cancel_actor().await
    })
    .await
}
