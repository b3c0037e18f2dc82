//! Values that no prompt knows, because nobody captured them: `gdb` shows them.

use tractor::prelude::*;

/// What the programs have in a local variable.
const SECRET: u64 = 4_711;

#[tractor::rpc]
async fn paused_task(order: u64) -> u64 {
    let secret = SECRET + order;
    tractor::breakpoint!(order).await;
    let twice = 2 * secret;
    twice - secret
}

#[tractor::rpc]
async fn paused_code(order: u64) -> u64 {
    plain(order)
}

fn plain(order: u64) -> u64 {
    let secret = SECRET + order;
    tractor::breakpoint_sync!(order);
    let twice = 2 * secret;
    twice - secret
}

#[tractor::rpc]
async fn panics(order: u64) -> u64 {
    let secret = SECRET + order;
    assert!(order == 0, "order {order} is not to be had");
    secret
}

#[tractor::rpc]
async fn hidden_task() {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .expect("every process may");
    tractor::breakpoint!().await;
}

/// Hears nothing.
#[tractor::rpc]
async fn deaf() {
    loop {
        std::thread::park();
    }
}

#[tractor::rpc]
async fn idle() {
    std::future::pending().await
}

#[tractor::main(debug_mode)]
pub(crate) async fn task() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let secret = nursery.run_in_actor("accountant", paused_task(1)).await?;
        println!("the secret is {}", secret.result().await?);
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn plain_code() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let secret = nursery.run_in_actor("accountant", paused_code(1)).await?;
        println!("the secret is {}", secret.result().await?);
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn panic() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("accountant", panics(1)).await?;
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn root() -> tractor::Result<()> {
    println!("the secret is {}", paused_task(1).await);
    tractor::Ok(())
}

/// Nobody may look into this one, unless he may look into all.
#[tractor::main(debug_mode)]
pub(crate) async fn hidden() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("accountant", hidden_task()).await?;
        Ok(())
    })
    .await
}

/// When one of the others ends, all are to end.
#[tractor::main(debug_mode)]
pub(crate) async fn beside_others() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("idle", idle()).await?;
        nursery.run_in_actor("deaf", deaf()).await?;
        nursery.run_in_actor("accountant", paused_task(1)).await?;
        Ok(())
    })
    .await
}
