//! Roots that log.

use futures::future::try_join_all;
use tractor::open_nursery;

use crate::say;

/// A line of each level, and so below.
#[tractor::rpc]
async fn log_levels(below: u32) -> tractor::Result<()> {
    log::error!("text");
    log::warn!("text");
    log::info!("text");
    log::debug!("text");
    if below == 0 {
        return Ok(());
    }
    open_nursery(async |nursery| {
        let next = nursery.run_in_actor("below", log_levels(below - 1)).await?;
        next.result().await
    })
    .await
}

/// The root and a plain child log as the tree does, two others as they are told.
#[tractor::main(log_level = "off,programs=info")]
pub(crate) async fn logs() -> tractor::Result<()> {
    log_levels(0).await?;
    open_nursery(async |nursery| {
        nursery.run_in_actor("plain", log_levels(0)).await?;
        let loud = nursery.run_in_actor("loud", log_levels(1));
        loud.log_level("off,programs=debug").await?;
        let quiet = nursery.run_in_actor("quiet", log_levels(0));
        quiet.log_level("error").await?;
        Ok(())
    })
    .await
}

#[tractor::rpc]
async fn log_many(lines: u32) {
    let text = "long ".repeat(60);
    for line in 0..lines {
        log::info!("{line} of {lines}: {text}end");
    }
}

#[tractor::main(log_level = "off,programs=info")]
pub(crate) async fn logs_much() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let many = (0..3).map(async |n| {
            let name = format!("logger{n}");
            nursery
                .run_in_actor(name, log_many(200))
                .await?
                .result()
                .await
        });
        try_join_all(many).await.map(drop)
    })
    .await
}

#[tractor::main]
pub(crate) async fn forgets_daemons() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.start_actor("first").await?;
        nursery.start_actor("second").await?;
        say("block ended");
        Ok(())
    })
    .await
}
