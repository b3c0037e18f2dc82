//! A failed assertion in the root.

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    let found = 1;
    assert_eq!(found, 2, "AssertionError");
    Ok(())
}
