//! A task that is cancelled can pause behind a shield, and only there; first in a child, then in
//! the root.

use tractor::prelude::*;

/// Its scope is cancelled before the first pause.
#[tractor::rpc]
async fn cancellable_pause_loop() {
    let scope = CancelScope::new();
    let body = scope.run(async {
        scope.cancel();
        for round in 1..=3 {
            let text = format!("INSIDE SHIELDED PAUSE {round}");
            let paused = async { tractor::breakpoint!(text).await };
            // The shield is the scope's, so it holds for whatever is awaited in it.
            let _ = tractor::shield(paused).await;
        }
        tractor::pause(true).await;
        tractor::pause(false).await;
    });
    assert!(body.await.is_err(), "the last one is where it ends");
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .run_in_actor("cancelled_before_pause", cancellable_pause_loop())
            .await?
            .result()
            .await
    })
    .await?;
    cancellable_pause_loop().await;
    Ok(())
}
