//! A generic function is called for the listed types only.
#[tractor::rpc(instances(u64, String))]
async fn largest<T: Ord>(items: Vec<T>) -> Option<T> {
    items.into_iter().max()
}

fn main() {
    drop(largest(vec![1_i8]));
}
