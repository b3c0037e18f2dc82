//! Branches of actors with an error at their end, as several of these programs grow them.

use tractor::prelude::*;

use super::breaks::breakpoint_forever;
use super::errors::name_error;

/// Starts another of itself below it until `depth` is 0, then one that fails, and beside it, if
/// that is wanted, one that breaks for ever.
#[tractor::rpc]
pub(crate) async fn spawn_until(depth: u32, breaks: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        if depth > 0 {
            let name = format!("spawn_until_{}", depth - 1);
            let below = spawn_until(depth - 1, breaks);
            nursery.run_in_actor(name, below).await?;
            return Ok(());
        }
        if breaks {
            let forever = breakpoint_forever();
            nursery.run_in_actor("bp_forever", forever).await?;
        }
        nursery.run_in_actor("name_error", name_error()).await?;
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

/// Starts one that waits for ever, and is done with it.
#[tractor::rpc]
pub(crate) async fn spawn_sleepers() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("sleeper", sleep_forever()).await?;
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::rpc]
async fn sleep_forever() {
    std::future::pending().await
}
