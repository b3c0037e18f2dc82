//! A child that waits for ever and cannot be cancelled. SIGUSR1 to the root shows where, Ctrl-C
//! ends the tree, and the child with it.

use tractor::prelude::*;

#[tractor::rpc]
async fn hang_in_a_shield() {
    // Nobody else can cancel the shield.
    let _ = tractor::shield(std::future::pending::<()>()).await;
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    println!("kill -USR1 {} shows what everybody does", std::process::id());
    open_nursery(async |nursery| {
        nursery
            .run_in_actor("hanging", hang_in_a_shield())
            .await?;
        Ok(())
    })
    .await
}
