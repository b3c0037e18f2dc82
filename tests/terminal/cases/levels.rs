//! A prompt two levels below a root that has enough.

use serde::{Deserialize, Serialize};
use tractor::prelude::*;

use super::moment;

/// What kind of code pauses.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Code {
    /// It waits.
    Async,
    /// It blocks the executor, and would then wait for ever.
    Blocking,
    /// It has a thread of its own.
    Plain,
}

#[tractor::rpc]
async fn leaf(is_blocking: bool) {
    if is_blocking {
        tractor::breakpoint_sync!("the leaf");
    } else {
        tractor::breakpoint!("the leaf").await;
    }
    println!("the leaf goes on");
    std::future::pending().await
}

#[tractor::rpc]
fn plain_leaf() {
    tractor::breakpoint_sync!("the leaf");
    println!("the leaf goes on");
}

#[tractor::rpc]
async fn middle(code: Code) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        match code {
            Code::Async => drop(nursery.run_in_actor("leaf", leaf(false)).await?),
            Code::Blocking => drop(nursery.run_in_actor("leaf", leaf(true)).await?),
            Code::Plain => drop(nursery.run_in_actor("leaf", plain_leaf()).await?),
        }
        Ok(())
    })
    .await
}

async fn two_levels_down(code: Code) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("middle", middle(code)).await?;
        moment("cancel").await;
        nursery.cancel();
        println!("the root has cancelled");
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn async_pause_two_levels_down() -> tractor::Result<()> {
    two_levels_down(Code::Async).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn pause_two_levels_down() -> tractor::Result<()> {
    two_levels_down(Code::Blocking).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn plain_pause_two_levels_down() -> tractor::Result<()> {
    two_levels_down(Code::Plain).await
}
