//! Everybody finds the root, and every ready actor by its name; nobody finds the dead.

use std::time::Duration;

use futures::future::{join, pending};
use tractor::{Liveness, Portal, find_actor, get_root, move_on_after, open_nursery};
use tractor::{query_actor, wait_for_actor};
use tractor_core::process::Signal;

use crate::spawning::{Who, who};
use crate::support::{signal, wait_gone};
use crate::witness::{note, tell, wait_for};

/// The root, as it is found so many levels below.
#[tractor::rpc]
async fn root_seen_below(levels: u32) -> tractor::Result<(Who, Who)> {
    if levels == 0 {
        return Ok((get_root().await?.run(who()).await?, who().await?));
    }
    open_nursery(async |nursery| {
        let name = format!("level{levels}");
        nursery
            .run_in_actor(name, root_seen_below(levels - 1))
            .await?
            .result()
            .await
    })
    .await
}

/// The process of the actor that is found by this name.
#[tractor::rpc]
async fn found(name: &str) -> tractor::Result<Option<u32>> {
    Ok(find_actor(name).await?.map(|portal| portal.pid()))
}

#[tractor::rpc]
async fn waited_for(name: &str) -> tractor::Result<u32> {
    wait_for_actor(name).await.map(|portal| portal.pid())
}

/// Starts a daemon below this actor and never returns.
#[tractor::rpc]
async fn own(name: String) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.start_actor(name).await?;
        pending().await
    })
    .await
}

#[tractor::test]
async fn the_root_is_found_three_levels_below_it() -> tractor::Result<()> {
    let (root, asker) = root_seen_below(3).await?;
    assert_eq!(
        (root.name.as_str(), root.pid, root.depth),
        ("root", std::process::id(), 0)
    );
    assert_eq!((asker.name.as_str(), asker.depth), ("level1", 3));
    Ok(())
}

#[tractor::test]
async fn the_root_finds_itself_and_calls_run_right_there() -> tractor::Result<()> {
    let root = get_root().await?;
    assert_eq!(root.pid(), std::process::id());
    root.run(tell("here")).await?;
    wait_for("here").await;
    let alive = root.probe(Duration::ZERO).await;
    assert_eq!(
        alive,
        Liveness::Answering {
            after: Duration::ZERO
        }
    );
    Ok(())
}

#[tractor::test]
async fn an_actor_is_found_by_its_name_from_everywhere() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let a = nursery.start_actor("a").await?;
        let b = nursery.start_actor("b").await?;
        let here: Portal = find_actor("b").await?.expect("it is ready");
        assert_eq!((here.pid(), here.aid()), (b.pid(), b.aid()));
        assert_eq!(here.run(who()).await?.name, "b");
        assert_eq!(a.run(found("b")).await?, Some(b.pid()));
        assert_eq!(
            b.run(found("b")).await?,
            Some(b.pid()),
            "it finds itself too"
        );
        assert_eq!(a.run(found("nobody")).await?, None);
        assert!(find_actor("nobody").await?.is_none() && query_actor("nobody").await?.is_empty());
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn waiting_for_an_actor_ends_when_it_is_ready() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let other = nursery.start_actor("other").await?;
        let started = async {
            // They wait by the time that their questions are answered.
            other.run(who()).await?;
            nursery.start_actor("late").await
        };
        let waiting = join(wait_for_actor("late"), other.run(waited_for("late")));
        let ((here, there), late) = join(waiting, started).await;
        let pid = late?.pid();
        assert_eq!((here?.pid(), there?), (pid, pid));
        assert_eq!(wait_for_actor("late").await?.pid(), pid, "it need not wait");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn waiting_can_be_given_up() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let other = nursery.start_actor("other").await?;
        let within = Duration::from_millis(100);
        assert!(
            move_on_after(within, wait_for_actor("late"))
                .await
                .is_none()
        );
        let gave_up = move_on_after(within, other.run(waited_for("late"))).await;
        assert!(gave_up.is_none_or(|result| result.is_err()));
        let late = nursery.start_actor("late").await?;
        assert_eq!(other.run(waited_for("late")).await?, late.pid());
        // One who waits for ever does not keep the tree.
        nursery.run_in_actor("waiter", waited_for("never")).await?;
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn what_stood_below_a_killed_actor_is_not_found_either() -> tractor::Result<()> {
    let killed: tractor::Result<()> = open_nursery(async |nursery| {
        let middle = nursery
            .run_in_actor("middle", own("leaf".to_owned()))
            .await?;
        let leaf = wait_for_actor("leaf").await?;
        note(leaf.pid().to_string());
        signal(middle.portal().pid(), Signal::Kill);
        wait_gone(leaf.pid());
        assert!(find_actor("leaf").await?.is_none());
        middle.result().await
    })
    .await;
    assert_eq!(killed.unwrap_err().origin().name(), "middle");
    assert!(query_actor("leaf").await?.is_empty());
    Ok(())
}
