//! Nurseries in actors: a tree of processes in which one failure ends everybody, from the leaves
//! up.
//!
//! Run it with `cargo run --example nested`. Two branches have two leaves each; when all six are
//! there one leaf panics. Its nursery ends the other leaf and passes the failure on; the root's
//! nursery then ends the other branch, which ends its leaves. When it returns, nobody is left.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;
use std::process;
use std::sync::{LazyLock, Mutex};

use async_std::sync::Barrier;
use tractor::prelude::*;

static PIDS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static ALL_HERE: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(6));

/// Runs in the root: takes a process down on the list, and keeps it waiting for the others.
#[tractor::rpc]
async fn here(pid: u32) {
    PIDS.lock()
        .expect("nothing panics under the lock")
        .push(pid);
    ALL_HERE.wait().await;
}

#[tractor::rpc]
async fn leaf(unlucky: bool) -> tractor::Result<()> {
    get_root().await?.run(here(process::id())).await?;
    assert!(!unlucky, "out of luck");
    std::future::pending().await
}

#[tractor::rpc]
async fn branch(name: String, unlucky: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .run_in_actor(format!("{name}-left"), leaf(false))
            .await?;
        nursery
            .run_in_actor(format!("{name}-right"), leaf(unlucky))
            .await?;
        get_root().await?.run(here(process::id())).await
    })
    .await
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    let outcome: tractor::Result<()> = open_nursery(async |nursery| {
        nursery
            .run_in_actor("green", branch("green".into(), false))
            .await?;
        nursery
            .run_in_actor("dry", branch("dry".into(), true))
            .await?;
        Ok(())
    })
    .await;
    println!("{}", outcome.expect_err("one leaf panics"));

    let pids = PIDS.lock().expect("nothing panics under the lock").clone();
    let left = pids
        .iter()
        .filter(|pid| Path::new("/proc").join(pid.to_string()).exists());
    println!(
        "{} processes were started, {} are left",
        pids.len(),
        left.count()
    );
    Ok(())
}
