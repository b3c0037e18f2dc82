//! Both the root and a child fail, or the child breaks, in either order. Who comes second waits for
//! the terminal.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::{FutureExt, join};
use tractor::prelude::*;
use tractor::{Call, Failure};

use super::errors::{NameError, name_error};
use super::moments::moment;

#[tractor::rpc]
async fn fail(later: bool) -> Result<(), NameError> {
    if later {
        moment("child").await;
    }
    name_error().await
}

#[tractor::rpc]
async fn pause(later: bool) {
    if later {
        moment("child").await;
    }
    tractor::breakpoint!(later).await;
}

/// Waits for the call, and meanwhile fails itself.
async fn beside<E: Failure>(call: Call<(), E>, later: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("child").await?;
        let fails = async {
            if later {
                moment("root").await;
            }
            let errors = 1;
            assert_eq!(errors, 0, "AssertionError");
        };
        let fails = AssertUnwindSafe(fails).catch_unwind();
        let (answer, failed) = join!(child.run(call), fails);
        answer?;
        failed.unwrap_or_else(|panic| resume_unwind(panic));
        child.cancel_actor().await
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn root_error_before_child_error() -> tractor::Result<()> {
    beside(fail(true), false).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn root_error_after_child_error() -> tractor::Result<()> {
    beside(fail(false), true).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn root_error_before_child_breakpoint() -> tractor::Result<()> {
    beside(pause(true), false).await
}

#[tractor::main(debug_mode)]
pub(crate) async fn root_error_after_child_breakpoint() -> tractor::Result<()> {
    beside(pause(false), true).await
}
