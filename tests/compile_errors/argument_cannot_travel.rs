//! An argument that is not serde is named, at its own place, and nothing else is.
struct Handle;

#[tractor::rpc]
async fn show(name: String, handle: Handle) {
    let _ = (name, handle);
}

fn main() {}
