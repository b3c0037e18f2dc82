//! Pauses of plain code: in the root's main, in a child, and in threads of the root.

use std::thread;

use futures::channel::oneshot;
use futures::join;
use tractor::prelude::*;

/// A plain function, on a thread of its own.
#[tractor::rpc]
fn sync_pause() {
    tractor::breakpoint_sync!("in the child");
}

/// Runs `f` on a thread of the program's own, and waits for it.
async fn on_thread(name: &str, f: impl FnOnce() + Send + 'static) {
    let (done, is_done) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(|| {
        f();
        done.send(())
    });
    // Nothing else can go wrong in these threads than that they are not there.
    if thread.is_ok() {
        let _ = is_done.await;
    }
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    tractor::breakpoint_sync!("in the root's main");
    tractor::breakpoint!("the same, async").await;
    open_nursery(async |nursery| {
        let child = nursery.run_in_actor("child", sync_pause()).await?;
        let inline = on_thread("inline_root_bg_thread", || {
            tractor::breakpoint_sync!("in a thread of the root");
        });
        let (paused, ()) = join!(child.result(), inline);
        paused?;
        // After the other: a second one in an actor that is at a prompt is passed by.
        let second = on_thread("start_soon_root_bg_thread", || {
            tractor::breakpoint_sync!("in another thread of the root");
        });
        second.await;
        Ok(())
    })
    .await
}
