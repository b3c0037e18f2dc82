//! Nurseries in actors: a tree of processes in which one failure ends everybody, from the leaves
//! up.
//!
//! Run it with `cargo run --example nested`. Two branches have two leaves each; when all six are
//! there one leaf panics. Its nursery ends the other leaf and passes the failure on; the root's
//! nursery then ends the other branch, which ends its leaves. When it returns, nobody is left.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;
use std::sync::Mutex;

use tractor::prelude::*;

const EVERYBODY: [&str; 6] = [
    "green",
    "green-left",
    "green-right",
    "dry",
    "dry-left",
    "dry-right",
];

/// What the unlucky leaf found, in the root.
static PIDS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[tractor::rpc]
async fn branch(name: String, unlucky: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .run_in_actor(format!("{name}-left"), leaf(false))
            .await?;
        nursery
            .run_in_actor(format!("{name}-right"), leaf(unlucky))
            .await?;
        Ok(()) // here the nursery waits for its leaves
    })
    .await
}

#[tractor::rpc]
async fn leaf(unlucky: bool) -> tractor::Result<()> {
    if !unlucky {
        return std::future::pending().await;
    }
    let mut pids = Vec::new();
    for name in EVERYBODY {
        pids.push(wait_for_actor(name).await?.pid());
    }
    get_root().await?.run(report(pids)).await?;
    panic!("out of luck");
}

/// Runs in the root.
#[tractor::rpc]
fn report(pids: Vec<u32>) {
    *PIDS.lock().expect("nothing panics under the lock") = pids;
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
