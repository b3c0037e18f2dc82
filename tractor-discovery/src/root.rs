//! [`get_root`]: the root of the tree, from anywhere in it.

use tractor_core::{Error, Portal, current_actor};

/// A portal to the root of this actor's tree. In the root itself its calls run right there.
///
/// # Cancellation
///
/// Cancel-safe: a connection that was begun is closed.
///
/// # Errors
///
/// [`Ending::LinkLost`](tractor_core::Ending::LinkLost) if the root listens nowhere, because no
/// place for its socket could be found, or does not answer.
/// [`Ending::Refused`](tractor_core::Ending::Refused) outside of an actor.
pub async fn get_root() -> Result<Portal, Error> {
    let actor = current_actor()?;
    Portal::connect(actor.identity().root.clone()).await
}
