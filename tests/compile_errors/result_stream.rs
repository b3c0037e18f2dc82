//! Streams come later.
#[tractor::rpc]
async fn count() -> impl futures::Stream<Item = u8> {
    futures::stream::empty()
}

fn main() {}
