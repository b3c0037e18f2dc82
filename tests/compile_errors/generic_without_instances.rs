//! A generic function lists its types.
#[tractor::rpc]
async fn largest<T: Ord>(items: Vec<T>) -> Option<T> {
    items.into_iter().max()
}

fn main() {}
