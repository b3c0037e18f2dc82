//! Several failures are one group, and a failure counts once by whatever ways it comes.

use std::convert::Infallible;
use std::future::pending;

use futures::future::join;
use tractor::{Ending, Error, Portal, open_nursery};
use tractor_core::scope;

use crate::deaths::kill_oneself;
use crate::errors::{LoadError, check_text, load};
use crate::witness::{note, tell, wait_for};

/// Notes `begun`, and fails when it is cancelled.
#[tractor::rpc]
async fn fail_when_cancelled(why: &str) -> Result<(), String> {
    note("begun");
    let task = scope::current().expect("a call runs in a scope");
    tractor::shield(task.cancelled())
        .await
        .expect("nobody cancels the shield");
    Err(why.to_owned())
}

#[tractor::rpc]
async fn load_after(event: &str, name: &str) -> Result<u32, LoadError> {
    wait_for(event).await;
    load(name).await
}

/// Two of its children fail: one by itself, one when it is cancelled for that.
#[tractor::rpc]
async fn two_failures() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let late = nursery
            .run_in_actor("late", fail_when_cancelled("in cleanup"))
            .await?;
        let first = nursery
            .run_in_actor("first", load_after("go", "gone"))
            .await?;
        late.portal().run(wait_for("begun")).await?;
        first.portal().run(tell("go")).await?;
        pending().await
    })
    .await
}

fn names(group: &[Error]) -> Vec<&str> {
    let mut names: Vec<_> = group.iter().map(|error| error.origin().name()).collect();
    names.sort_unstable();
    names
}

#[tractor::test]
async fn several_failures_are_one_group() {
    let error = two_failures().await.unwrap_err();
    assert!(matches!(error.ending(), Ending::Several(_)), "{error}");
    assert_eq!(names(error.group()), ["first", "late"]);
    assert!(!error.is_cancelled() && error.downcast_ref::<LoadError>().is_some());
    let parts = [
        "2 actors failed\n  1. actor 'first'",
        "`gone`",
        "\n  2. actor 'late'",
        "in cleanup",
    ];
    check_text(&error, &parts);
}

#[tractor::test]
async fn groups_stay_groups_within_groups_and_tell_their_way() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let third = nursery
            .run_in_actor("third", fail_when_cancelled("third too"))
            .await?;
        third.portal().run(wait_for("begun")).await?;
        nursery
            .run_in_actor("middle", two_failures())
            .await?
            .result()
            .await
    })
    .await;
    let error = result.unwrap_err();
    let [inner, third] = error.group() else {
        panic!("{error}")
    };
    assert_eq!(
        (names(inner.group()), third.origin().name()),
        (vec!["first", "late"], "third")
    );
    assert_eq!(inner.origin().name(), "middle");
    assert!(
        error.downcast_ref::<LoadError>().is_some(),
        "it is looked for in all of them"
    );
    check_text(
        &error,
        &[
            "1. 2 actors failed",
            "\n    1. actor 'first'",
            "2. actor 'third'",
        ],
    );
}

#[tractor::test]
async fn the_blocks_own_error_stands_beside_those_of_children() {
    #[derive(Debug, thiserror::Error)]
    enum Own {
        #[error("the block fails")]
        Block,
        #[error(transparent)]
        Tractor(#[from] Error),
    }
    let result: Result<Infallible, Own> = open_nursery(async |nursery| {
        let late = nursery
            .run_in_actor("late", fail_when_cancelled("in cleanup"))
            .await?;
        late.portal().run(wait_for("begun")).await?;
        Err(Own::Block)
    })
    .await;
    let Err(Own::Tractor(error)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(names(error.group()), ["late", "root"]);
    check_text(
        &error,
        &[
            "2 actors failed",
            "'root'",
            "the block fails",
            "'late'",
            "in cleanup",
        ],
    );
}

#[tractor::test]
async fn a_failure_that_comes_by_two_ways_counts_once() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let worker: Portal = nursery.start_actor("worker").await?;
        // Both calls are lost with it, and its nursery hears of its death as well.
        let (held, killed) = join(worker.run(wait_for("never")), worker.run(kill_oneself())).await;
        Err(Error::several(
            worker.aid(),
            vec![held.unwrap_err(), killed.unwrap_err()],
        ))
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.origin().name(), error.signal()),
        ("worker", Some(9)),
        "{error}"
    );
    assert!(error.group().is_empty(), "{error}");
}
