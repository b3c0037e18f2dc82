//! A child pauses again and again in a context, and then it is cut off.

use tractor::prelude::*;

use super::links::cut_off_from_parent;

#[tractor::context]
async fn just_bp(ctx: Context<(), (), ()>) -> tractor::Result<()> {
    ctx.started(())?;
    for round in 1..=3 {
        tractor::breakpoint!(round).await;
    }
    cut_off_from_parent();
    panic!("nobody is there to hear it");
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let boi = nursery.start_actor("bp_boi").await?;
        boi.open_context(just_bp(), async |_, ()| std::future::pending().await)
            .await
    })
    .await
}
