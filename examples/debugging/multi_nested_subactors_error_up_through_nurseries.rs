//! Two branches of actors, one deeper than the other, with an error at each end: it goes up
//! through all of them.

use tractor::prelude::*;

use super::errors::name_error;

/// Starts another of itself below it until `depth` is 0, then one that fails.
#[tractor::rpc]
async fn spawn_until(depth: u32) -> tractor::Result<()> {
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

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("spawner0", spawn_until(0)).await?;
        nursery.run_in_actor("spawner1", spawn_until(2)).await?;
        Ok(())
    })
    .await
}
