//! What a function receives and what it sends are two types, and not to be mixed up.
#[tractor::context]
async fn measures(ctx: tractor::Context<(), u64, String>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    if let Some(number) = numbers.recv().await? {
        out.send(number).await?;
    }
    Ok(())
}

fn main() {}
