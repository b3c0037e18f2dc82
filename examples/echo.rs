//! Both ways at once: one context, whose two sides send and receive over one stream.
//!
//! Run it with `cargo run --example echo`. The function gives every line back in capitals for as
//! long as lines come; its first value is a greeting, its result how many lines there were.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tractor::prelude::*;

/// `Context<Started, In, Out>`: the first value, what comes in and what goes out.
#[tractor::context]
async fn echo(ctx: Context<String, String, String>) -> tractor::Result<usize> {
    ctx.started("what is said comes back louder".to_owned())?;
    let (mut out, mut lines) = ctx.open_stream()?;
    let mut count = 0;
    while let Some(line) = lines.recv().await? {
        out.send(line.to_uppercase()).await?;
        count += 1;
    }
    Ok(count)
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("echo").await?;
        actor
            .open_context(echo(), async |ctx, greeting| {
                println!("{}: {greeting}", ctx.callee().name());
                let (mut lines, mut back) = ctx.open_stream()?;
                for line in ["hello", "is anybody there?"] {
                    lines.send(line.to_owned()).await?;
                    println!("{line} -> {:?}", back.recv().await?);
                }
                // The function reads the end, sends no more, and returns.
                lines.close();
                println!("then -> {:?}", back.recv().await?);
                println!("{} lines", ctx.result().await?);
                tractor::Ok(())
            })
            .await?; // both sides have ended
        actor.cancel_actor().await
    })
    .await
}
