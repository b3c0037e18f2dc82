//! A struct whose name ends in `Result` is told apart by an option.
#[derive(serde::Serialize, serde::Deserialize)]
struct SearchResult(u8);

#[tractor::rpc]
async fn search() -> SearchResult {
    SearchResult(1)
}

fn main() {}
