//! A method is exported with its `impl` block.
struct Counter;

impl Counter {
    #[tractor::rpc]
    async fn add(&self, n: u64) -> u64 {
        n
    }
}

fn main() {}
