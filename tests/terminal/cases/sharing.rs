//! Who has the terminal, who waits for it, and who needs neither.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::join;
use tractor::prelude::*;

use super::{moment, pause};

/// Pauses in an actor of its own.
async fn hold() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let holder = nursery.run_in_actor("holder", pause()).await?;
        holder.result().await
    })
    .await
}

/// Pauses in an actor, is given up, pauses again, and is ended.
async fn wait() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let waiter = nursery.start_actor("waiter").await?;
        moment("wait").await;
        match select(pin!(waiter.run(pause())), pin!(moment("give up"))).await {
            Either::Left((paused, _)) => {
                paused?;
                return waiter.cancel_actor().await;
            }
            // The call goes with its future.
            Either::Right(_) => println!("the call is given up"),
        }
        moment("wait again").await;
        let again = waiter.run(pause());
        if let Either::Left((paused, _)) = select(pin!(again), pin!(moment("end"))).await {
            paused?;
        }
        waiter.cancel_actor().await?;
        println!("the waiter is cancelled");
        tractor::Ok(())
    })
    .await
}

/// Two actors that want the terminal. In nurseries of their own, so that neither's failure is the
/// other's end.
#[tractor::main(debug_mode)]
pub(crate) async fn holder_and_waiter() -> tractor::Result<()> {
    let (held, waited) = join!(hold(), wait());
    held.and(waited)
}

/// Four actors that want the terminal at once.
#[tractor::main(debug_mode)]
pub(crate) async fn several_wait() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in ["ann", "ben", "eve", "joe"] {
            nursery.run_in_actor(name, pause()).await?;
        }
        tractor::Ok(())
    })
    .await
}

static SECOND: Mutex<Option<oneshot::Sender<()>>> = Mutex::new(None);

/// Pauses, and then waits for the second.
#[tractor::rpc]
async fn first() {
    let (done, is_done) = oneshot::channel();
    *SECOND.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    tractor::breakpoint!("the first").await;
    is_done.await.expect("the second ends well");
}

#[tractor::rpc]
async fn second() {
    moment("second").await;
    tractor::breakpoint!("the second").await;
    println!("the second is past");
    let done = SECOND.lock().unwrap_or_else(PoisonError::into_inner).take();
    let _ = done.expect("the first came first").send(());
}

/// Two tasks of an actor, of which the one that is at a prompt needs the other one.
#[tractor::main(debug_mode)]
pub(crate) async fn pause_beside_a_pause() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("child").await?;
        let (first, second) = join!(child.run(first()), child.run(second()));
        child.cancel_actor().await?;
        first.and(second)
    })
    .await
}

/// Runs in the root.
#[tractor::rpc]
async fn serve(number: u32) -> u32 {
    number
}

#[tractor::rpc]
async fn ask() -> tractor::Result<()> {
    moment("ask").await;
    let root = get_root().await?;
    let mut served = 0;
    for number in 1..=3 {
        served += root.run(serve(number)).await?;
        wait_for_actor("child").await?;
    }
    println!("served {served}");
    tractor::Ok(())
}

/// The root's main stands in a prompt, and the root does its work.
#[tractor::main(debug_mode)]
pub(crate) async fn root_serves_while_paused() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.run_in_actor("child", ask()).await?;
        tractor::breakpoint_sync!("the root");
        child.result().await
    })
    .await
}

/// Only the child is debugged, and the root does not care what becomes of it.
#[tractor::main]
pub(crate) async fn lonely_holder() -> tractor::Result<()> {
    let held = open_nursery(async |nursery| {
        let holder = nursery.start_actor("holder").debug_mode(true).await?;
        holder.run(pause()).await
    });
    println!("it is over: {}", held.await.is_err());
    std::future::pending().await
}
