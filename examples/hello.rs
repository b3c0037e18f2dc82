//! The smallest program: one function, run here, in a worker, and in a process of its own.
//!
//! Run it with `cargo run --example hello`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tractor::prelude::*;

#[tractor::rpc]
async fn greet(name: String) -> String {
    format!("hello {name}, this is process {}", std::process::id())
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    println!("{}", greet("root".into()).await);
    open_nursery(async |nursery| {
        // A daemon: it serves calls until it is cancelled.
        let worker = nursery.start_actor("worker").await?;
        println!("{}", worker.run(greet("worker".into())).await?);
        worker.cancel_actor().await?;
        // A one-shot: a process for one call.
        let once = nursery.run_in_actor("once", greet("once".into())).await?;
        println!("{}", once.result().await?);
        Ok(())
    })
    .await // returns when both processes are reaped
}
