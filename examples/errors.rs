//! Errors: where one began and who passed it on, the error itself as the type that it was, and
//! several at once.
//!
//! Run it with `cargo run --example errors`. An actor two levels down fails; the root prints the
//! report and gets the typed error out of it. Then one of two siblings fails, and the other one
//! while it is being cancelled for that: nothing is lost.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::LazyLock;

use async_std::channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};
use tractor::prelude::*;

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("row {row} of {table} has no price")]
struct LoadError {
    table: String,
    row: u32,
}

#[tractor::rpc]
async fn load(table: String) -> Result<u64, LoadError> {
    Err(LoadError { table, row: 7 })
}

/// Passes on what its own child says, by `?`.
#[tractor::rpc]
async fn load_below(table: String) -> tractor::Result<u64> {
    open_nursery(async |nursery| {
        let leaf = nursery.run_in_actor("leaf", load(table)).await?;
        leaf.result().await
    })
    .await
}

/// Cleans up when it is cancelled, and fails at that.
#[tractor::rpc]
async fn save() -> Result<(), LoadError> {
    // A shield: the cancel of this call waits until it is over.
    let cleanup = tractor::shield(async {
        SAVING.0.send(()).await.expect("nobody closes it");
        let actor = current_actor().expect("it runs in an actor");
        actor.scope().cancelled().await;
    });
    cleanup.await.expect("only its own code could cancel it");
    Err(LoadError {
        table: "backup".into(),
        row: 1,
    })
}

/// Waits until the call of `save` in the same actor is inside its shield.
#[tractor::rpc]
async fn until_saving() {
    SAVING.1.recv().await.expect("nobody closes it");
}

static SAVING: LazyLock<(Sender<()>, Receiver<()>)> = LazyLock::new(|| bounded(1));

#[tractor::main]
async fn main() -> tractor::Result<()> {
    let outcome: tractor::Result<u64> = open_nursery(async |nursery| {
        let middle = nursery
            .run_in_actor("middle", load_below("prices".into()))
            .await?;
        middle.result().await
    })
    .await;
    let error = outcome.expect_err("the leaf fails");
    println!("{error}");
    println!(
        "it began in {}, {:?} passed it on",
        error.origin(),
        error.relay_path()[0].name()
    );
    let original: &LoadError = error.downcast_ref().expect("a serde error comes as it was");
    println!("the typed error says: row {}", original.row);

    let outcome: tractor::Result<()> = open_nursery(async |nursery| {
        let saver = nursery.run_in_actor("saver", save()).await?;
        saver.portal().run(until_saving()).await?;
        nursery
            .run_in_actor("loader", load("orders".into()))
            .await?;
        Ok(())
    })
    .await;
    println!("{}", outcome.expect_err("both fail"));
    Ok(())
}
