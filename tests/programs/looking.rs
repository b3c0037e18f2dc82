//! Roots that hand vars down, and that have no place for sockets.

use tractor::{Options, open_nursery, run, runtime_var};

use crate::say;

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
