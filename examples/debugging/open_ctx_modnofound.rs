//! A child does not expose the function that the root wants; the root is interrupted after that.

use tractor::prelude::*;

#[tractor::context]
async fn hidden(ctx: Context<(), (), ()>) -> tractor::Result<()> {
    ctx.started(())
}

/// All that the child exposes.
mod elsewhere {
    #[tractor::rpc]
    pub(super) fn nothing() {}
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let elsewhere = concat!(module_path!(), "::elsewhere");
        let child = nursery.start_actor("child").expose([elsewhere]).await?;
        let opened = child
            .open_context(hidden(), async |_, ()| tractor::Ok(()))
            .await;
        match opened {
            Ok(()) => println!("it was not hidden"),
            Err(error) => println!("{error}"),
        }
        std::future::pending().await
    })
    .await
}
