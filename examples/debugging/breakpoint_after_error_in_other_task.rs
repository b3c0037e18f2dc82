//! A task pauses, another one of the same actor fails, and the first one pauses again.

use futures::join;
use tractor::prelude::*;

use super::errors::{NameError, name_error};
use super::moments::moment;

#[tractor::rpc]
async fn fail_in_a_moment() -> Result<(), NameError> {
    moment("failure").await;
    name_error().await
}

#[tractor::rpc]
async fn pause(round: u32) {
    tractor::breakpoint!(round).await;
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("child").await?;
        let ((), failed) = join!(
            async { child.run(pause(1)).await.unwrap_or_default() },
            child.run(fail_in_a_moment()),
        );
        child.run(pause(2)).await?;
        child.cancel_actor().await?;
        failed
    })
    .await
}
