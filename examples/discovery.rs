//! Discovery: any actor finds any other by name, and the root from anywhere.
//!
//! Run it with `cargo run --example discovery`. The registrar in the root knows every actor that
//! is ready, under its name; an actor that has ended is never handed out.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tractor::prelude::*;

#[tractor::rpc]
async fn whoami() -> String {
    current_actor().map_or_else(|error| error.to_string(), |actor| actor.name().to_owned())
}

/// Runs in the client, which was told of nobody.
#[tractor::rpc]
async fn look_around() -> tractor::Result<Vec<String>> {
    let store = find_actor("store").await?.is_some();
    let nobody = find_actor("nobody").await?.is_some();
    let root = get_root().await?.run(whoami()).await?;
    // This one is not there yet: it waits until it is.
    let late = wait_for_actor("late").await?.run(whoami()).await?;
    tractor::Ok(vec![
        format!("store is there: {store}"),
        format!("nobody is there: {nobody}"),
        format!("the root says that it is {root}"),
        format!("and who came later that it is {late}"),
    ])
}

#[tractor::main(name = "boss")]
async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let store = nursery.start_actor("store").await?;
        let client = nursery.run_in_actor("client", look_around()).await?;
        let late = nursery.start_actor("late").await?;
        for line in client.result().await? {
            println!("client: {line}");
        }
        let second = nursery.start_actor("store").await?;
        let all = tractor::query_actor("store").await?;
        println!("there are {} actors called store", all.len());
        let newest = find_actor("store").await?.expect("there are two");
        println!("the newest is found: {}", newest.pid() == second.pid());
        for actor in [store, second, late] {
            actor.cancel_actor().await?;
        }
        tractor::Ok(())
    })
    .await?;
    println!("one is left: {}", find_actor("store").await?.is_some());
    Ok(())
}
