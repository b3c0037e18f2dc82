//! The root cancels itself, pauses behind a shield, and fails.

use tractor::prelude::*;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    get_root().await?.cancel_actor().await?;
    println!("the root has cancelled itself");
    let last_words = tractor::shield(async {
        tractor::pause(true).await;
        let errors = 1;
        assert_eq!(errors, 0, "AssertionError");
    });
    let _ = last_words.await;
    Ok(())
}
