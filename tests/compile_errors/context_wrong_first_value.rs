//! The first value has the type that the context says, on the side that gives it.
#[tractor::context]
async fn starts_with_text(ctx: tractor::Context<u64, (), ()>) -> tractor::Result<()> {
    ctx.started("seven")
}

fn main() {}
