//! A main that returns an error, one that panics, and one that does not lead to the runtime in
//! its children.

use std::future::pending;

use serde::{Deserialize, Serialize};
use tractor::open_nursery;

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("no table `{name}`")]
struct LoadError {
    name: String,
    source: NoDisk,
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("no disk")]
struct NoDisk;

#[tractor::rpc]
async fn load(name: String) -> Result<u32, LoadError> {
    let source = NoDisk;
    Err(LoadError { name, source })
}

#[tractor::main]
pub(crate) async fn fails() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let loader = nursery.run_in_actor("loader", load("prices".to_owned()));
        loader.await?.result().await.map(drop)
    })
    .await
}

#[tractor::main]
pub(crate) async fn panics() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.start_actor("daemon").await?;
        panic!("the root panics");
    })
    .await
}

pub(crate) fn returns_early() -> tractor::Result<()> {
    if std::env::var_os("TRACTOR_CHILD_OF").is_some() {
        return Ok(());
    }
    starts()
}

#[tractor::main]
async fn starts() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.start_actor("early").await?;
        pending().await
    })
    .await
}
