//! The root breaks again and again.

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    for round in 0_u64.. {
        tractor::breakpoint!(round).await;
    }
    Ok(())
}
