//! A result borrows nothing.
#[tractor::rpc]
async fn first(text: &str) -> &str {
    text
}

fn main() {}
