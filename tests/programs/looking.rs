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

/// The process in which the root answers.
#[tractor::rpc]
async fn root_pid() -> tractor::Result<u32> {
    tractor::get_root().await?.run(own_pid()).await
}

#[tractor::rpc]
async fn own_pid() -> u32 {
    std::process::id()
}

/// Has no place for sockets, and an actor that needs none.
pub(crate) fn placeless() -> tractor::Result<()> {
    let options = tractor::Options::default().runtime_dir("/proc/self");
    tractor::run(options, async || {
        open_nursery(async |nursery| {
            let near = nursery.start_actor("near").await?;
            assert!(near.contact().address.is_none());
            let far = nursery.start_actor("far");
            let far = far.transport(tractor::Transport::LoopbackTcp).await?;
            if far.run(root_pid()).await? == std::process::id() {
                say("the root was found");
            }
            nursery.cancel();
            tractor::Ok(())
        })
        .await
    })
}
