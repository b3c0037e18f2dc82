//! The options are listed.
#[tractor::rpc(inline)]
async fn nothing() {}

fn main() {}
