//! A `&mut` argument would change a copy.
#[tractor::rpc]
async fn grow(items: &mut Vec<u8>) {
    items.push(1);
}

fn main() {}
