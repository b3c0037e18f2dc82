//! The error of a `Result` converts into a boxed error.
struct Mute;

#[tractor::rpc]
async fn open() -> Result<u8, Mute> {
    Ok(1)
}

fn main() {}
