//! A child calls a plain function of the root, which pauses there.

use tractor::prelude::*;

/// Runs in the root.
#[tractor::rpc]
fn pause_here(asked_by: String) {
    tractor::breakpoint_sync!(asked_by);
}

#[tractor::rpc]
async fn ask() -> tractor::Result<()> {
    let root = get_root().await?;
    root.run(pause_here("child".to_owned())).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.run_in_actor("child", ask()).await?;
        child.result().await
    })
    .await
}
