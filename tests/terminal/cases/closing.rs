//! A pause that comes too late.

use tractor::prelude::*;

/// Cleans up when it is cancelled, with a breakpoint in that.
#[tractor::rpc]
async fn clean_up() {
    let scope = CancelScope::new();
    let work = scope.run(async {
        println!("the child is there");
        let cancelled = scope.cancelled();
        let cleaning = async {
            cancelled.await;
            tractor::breakpoint!("cleaning").await;
            println!("the child has cleaned up");
        };
        let _ = tractor::shield(cleaning).await;
    });
    let _ = work.await;
}

#[tractor::main(debug_mode)]
pub(crate) async fn pause_after_the_end_has_begun() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("child", clean_up()).await?;
        std::future::pending().await
    })
    .await
}
