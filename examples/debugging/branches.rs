//! Branches of actors with an error at their end, as several of these programs grow them.

use tractor::prelude::*;

use super::errors::name_error;

/// Starts another of itself below it until `depth` is 0, then one that fails.
#[tractor::rpc]
pub(crate) async fn spawn_until(depth: u32) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        if depth == 0 {
            nursery.run_in_actor("name_error", name_error()).await?;
        } else {
            let name = format!("spawn_until_{}", depth - 1);
            nursery.run_in_actor(name, spawn_until(depth - 1)).await?;
        }
        Ok(())
    })
    .await
}

/// Starts one below it that fails.
#[tractor::rpc]
pub(crate) async fn spawn_error() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("name_error_1", name_error()).await?;
        Ok(())
    })
    .await
}
