//! One actor is debugged, and neither its sibling nor the root.

use futures::join;
use tractor::prelude::*;

use super::errors::RuntimeError;

#[tractor::rpc]
async fn crash() -> Result<(), RuntimeError> {
    Err(RuntimeError)
}

#[tractor::main]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let debugged = nursery.start_actor("debugged_boi").debug_mode(true).await?;
        let crashing = nursery.start_actor("crash_boi").await?;
        let (first, second) = join!(crashing.run(crash()), debugged.run(crash()));
        first?;
        second
    })
    .await
}
