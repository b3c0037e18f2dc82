//! A prompt two levels below a root that has enough.

use tractor::prelude::*;

use super::moment;

/// If it is blocking it has the executor to itself; afterwards it would wait for ever.
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
async fn middle(is_blocking: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("leaf", leaf(is_blocking)).await?;
        Ok(())
    })
    .await
}

async fn two_levels_down(is_blocking: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("middle", middle(is_blocking)).await?;
        moment("cancel").await;
        nursery.cancel();
        println!("the root has cancelled");
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn async_pause_two_levels_down() -> tractor::Result<()> {
    two_levels_down(false).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn pause_two_levels_down() -> tractor::Result<()> {
    two_levels_down(true).await
}
