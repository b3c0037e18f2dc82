//! An actor that breaks again and again, until it is quit.

use tractor::prelude::*;

use super::breaks::breakpoint_forever;

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
