//! Actors are processes below the one that starts them.

use futures::executor::block_on;
use futures::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use tractor::{Ending, Options, Refusal, current_actor, find_actor, get_root, open_nursery};

use crate::support;

/// An actor as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) parent_pid: u32,
    pub(crate) depth: u32,
    pub(crate) is_root: bool,
}

impl Who {
    fn here() -> tractor::Result<Self> {
        let actor = current_actor()?;
        Ok(Self {
            name: actor.name().to_owned(),
            pid: actor.pid(),
            parent_pid: std::os::unix::process::parent_id(),
            depth: actor.identity().depth,
            is_root: actor.is_root(),
        })
    }
}

#[tractor::rpc]
pub(crate) async fn who() -> tractor::Result<Who> {
    Who::here()
}

/// This actor and one below the other, `levels` of them.
#[tractor::rpc]
async fn tower(levels: u32) -> tractor::Result<Vec<Who>> {
    let mut all = vec![Who::here()?];
    if levels > 0 {
        let below = open_nursery(async |nursery| {
            let floor = format!("floor{levels}");
            nursery
                .run_in_actor(floor, tower(levels - 1))
                .await?
                .result()
                .await
        });
        all.extend(below.await?);
    }
    Ok(all)
}

#[tractor::test]
async fn start_actor_gives_the_portal_of_a_child_process() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let seen = worker.run(who()).await?;
        let expected = Who {
            name: "worker".to_owned(),
            pid: worker.pid(),
            parent_pid: std::process::id(),
            depth: 1,
            is_root: false,
        };
        assert_eq!(seen, expected);
        assert_eq!((worker.name(), worker.aid().name()), ("worker", "worker"));
        assert_ne!(seen.pid, std::process::id());
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn run_in_actor_gives_the_result_as_often_as_it_is_asked_for() -> tractor::Result<()> {
    let pid = open_nursery(async |nursery| {
        let once = nursery.run_in_actor("once", who()).await?;
        let seen = once.result().await?;
        assert_eq!(seen, once.result().await?);
        assert_eq!(
            (seen.name.as_str(), seen.pid),
            ("once", once.portal().pid())
        );
        tractor::Ok(seen.pid)
    })
    .await?;
    assert!(!support::is_alive(pid), "a one-shot ends with its function");
    Ok(())
}

#[tractor::test]
async fn nurseries_nest_three_levels_deep() -> tractor::Result<()> {
    let all = tower(3).await?;
    let names: Vec<_> = all.iter().map(|who| who.name.as_str()).collect();
    assert_eq!(names, ["root", "floor3", "floor2", "floor1"]);
    for (depth, pair) in (1..).zip(all.windows(2)) {
        assert_eq!((pair[1].parent_pid, pair[1].depth), (pair[0].pid, depth));
    }
    assert!(all[0].is_root && !all[1].is_root);
    assert!(all[1..].iter().all(|who| !support::is_alive(who.pid)));
    Ok(())
}

#[tractor::test]
async fn many_actors_start_side_by_side() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let towers = (0..3).map(async |n| {
            let tower = nursery.run_in_actor(format!("tower{n}"), tower(1)).await?;
            tower.result().await
        });
        let pids: Vec<_> = try_join_all(towers)
            .await?
            .concat()
            .iter()
            .map(|who| who.pid)
            .collect();
        let distinct: std::collections::BTreeSet<_> = pids.iter().collect();
        assert_eq!((pids.len(), distinct.len()), (6, 6));
        Ok(())
    })
    .await
}

#[tractor::test]
async fn names_that_no_terminal_could_show_are_refused() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in ["", "two\nlines", &"x".repeat(129)] {
            let refused = nursery.start_actor(name).await.unwrap_err();
            let Ending::Refused(Refusal::BadName { name: bad, reason }) = refused.ending() else {
                panic!("{refused}");
            };
            assert_eq!(bad, name);
            let text = refused.to_string();
            assert!(
                text.contains(reason) && text.contains(&format!("{name:?}")),
                "{text}"
            );
        }
        let names = ["with space", "käse", "a/b::c", &"x".repeat(128)];
        let portals = join_all(names.map(|name| nursery.start_actor(name).into_future())).await;
        for (name, portal) in names.into_iter().zip(portals) {
            assert_eq!(portal?.run(who()).await?.name, name);
        }
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn what_the_system_refuses_to_start_is_an_error_with_its_reason() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let refused = nursery
            .start_actor("lost")
            .current_dir("/no/such/place")
            .await
            .unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::NotSpawned { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("/no/such/place"), "{refused}");
        // The nursery is as it was.
        let fine = nursery.run_in_actor("fine", who()).await?;
        assert_eq!(fine.result().await?.name, "fine");
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_process_is_a_root_only_once() -> tractor::Result<()> {
    let again: tractor::Result<()> = tractor::run(Options::default(), async || Ok(()));
    let refused = again.unwrap_err();
    assert!(
        refused.to_string().contains("is an actor already"),
        "{refused}"
    );
    assert_eq!(tower(1).await?.len(), 2, "it goes on as what it is");
    Ok(())
}

#[test]
fn outside_of_an_actor_everything_says_that_there_is_none() {
    let check = |error: tractor::Error| {
        let none = matches!(error.ending(), Ending::Refused(Refusal::NotAnActor));
        assert!(
            none && error.to_string().contains("tractor::main"),
            "{error}"
        );
    };
    check(current_actor().unwrap_err());
    check(block_on(find_actor("worker")).unwrap_err());
    check(block_on(get_root()).unwrap_err());
    let nursery: tractor::Result<()> = block_on(open_nursery(async |_| Ok(())));
    check(nursery.unwrap_err());
    // The function itself needs none.
    assert_eq!(block_on(crate::calls::greet("you")), "hello you");
}
