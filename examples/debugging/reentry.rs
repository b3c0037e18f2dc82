//! Two tasks of one actor at a breakpoint at once: the second waits, or is refused.

use futures::future::try_join;
use tractor::Reentry;
use tractor::prelude::*;

#[tractor::rpc]
async fn look(number: u32) {
    tractor::breakpoint!(number).await;
}

#[tractor::main(debug_mode, reentry = Reentry::Queue)]
pub(crate) async fn reentry_queue() -> tractor::Result<()> {
    twice().await
}

#[tractor::main(debug_mode, reentry = Reentry::Refuse)]
pub(crate) async fn reentry_refuse() -> tractor::Result<()> {
    twice().await
}

async fn twice() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("twofold").await?;
        try_join(actor.run(look(1)), actor.run(look(2))).await?;
        actor.cancel_actor().await
    })
    .await
}
