//! Breakpoints in several actors, one after the other, to be skipped here or everywhere.

use tractor::prelude::*;

#[tractor::rpc]
async fn rounds() {
    for round in 0..5_u32 {
        log::warn!("round {round} begins");
        tractor::breakpoint!(round).await;
    }
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in ["left", "right"] {
            let actor = nursery.start_actor(name).await?;
            actor.run(rounds()).await?;
            actor.cancel_actor().await?;
        }
        tractor::breakpoint!("at the end").await;
        Ok(())
    })
    .await
}
