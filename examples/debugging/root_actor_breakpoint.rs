//! A breakpoint in the root.

use tractor::prelude::*;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    let answer = 42;
    tractor::breakpoint!(answer).await;
    open_nursery(async |_| tractor::Ok(())).await
}
