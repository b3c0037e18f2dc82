//! Prompts of actors that are linked over the network.

use std::future::IntoFuture;

use futures::join;
use serde::{Deserialize, Serialize};
use tractor::Transport;
use tractor::prelude::*;

use super::{moment, pause};

#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    place: String,
    stops: Vec<(String, u32)>,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("there is no map of {0}")]
struct NoMap(String);

/// Pauses.
async fn look_around(place: &str) {
    let stops = vec![("bridge".to_owned(), 3), (place.to_owned(), 7)];
    let place = place.to_owned();
    let visit = Visit { place, stops };
    tractor::breakpoint!(visit).await;
}

/// Pauses, and fails.
#[tractor::rpc]
async fn get_lost(place: &str) -> Result<(), NoMap> {
    look_around(place).await;
    Err(NoMap(place.to_owned()))
}

/// Pauses, has an actor pause that is started in the usual way, and then one that is as far away
/// again, and fails.
#[tractor::rpc]
async fn travel_on(place: &str) -> tractor::Result<()> {
    look_around(place).await;
    open_nursery(async |nursery| {
        let camp = nursery.run_in_actor("camp", pause()).await?;
        camp.result().await?;
        let outpost = nursery.start_actor("outpost");
        let outpost = outpost.transport(Transport::LoopbackTcp).await?;
        outpost.run(get_lost("outpost")).await
    })
    .await
}

/// A far actor, and below it one that is near to it and one that is not.
#[tractor::main(debug_mode)]
pub(crate) async fn far_actors() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        far.run(travel_on("far")).await
    })
    .await
}

/// Pauses in a far actor.
async fn pause_far(name: &str) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.run_in_actor(name, pause());
        let far = start
            .transport(Transport::LoopbackTcp)
            .into_future()
            .await?;
        far.result().await
    })
    .await
}

/// Two far actors that want the terminal.
#[tractor::main(debug_mode)]
pub(crate) async fn far_holder_and_waiter() -> tractor::Result<()> {
    let wait = async {
        moment("wait").await;
        pause_far("waiter").await
    };
    let (held, waited) = join!(pause_far("holder"), wait);
    held.and(waited)
}

#[tractor::rpc]
async fn abort() {
    std::process::abort()
}

/// A far actor that is struck by a signal.
#[tractor::main(debug_mode)]
pub(crate) async fn far_abort() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.run_in_actor("far", abort());
        start
            .transport(Transport::LoopbackTcp)
            .await?
            .result()
            .await
    })
    .await
}
