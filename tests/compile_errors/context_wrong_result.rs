//! A context's result has the type of its function's, on the side that asks for it.
#[tractor::context]
async fn counts(ctx: tractor::Context<(), (), ()>) -> tractor::Result<u64> {
    ctx.started(())?;
    Ok(7)
}

async fn asks(portal: tractor::Portal) -> tractor::Result<()> {
    let body = async |ctx: &tractor::OpenContext<(), (), u64>, ()| {
        let text: String = ctx.result().await?;
        println!("{text}");
        tractor::Ok(())
    };
    portal.open_context(counts(), body).await
}

fn main() {}
