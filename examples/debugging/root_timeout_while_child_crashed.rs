//! The root waits for a child no longer, just when the child has crashed.

use futures::future::{Either, select};
use std::pin::pin;
use tractor::prelude::*;

use super::errors::name_error;
use super::moments::moment;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("name_error").await?;
        let answer = child.run(name_error());
        match select(pin!(answer), pin!(moment("timeout"))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                println!("the root has waited long enough");
                let waited = 1;
                assert_eq!(waited, 0, "TooSlowError");
                tractor::Ok(())
            }
        }
    })
    .await
}
