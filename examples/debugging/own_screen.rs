//! A program that owns the screen: it says so before each prompt and after it, and wants none in
//! the actor `shy`. Only panics have prompts by themselves.

use tractor::prelude::*;

use super::errors::name_error;

/// The screen is given back when this is dropped.
struct LeftScreen;

impl Drop for LeftScreen {
    fn drop(&mut self) {
        eprintln!("the screen is taken back");
    }
}

fn leave_screen() -> Option<LeftScreen> {
    let is_shy = tractor::current_actor().is_ok_and(|actor| actor.name() == "shy");
    if is_shy {
        eprintln!("the screen is kept");
        return None;
    }
    eprintln!("the screen is left");
    Some(LeftScreen)
}

#[tractor::rpc]
async fn look(answer: u32) {
    tractor::breakpoint!(answer).await;
}

#[tractor::rpc]
async fn index_error(found: u32) {
    assert_eq!(found, 2, "IndexError");
}

#[tractor::main(debug_mode, debug_filter = tractor::Error::is_panic, repl_fixture = leave_screen)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in ["shy", "open"] {
            let actor = nursery.start_actor(name).await?;
            actor.run(look(42)).await?;
            // Not a panic: no prompt, here or there.
            let failed = actor.run(name_error()).await;
            println!("{name} fails: {}", failed.is_err());
            actor.cancel_actor().await?;
        }
        nursery.run_in_actor("panicking", index_error(1)).await?;
        Ok(())
    })
    .await
}
