//! A context needs its types.
#[tractor::context]
async fn no_context(n: u64) -> u64 {
    n
}

fn main() {}
