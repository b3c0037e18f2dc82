//! A deep failure cancels the root while another deep one is at a prompt.

use std::time::Duration;

use tractor::prelude::*;

use super::branches::spawn_until;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("spawner0", spawn_until(0, false)).await?;
        nursery.run_in_actor("spawner1", spawn_until(1, false)).await?;
        // The root has enough of it while somebody below is at a prompt.
        let enough = tractor::timeout(Duration::from_secs(1), std::future::pending::<()>());
        if enough.await.is_err() {
            nursery.cancel();
        }
        Ok(())
    })
    .await
}
