//! An actor that breaks again and again, until it is quit.

use tractor::prelude::*;

#[tractor::rpc]
async fn breakpoint_forever() {
    for round in 0_u64.. {
        tractor::breakpoint!(round).await;
    }
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .run_in_actor("breakpoint_forever", breakpoint_forever())
            .await?;
        Ok(())
    })
    .await
}
