//! An `impl Trait` argument has no name to export.
#[tractor::rpc]
async fn show(item: impl std::fmt::Display) -> String {
    item.to_string()
}

fn main() {}
