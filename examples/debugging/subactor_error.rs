//! An error in a one-shot actor: first its own prompt, then the root's.

use tractor::prelude::*;

use super::errors::name_error;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("name_error", name_error()).await?;
        Ok(())
    })
    .await
}
