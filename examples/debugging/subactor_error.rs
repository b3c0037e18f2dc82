//! An error in a one-shot actor: first its own prompt, then the root's.

use tractor::prelude::*;

#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("name '{0}' is not defined")]
struct NameError(String);

#[tractor::rpc]
async fn name_error() -> Result<(), NameError> {
    Err(NameError("doggypants".to_owned()))
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("name_error", name_error()).await?;
        Ok(())
    })
    .await
}
