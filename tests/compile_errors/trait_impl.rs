//! A trait's methods have the trait's signatures.
struct Counter;

trait Add {
    async fn add(self);
}

#[tractor::rpc]
impl Add for Counter {
    async fn add(self) {}
}

fn main() {}
