//! A root whose actors do what a seed says until a signal ends it.

use crate::say;
use crate::wander::wander;

/// Walks until it is told to end; the argument is the seed.
#[tractor::main]
pub(crate) async fn walks() -> tractor::Result<()> {
    walk().await
}

/// The same in debug mode.
#[tractor::main(debug_mode)]
pub(crate) async fn walks_with_prompts() -> tractor::Result<()> {
    walk().await
}

async fn walk() -> tractor::Result<()> {
    let seed = std::env::args().nth(2).and_then(|text| text.parse().ok());
    let mut seed: u64 = seed.expect("it is given a seed");
    say(&format!("walking as {}", std::process::id()));
    loop {
        if let Err(error) = wander(0, seed).await {
            say(&format!("a walk ended with: {error}"));
        }
        // A walk may end in any way, but only a signal cancels the root itself.
        if tractor::checkpoint().await.is_err() {
            return Ok(());
        }
        seed = seed.wrapping_add(0x9e37_79b9);
    }
}
