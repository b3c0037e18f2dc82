//! An actor fails, one below another fails, and so does the root's own block.

use tractor::prelude::*;

use super::branches::spawn_error;
use super::errors::name_error;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("name_error", name_error()).await?;
        nursery.run_in_actor("spawn_error", spawn_error()).await?;
        let errors = 1;
        assert_eq!(errors, 0, "AssertionError");
        Ok(())
    })
    .await
}
