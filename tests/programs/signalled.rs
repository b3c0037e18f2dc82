//! Roots that run until a signal ends them.

use std::future::pending;

use tractor::{get_root, open_nursery, shield};

use crate::say;

struct Cleaned(String);

impl Drop for Cleaned {
    fn drop(&mut self) {
        say(&format!("{} cleaned", self.0));
    }
}

/// Says that this actor is ready, and that it is cleaned when it is cancelled.
async fn hold() -> tractor::Result<()> {
    let name = tractor::current_actor()?.name().to_owned();
    say(&format!("{name} ready"));
    let _cleaned = Cleaned(name);
    pending().await
}

#[tractor::rpc]
async fn grow(levels: u32) -> tractor::Result<()> {
    if levels == 0 {
        return hold().await;
    }
    open_nursery(async |nursery| {
        nursery
            .run_in_actor(format!("level{levels}"), grow(levels - 1))
            .await?;
        hold().await
    })
    .await
}

/// Three levels below the root, each of which says how it ends.
#[tractor::main]
pub(crate) async fn grows() -> tractor::Result<()> {
    grow(3).await
}

/// Does not end when it is cancelled.
#[tractor::rpc]
async fn resist() -> tractor::Result<()> {
    let cleanup = shield(async {
        let _cleaned = Cleaned("resisting".to_owned());
        get_root().await?;
        say("resisting ready");
        pending().await
    });
    cleanup.await.unwrap_or(Ok(()))
}

/// A child that does not end when it is cancelled, and a root that does.
#[tractor::main]
pub(crate) async fn resists() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let _cleaned = Cleaned("block".to_owned());
        nursery
            .run_in_actor("resisting", resist())
            .await?
            .result()
            .await
    })
    .await
}

#[tractor::rpc]
async fn hold_below() -> tractor::Result<()> {
    hold().await
}

/// A root whose own code never gives its thread back.
#[tractor::main]
pub(crate) async fn blocks() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("below", hold_below()).await?;
        say("root blocked");
        loop {
            std::thread::park();
        }
    })
    .await
}
