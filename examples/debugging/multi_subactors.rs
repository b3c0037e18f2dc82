//! Four actors at once, two of them below a third: one breaks for ever, two fail.

use tractor::prelude::*;

use super::branches::spawn_error;
use super::breaks::breakpoint_forever;
use super::errors::name_error;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .run_in_actor("breakpoint_forever", breakpoint_forever())
            .await?;
        nursery.run_in_actor("name_error", name_error()).await?;
        nursery.run_in_actor("spawn_error", spawn_error()).await?;
        Ok(())
    })
    .await
}
