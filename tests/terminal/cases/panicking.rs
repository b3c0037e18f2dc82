//! A panic while another one unwinds the stack.

use tractor::prelude::*;

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

#[tractor::rpc]
async fn panic_twice() {
    let _panics = Panics;
    panic!("the first panic");
}

#[tractor::main(debug_mode)]
pub(crate) async fn panic_while_panicking() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.run_in_actor("child", panic_twice()).await?;
        child.result().await
    })
    .await
}
