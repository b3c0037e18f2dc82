//! An error is looked at by hand and by itself, first where it happens and then in the root.

use tractor::prelude::*;

use super::errors::{NameError, name_error};

#[tractor::rpc]
async fn looks_first() -> Result<(), NameError> {
    let found = name_error().await;
    tractor::pm!(found, "by hand")
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("child").await?;
        let found = child.run(looks_first()).await;
        if let Err(error) = &found {
            tractor::post_mortem(error).await;
        }
        found
    })
    .await
}
