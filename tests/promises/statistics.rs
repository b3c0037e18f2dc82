//! Actors and nurseries tell who is there, what runs for whom, and what went over the links.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join;
use tractor::{
    Condition, TaskState, checkpoint, current_actor, get_root, nurseries, open_nursery, shield,
};

use crate::witness::{hold, note, tell, wait_for};

#[tractor::rpc]
async fn hold_in_root() -> tractor::Result<()> {
    get_root().await?.run(hold("for a child")).await
}

/// Ends, whatever happens to it, when the root is told to let it.
#[tractor::rpc]
async fn end_when_root_lets() -> tractor::Result<()> {
    let root = get_root().await?;
    note("begun");
    shield(root.run(wait_for("let it")))
        .await
        .expect("nobody cancels the shield")
}

#[tractor::test]
async fn an_actor_tells_its_tasks_by_caller_and_its_links_by_bytes() -> tractor::Result<()> {
    let root = current_actor()?;
    assert!(root.statistics().tasks.is_empty() && root.statistics().links.is_empty());
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        worker.run(tell(&"x".repeat(10_000))).await?;
        let held = async { worker.run(hold_in_root()).await };
        let looked = async {
            wait_for("for a child begins").await;
            // It has noted that it begins, and is about to wait.
            let statistics = loop {
                let statistics = root.statistics();
                match &statistics.tasks[..] {
                    [task] if task.state == TaskState::Running => {
                        checkpoint().await.expect("nobody cancels this");
                    }
                    _ => break statistics,
                }
            };
            let [task] = &statistics.tasks[..] else {
                panic!("{statistics:?}")
            };
            assert_eq!(task.function, "promises::witness::hold");
            assert_eq!(
                (task.caller.as_ref(), task.state),
                (Some(worker.aid()), TaskState::Waiting)
            );
            assert!(task.age > Duration::ZERO && task.age < Duration::from_secs(60));
            // One that the child is owned by, one that it made to call us.
            let links = statistics
                .links
                .iter()
                .filter(|link| &link.peer == worker.aid());
            let links: Vec<_> = links.collect();
            assert_eq!(links.len(), statistics.links.len(), "{statistics:?}");
            assert_eq!(
                links.iter().map(|link| link.tasks).sum::<usize>(),
                1,
                "{statistics:?}"
            );
            assert_eq!(
                links.iter().map(|link| link.calls).sum::<usize>(),
                1,
                "{statistics:?}"
            );
            assert!(
                links.iter().any(|link| link.bytes_out > 10_000),
                "{statistics:?}"
            );
            assert!(
                links
                    .iter()
                    .all(|link| link.bytes_in > 0 && link.age > Duration::ZERO)
            );
            worker.cancel_actor().await
        };
        let (lost, looked) = join(held, looked).await;
        assert!(lost.unwrap_err().is_cancelled());
        looked
    })
    .await?;
    wait_for("for a child dropped").await;
    while !root.statistics().links.is_empty() {
        checkpoint().await.expect("nobody cancels this");
    }
    Ok(())
}

/// Waits, where the executor polls it.
#[tractor::rpc(spawn)]
async fn wait_in_executor() {
    std::future::pending().await
}

#[tractor::rpc]
async fn wait_in_root() -> tractor::Result<()> {
    get_root().await?.run(wait_in_executor()).await
}

/// Waits until the only task of this actor stands so.
async fn until_task_is(state: TaskState) {
    let root = current_actor().expect("a test's body is an actor");
    while root.statistics().tasks.first().map(|it| it.state) != Some(state) {
        checkpoint().await.expect("nobody cancels this");
    }
}

#[tractor::test]
async fn a_call_that_has_only_come_is_starting() -> tractor::Result<()> {
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = futures::channel::oneshot::channel();
    // The thread that polls tasks; this body has one of its own.
    async_std::task::spawn(async move {
        begun.send(()).expect("the test waits");
        may_go_on.recv().expect_err("it is dropped");
    });
    has_begun.await.expect("it begins");
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut call = Box::pin(worker.run(wait_in_root()));
        assert!(futures::poll!(call.as_mut()).is_pending());
        until_task_is(TaskState::Starting).await;
        drop(go_on);
        until_task_is(TaskState::Waiting).await;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_nursery_tells_its_children_and_what_they_do() -> tractor::Result<()> {
    assert!(nurseries().is_empty());
    open_nursery(async |nursery| {
        assert!(nursery.statistics().children.is_empty());
        let daemon = nursery.start_actor("daemon").await?;
        let once = nursery.run_in_actor("once", end_when_root_lets()).await?;
        once.portal().run(wait_for("begun")).await?;
        let statistics = nursery.statistics();
        let [first, second] = &statistics.children[..] else {
            panic!("{statistics:?}")
        };
        assert_eq!((&first.aid, first.pid), (daemon.aid(), daemon.pid()));
        assert_eq!(
            (&second.aid, second.pid),
            (once.portal().aid(), once.portal().pid())
        );
        assert_eq!((first.is_daemon, second.is_daemon), (true, false));
        assert_eq!(
            (first.condition, second.condition),
            (Condition::Running, Condition::Running)
        );
        assert_eq!(statistics.failures, 0);
        open_nursery(async |inner| {
            let numbers: Vec<_> = nurseries().iter().map(|nursery| nursery.number).collect();
            assert_eq!(numbers, [statistics.number, inner.statistics().number]);
            tractor::Ok(())
        })
        .await?;
        nursery.cancel();
        let cancelling = nursery
            .statistics()
            .children
            .into_iter()
            .find(|child| !child.is_daemon);
        assert_eq!(
            cancelling.map(|child| child.condition),
            Some(Condition::Cancelling)
        );
        note("let it");
        Ok(())
    })
    .await?;
    assert!(nurseries().is_empty());
    Ok(())
}

#[tractor::test]
async fn a_child_that_boots_says_so() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        loop {
            let mut start = nursery.start_actor("booting").into_future();
            let seen = loop {
                if let Some(started) = (&mut start).now_or_never() {
                    // It was ready before it could be looked at.
                    started?.cancel_actor().await?;
                    break None;
                }
                let children = nursery.statistics().children;
                let booting = children
                    .iter()
                    .find(|child| child.condition == Condition::Booting);
                if booting.is_some() {
                    break booting.cloned();
                }
                checkpoint().await.expect("nobody cancels this");
            };
            if let Some(seen) = seen {
                assert_eq!(seen.aid, *start.await?.aid());
                break;
            }
        }
        nursery.cancel();
        Ok(())
    })
    .await
}
