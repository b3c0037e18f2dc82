//! Several actors as one: started at once, with contexts open on all, linked to each other.

use std::future::pending;

use futures::StreamExt;
use tractor::{
    Context, Ending, Misuse, OnExit, Refusal, find_actor, gather_contexts, open_actor_cluster,
    open_named_cluster, open_nursery_with,
};
use tractor_core::process::Signal;

use crate::support::signal;
use crate::witness::{NoteDrop, events, note, tell, wait_for, wait_for_times};

/// Adds up what it is sent; starts with its own number.
#[tractor::context]
async fn sum(ctx: Context<u64, u64, ()>, number: u64) -> tractor::Result<u64> {
    ctx.started(number)?;
    let (_nothing, mut numbers) = ctx.open_stream()?;
    let mut sum = 0;
    while let Some(n) = numbers.recv().await? {
        sum += n;
    }
    Ok(sum)
}

#[tractor::test]
async fn a_cluster_is_named_and_gone_after_its_block() -> tractor::Result<()> {
    open_actor_cluster(2, async |actors| {
        let names: Vec<_> = actors.iter().map(|actor| actor.name().to_owned()).collect();
        assert_eq!(names, ["worker-1", "worker-2"]);
        tractor::Ok(())
    })
    .await?;
    open_named_cluster(["left", "right"], async |actors| {
        assert_eq!((actors[0].name(), actors[1].name()), ("left", "right"));
        assert!(find_actor("right").await?.is_some());
        assert!(find_actor("worker-1").await?.is_none(), "it is gone");
        tractor::Ok(())
    })
    .await
}

#[tractor::test]
async fn contexts_on_all_are_open_at_once_and_give_their_results_in_order_or_as_they_come()
-> tractor::Result<()> {
    open_actor_cluster(3, async |actors| {
        let calls = actors.iter().zip(1..).map(|(actor, n)| (actor, sum(n)));
        let (in_order, as_they_came) = gather_contexts(calls, async |contexts, started| {
            assert_eq!(started, [1, 2, 3]);
            let mut ways = Vec::new();
            for context in contexts.iter() {
                ways.push(context.open_stream()?.0);
            }
            let mut as_they_came = Vec::new();
            let mut results = contexts.results();
            for (place, way) in ways.iter_mut().enumerate().rev() {
                for n in 0..1_000 {
                    way.send(n * (place as u64 + 1)).await?;
                }
                way.close();
                let (place, result) = results.next().await.expect("there are three");
                as_they_came.push((place, result?));
            }
            let mut in_order = Vec::new();
            for context in contexts.iter() {
                in_order.push(context.result().await?);
            }
            tractor::Ok((in_order, as_they_came))
        })
        .await?;
        assert_eq!(in_order, [499_500, 999_000, 1_498_500]);
        assert_eq!(as_they_came, [(2, 1_498_500), (1, 999_000), (0, 499_500)]);
        tractor::Ok(())
    })
    .await
}

/// Starts, then waits for ever, unless it is the one that fails when it is told to.
#[tractor::context]
async fn one_of_several(ctx: Context<(), (), ()>, fails: bool) -> Result<(), std::io::Error> {
    let _dropped = NoteDrop("dropped".to_owned());
    ctx.started(()).expect("it is the first time");
    note("started");
    if fails {
        wait_for("fail").await;
        return Err(std::io::Error::other("one of several"));
    }
    pending().await
}

#[tractor::test]
async fn one_context_that_fails_ends_the_block_and_the_others() -> tractor::Result<()> {
    open_actor_cluster(3, async |actors| {
        let calls = actors
            .iter()
            .zip(1..)
            .map(|(actor, n)| (actor, one_of_several(n == 2)));
        let ended: tractor::Result<()> = gather_contexts(calls, async |_, _| {
            actors[1].run(tell("fail")).await?;
            pending().await
        })
        .await;
        let error = ended.expect_err("one failed");
        assert_eq!(error.origin().name(), "worker-2", "{error}");
        assert!(error.to_string().contains("one of several"), "{error}");
        assert!(
            error.group().is_empty(),
            "cancelled ones say nothing beside it: {error}"
        );
        for actor in actors {
            let told = actor.run(events()).await?;
            assert_eq!(
                told.last().map(String::as_str),
                Some("dropped"),
                "it was waited for"
            );
        }
        tractor::Ok(())
    })
    .await
}

#[tractor::test]
async fn a_block_that_fails_ends_all_contexts() -> tractor::Result<()> {
    open_actor_cluster(2, async |actors| {
        let calls = actors.iter().map(|actor| (actor, one_of_several(false)));
        let ended: Result<(), BlockFailed> = gather_contexts(calls, async |_, _| {
            Err(BlockFailed("on purpose".to_owned()))
        })
        .await;
        assert_eq!(ended.expect_err("it failed").0, "on purpose");
        for actor in actors {
            let told = actor.run(events()).await?;
            assert_eq!(told, ["started", "dropped"]);
        }
        tractor::Ok(())
    })
    .await
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BlockFailed(String);

impl From<tractor::Error> for BlockFailed {
    fn from(error: tractor::Error) -> Self {
        Self(error.to_string())
    }
}

#[tractor::test]
async fn one_that_cannot_be_reached_ends_those_that_were_opened() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let there = nursery.start_actor("there").await?;
        let gone = nursery.start_actor("gone").await?;
        gone.cancel_actor().await?;
        let calls = [
            (&there, one_of_several(false)),
            (&gone, one_of_several(false)),
        ];
        let ended: tractor::Result<()> = gather_contexts(calls, async |_, _| {
            panic!("it begins only when all are open")
        })
        .await;
        let error = ended.expect_err("one is gone");
        assert_eq!(error.origin().name(), "gone", "{error}");
        assert_eq!(there.run(tasks()).await?, ["tasks"], "it was waited for");
        tractor::Ok(())
    })
    .await
}

/// The functions that run in the actor that it is sent to.
#[tractor::rpc]
async fn tasks() -> tractor::Result<Vec<String>> {
    let tasks = tractor::current_actor()?.statistics().tasks;
    let name = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
    Ok(tasks.iter().map(|task| name(&task.function)).collect())
}

#[tractor::test]
async fn an_actor_of_a_cluster_that_is_killed_ends_block_contexts_and_the_others()
-> tractor::Result<()> {
    let ended: tractor::Result<()> = open_actor_cluster(3, async |actors| {
        let calls = actors.iter().map(|actor| (actor, one_of_several(false)));
        gather_contexts(calls, async |_, _| {
            actors[2].run(wait_for_times("started", 1)).await?;
            signal(actors[2].pid(), Signal::Kill);
            pending().await
        })
        .await
    })
    .await;
    let error = ended.expect_err("one was killed");
    assert_eq!(error.origin().name(), "worker-3", "{error}");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert!(error.group().is_empty(), "one death is told once: {error}");
    Ok(())
}

#[tractor::test]
async fn gathering_no_context_is_refused() -> tractor::Result<()> {
    let none: [(&tractor::Portal, _); 0] = [];
    let none = none.into_iter().map(|(portal, ())| (portal, sum(0)));
    let refused: tractor::Result<()> = gather_contexts(none, async |_, _| Ok(())).await;
    let error = refused.expect_err("there is none");
    let Ending::Refused(Refusal::Misused(Misuse::NoContexts)) = error.ending() else {
        panic!("{error}");
    };
    Ok(())
}
