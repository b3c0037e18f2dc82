//! Calls that an actor does not take up: each for its own reason, naming function and actor, and
//! the channel lives on.
//!
//! What no honest caller would send is in `tests/scenarios/faults/wire.rs`.

use serde::{Deserialize, Serialize, Serializer};
use tractor::{Ending, Refusal, open_nursery};

use crate::calls::greet;
use crate::witness::{events, tell};

/// Nested as deep as one likes.
#[derive(Debug, Serialize, Deserialize)]
enum Nest {
    Leaf,
    More(Box<Self>),
}

impl Nest {
    fn of(levels: u32) -> Self {
        (0..levels).fold(Self::Leaf, |nest, _| Self::More(Box::new(nest)))
    }
}

#[tractor::rpc]
async fn levels(nest: Nest) -> u32 {
    let (mut nest, mut levels) = (&nest, 0);
    while let Nest::More(inner) = nest {
        (nest, levels) = (inner, levels + 1);
    }
    levels
}

#[tractor::rpc]
async fn nest(levels: u32) -> Nest {
    Nest::of(levels)
}

/// Refuses to be serialized.
#[derive(Debug, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not want to"))
    }
}

#[tractor::rpc]
async fn take_stubborn(_: Stubborn) {}

#[tractor::rpc]
async fn give_stubborn() -> Stubborn {
    Stubborn
}

#[tractor::test]
async fn values_that_are_nested_too_deeply_are_refused_in_both_directions() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(worker.run(levels(Nest::of(9))).await?, 9);
        let refused = worker.run(levels(Nest::of(100))).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::ArgumentsTooDeep)),
            "{refused}"
        );
        let refused = worker.run(nest(100)).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadResult(_))),
            "{refused}"
        );
        assert_eq!(refused.call(), Some("promises::refusals::nest"));
        assert_eq!(worker.run(greet("again")).await?, "hello again");
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn values_that_refuse_to_be_serialized_are_refused_where_they_are() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let refused = worker.run(take_stubborn(Stubborn)).await.unwrap_err();
        let Ending::Refused(Refusal::ArgumentsNotSent { callee, reason }) = refused.ending() else {
            panic!("{refused}");
        };
        assert_eq!(callee.as_ref(), Some(worker.aid()));
        assert!(reason.contains("want"), "{reason}");
        assert_eq!(refused.origin().name(), "root");
        let text = refused.to_string();
        assert!(
            text.contains(" could not send 'worker' the arguments of promises::refusals::take_stubborn: "),
            "{text}"
        );
        let refused = worker.run(give_stubborn()).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadResult(why)) if why.contains("want")),
            "{refused}"
        );
        assert_eq!(refused.origin().name(), "worker");
        assert_eq!(worker.run(greet("again")).await?, "hello again");
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_name_that_exposes_nothing_fails_the_start() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in [
            "greet",
            "crate::calls::greet",
            "promises::call",
            "promises::calls::gree",
        ] {
            let error = nursery.start_actor("worker").expose([name]).await;
            let error = error.expect_err("nothing has that path");
            let text = error.to_string();
            assert!(
                matches!(error.ending(), Ending::NotSpawned { .. }) && text.contains(name),
                "{text}"
            );
            let is_alike = name.ends_with("greet");
            assert_eq!(
                text.contains("`promises::calls::greet`"),
                is_alike,
                "{text}"
            );
        }
        let silent = nursery.start_actor("silent").expose::<String>([]).await?;
        let refused = silent.run(greet("you")).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::NotExposed)),
            "{refused}"
        );
        silent.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn only_what_is_exposed_can_be_called() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let exposed = ["promises::calls::greet", "promises::witness"];
        let narrow = nursery.start_actor("narrow").expose(exposed).await?;
        assert_eq!(narrow.run(greet("you")).await?, "hello you");
        narrow.run(tell("a whole module")).await?;
        let refused = narrow.run(levels(Nest::Leaf)).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::NotExposed)),
            "{refused}"
        );
        let text = refused.to_string();
        assert!(
            text.contains("'narrow'") && text.contains("promises::refusals::levels"),
            "{text}"
        );
        // It is not begun, and the channel lives on.
        assert_eq!(narrow.run(events()).await?, ["a whole module"]);
        narrow.cancel_actor().await
    })
    .await
}
