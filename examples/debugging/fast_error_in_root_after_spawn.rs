//! The root fails while a child is still starting.

use std::thread;
use std::time::Duration;

use futures::join;
use tractor::prelude::*;

#[expect(
    clippy::disallowed_methods,
    reason = "what stands before the entry runs in each child too, and makes it slow to start"
)]
pub(crate) fn main() -> tractor::Result<()> {
    thread::sleep(Duration::from_millis(500));
    run()
}

#[tractor::main(debug_mode)]
async fn run() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let fails = async {
            let errors = 1;
            assert_eq!(errors, 0, "AssertionError");
        };
        let (started, ()) = join!(nursery.start_actor("sleeper").into_future(), fails);
        started?.cancel_actor().await
    })
    .await
}
