//! Two branches of actors, one deeper than the other, with an error at each end, beside one that
//! breaks for ever: it goes up through all of them.

use tractor::prelude::*;

use super::branches::spawn_until;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("spawner0", spawn_until(0, true)).await?;
        nursery.run_in_actor("spawner1", spawn_until(2, true)).await?;
        Ok(())
    })
    .await
}
