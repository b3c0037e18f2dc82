//! Two daemons: one breaks for ever, the other fails twice. The second time is too much for the
//! root.

use futures::try_join;
use tractor::prelude::*;

use super::breaks::breakpoint_forever;
use super::errors::name_error;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let breaks = nursery.start_actor("bp_forever").await?;
        let fails = nursery.start_actor("name_error").await?;
        let twice = async {
            // The first time is passed over.
            let _ = fails.run(name_error()).await;
            fails.run(name_error()).await
        };
        try_join!(breaks.run(breakpoint_forever()), twice)?;
        Ok(())
    })
    .await
}
