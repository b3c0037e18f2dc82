//! Calls of a function that is ready at once: one after the other, and many in flight.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tractor::{Address, Contact, OnExit, Portal, current_actor};

use super::{Message, echo, seconds_since, times};
use crate::bench::median;

/// Each round has a new process, because where the kernel puts it decides much.
const ROUNDS: usize = 9;
const CALLS: usize = 10_000;
/// Until both sides know that looking pays.
const CALLS_WARM_UP: usize = 1_000;

const IN_FLIGHT: usize = 64;
const CALLS_OF_EACH: usize = 2_000;
const CALLS_OF_EACH_WARM_UP: usize = 50;

pub(super) async fn round_trip() -> Result<f64> {
    let round = async || with_actor(async |actor| median_call(actor).await).await;
    median(times(ROUNDS, round).await?).context("no round was measured")
}

pub(super) async fn tcp_round_trip() -> Result<f64> {
    let round = async || {
        tractor::open_nursery_with(OnExit::CancelDaemons, async |nursery| {
            // Between two siblings: a parent would keep to the link that its child inherited.
            let callee = nursery.start_actor("echo").await?;
            let caller = nursery.start_actor("caller").await?;
            let contact = callee.run(listen_on_tcp()).await?;
            anyhow::Ok(caller.run(median_call_to(contact)).await?)
        })
        .await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

pub(super) async fn many_in_flight() -> Result<f64> {
    let round = async || with_actor(async |actor| calls_per_second(actor).await).await;
    median(times(ROUNDS, round).await?).context("no round was measured")
}

async fn with_actor(body: impl AsyncFnOnce(&Portal) -> Result<f64>) -> Result<f64> {
    tractor::open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        body(&nursery.start_actor("echo").await?).await
    })
    .await
}

async fn median_call(actor: &Portal) -> Result<f64> {
    let message = Message::default();
    let mut times = Vec::with_capacity(CALLS);
    for call in 0..CALLS_WARM_UP + CALLS {
        let started = Instant::now();
        actor.run(echo(message)).await?;
        if call >= CALLS_WARM_UP {
            times.push(seconds_since(started));
        }
    }
    median(times).context("no call was measured")
}

async fn calls_per_second(actor: &Portal) -> Result<f64> {
    call_all(actor, CALLS_OF_EACH_WARM_UP).await?;
    let started = Instant::now();
    call_all(actor, CALLS_OF_EACH).await?;
    Ok((IN_FLIGHT * CALLS_OF_EACH) as f64 / seconds_since(started))
}

/// Has so many futures call, each one call after the other.
async fn call_all(actor: &Portal, calls_of_each: usize) -> Result<()> {
    let caller = async |number: usize| {
        let message = [number as u8; size_of::<Message>()];
        for _ in 0..calls_of_each {
            ensure!(
                actor.run(echo(message)).await? == message,
                "the answer of another call"
            );
        }
        Ok(())
    };
    try_join_all((0..IN_FLIGHT).map(caller)).await?;
    Ok(())
}

#[tractor::rpc]
async fn median_call_to(callee: Contact) -> Result<f64> {
    median_call(&Portal::connect(callee).await?).await
}

/// Has the actor listen on loopback TCP instead of its Unix socket.
#[tractor::rpc]
async fn listen_on_tcp() -> Result<Contact> {
    let actor = current_actor()?;
    actor.stop_listening();
    actor.listen(&Address::LOOPBACK)?;
    Ok(actor.contact())
}
