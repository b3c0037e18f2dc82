//! A result that is not serde is named.
struct Handle;

#[tractor::rpc]
async fn open() -> Result<Handle, String> {
    Ok(Handle)
}

fn main() {}
