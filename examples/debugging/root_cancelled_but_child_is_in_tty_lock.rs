//! A deep failure cancels the root while another deep one is at a prompt.

use std::time::Duration;

use tractor::prelude::*;

use super::errors::name_error;

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
        nursery.run_in_actor("spawner1", spawn_until(1)).await?;
        // The root has enough of it while somebody below is at a prompt.
        let enough = tractor::timeout(Duration::from_secs(1), std::future::pending::<()>());
        if enough.await.is_err() {
            nursery.cancel();
        }
        Ok(())
    })
    .await
}
