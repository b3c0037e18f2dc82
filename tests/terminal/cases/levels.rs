//! A prompt two levels below a root that has enough.

use tractor::prelude::*;

use super::moment;

/// Blocks its thread at a prompt, and would then wait for ever.
#[tractor::rpc]
async fn leaf() {
    tractor::breakpoint_sync!("the leaf");
    println!("the leaf goes on");
    std::future::pending().await
}

#[tractor::rpc]
async fn middle() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("leaf", leaf()).await?;
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn pause_two_levels_down() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("middle", middle()).await?;
        moment("cancel").await;
        nursery.cancel();
        println!("the root has cancelled");
        Ok(())
    })
    .await
}
