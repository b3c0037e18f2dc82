//! Roots that look for an actor, that have one, and that hand vars down.

use tractor::{Options, find_actor, open_nursery, run, runtime_var};

use crate::say;

/// Whom a tree finds that has its sockets in the directory `args[0]`, by the name `args[1]`.
pub(crate) fn looks(args: &[String]) -> tractor::Result<()> {
    run(Options::default().runtime_dir(&args[0]), async || {
        match find_actor(&args[1]).await? {
            Some(portal) => say(&format!("found: {portal:?}")),
            None => say("found: nobody"),
        }
        Ok(())
    })
}

/// Has an actor of that name, there, until it is cancelled.
pub(crate) fn stays(args: &[String]) -> tractor::Result<()> {
    run(Options::default().runtime_dir(&args[0]), async || {
        open_nursery(async |nursery| {
            nursery.start_actor(&args[1]).await?;
            say("ready");
            Ok(())
        })
        .await
    })
}

#[tractor::rpc]
async fn retries() -> Option<u32> {
    runtime_var("retries").ok().flatten()
}

pub(crate) fn vars() -> tractor::Result<()> {
    run(Options::default().var("retries", &7_u32), async || {
        open_nursery(async |nursery| {
            let here = retries().await.unwrap_or_default();
            let below = nursery.run_in_actor("below", retries()).await?;
            let below = below.result().await?.unwrap_or_default();
            say(&format!("root reads {here}, below reads {below}"));
            Ok(())
        })
        .await
    })
}
