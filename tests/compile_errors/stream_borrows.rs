//! A stream is there when its call is over.
#[tractor::rpc]
fn letters(word: &str) -> impl futures::Stream<Item = char> {
    futures::stream::iter(word.chars().collect::<Vec<_>>())
}

fn main() {}
