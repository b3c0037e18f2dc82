//! In debug mode, and nothing asks for a prompt: the tree ends as it would without.

use tractor::{OnExit, open_nursery_with};

use super::branches::spawn_sleepers;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        for name in ["first", "second"] {
            let daemon = nursery.start_actor(name).await?;
            daemon.run(spawn_sleepers()).await?;
        }
        Ok(())
    })
    .await
}
