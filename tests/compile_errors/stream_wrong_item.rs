//! An item has the type that the function says.
#[tractor::context]
async fn takes_numbers(ctx: tractor::Context<(), u64, String>) -> tractor::Result<()> {
    ctx.started(())
}

async fn sends_text(portal: tractor::Portal) -> tractor::Result<()> {
    let body = async |ctx: &tractor::OpenContext<u64, String, ()>, ()| {
        let (mut numbers, _texts) = ctx.open_stream()?;
        numbers.send("seven".to_owned()).await
    };
    portal.open_context(takes_numbers(), body).await
}

fn main() {}
