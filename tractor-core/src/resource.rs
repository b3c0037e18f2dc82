//! [`maybe_open_context`]: a resource that the users of one key share, in all of an actor: the
//! first one opens it, the last one has it closed.
//!
//! The decisions are data (`resource/state.rs`), one machine for each key; `resource/shelf.rs`
//! finds the key, `resource/slot.rs` joins its users and its keeper with the machine, and
//! `resource/keeper.rs` runs the keeper.

// Who uses the resource of a key, and whose turn it is.
mod state;

// The resource of one key, and all keys that are in use.
mod shelf;
mod slot;

// The code that opens and closes.
mod keeper;

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::future::Future;
use std::hash::Hash;

use crate::actor::{current_actor, local_error};
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::exports::BoxedError;
use crate::scope::{self, CancelReason, CancelScope, Cancellation, Cancelled, Registration};

pub(crate) use keeper::keepers_ended;

pub use keeper::Offer;

use keeper::{NotOffered, ending_of, returned};
use slot::{Turn, Visit};

/// How a user came to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It was opened for this user, by its own keeper.
    Opened,
    /// The keeper of another user had opened it, or was opening it, already.
    Shared,
}

impl Access {
    /// Whether the resource is that of another user's keeper.
    pub fn is_shared(self) -> bool {
        self == Self::Shared
    }
}

/// Runs `body` with the resource of `key`, which all users of that key in this actor share.
///
/// The first user's `keeper` opens the resource and offers it; the last user's leaving has it
/// closed. A keeper is one piece of code for both, and a task of the actor, because it may outlive
/// who began it:
///
/// 1. it opens the resource;
/// 2. it awaits [`offer.serve(resource)`](Offer::serve), which lets users in and gives the
///    resource back when the last of them has left;
/// 3. it closes the resource, and returns.
///
/// The keepers of all other users are dropped without being called. A resource is that of the key's
/// value, the key's type and the resource's type together; and it is never seen before it is
/// offered or after it began to be closed:
///
/// - who arrives while it is being opened waits for that same opening;
/// - who arrives while it is being closed waits for the end of that, and then it is opened anew,
///   by the keeper of who has waited longest;
/// - the last user returns when the keeper has ended. A future that is dropped cannot wait: then
///   the actor has it closed all the same, and the key's next user waits for that.
///
/// A keeper that wants to end a resource which is still used, because it has failed, drops the
/// future of `serve`; who is in keeps its reference. A keeper or a body that waits for another
/// use of its own key, as a keeper that calls this with the same key does, waits for itself.
///
/// # Cancellation
///
/// Inside a [`CancelScope`] it is shielded: a cancel of the scope drops the body, or ends the
/// waiting, and the scope waits until the keeper has ended, if this was the last user; so a
/// closing that may hang needs a time-out of its own. Dropping the future itself only leaves. An
/// opening for which nobody waits any more is cancelled; one for which others wait goes on,
/// whoever began it. A closing is not cancelled by any user.
///
/// A cancel of the actor cancels every user, wherever it runs, and thereby has all resources
/// closed; the actor waits for that, within the time that it is given.
///
/// # Errors
///
/// - What the body returns. If the closing fails too, that is logged.
/// - What the keeper returned before it offered anything, or its panic, or that it offered
///   nothing: to everybody who waited for that opening, and the key is free again.
/// - What the keeper returned after that, or its panic: to the last user, and the value of its
///   body is dropped. If the keeper itself ceased to serve, to everybody who was in.
/// - [`Ending::Cancelled`] if a scope around it, or the actor, was cancelled, and
///   [`Refusal::Closing`] if the actor was cancelled before, outside of every scope.
///
/// What several users are told is one error: clones of one [`Error`] count as one failure. Its
/// [`downcast_ref`](Error::downcast_ref) gives back what the keeper returned, in this process. An
/// error that nobody is left to be told is logged.
///
/// # Panics
///
/// When the body panics, after it has left, or the key does while it is hashed or compared.
///
/// # Examples
///
/// ```
/// use futures::executor::block_on;
/// use tractor_core::resource::{Access, Offer, maybe_open_context}; // `tractor::{..}`
/// use tractor_core::Error; // `tractor::Error`
///
/// struct Connection(String);
///
/// async fn keep(to: &'static str, offer: Offer<Connection>) -> std::io::Result<()> {
///     let connection = Connection(to.to_owned()); // open it,
///     let connection = offer.serve(connection).await; // let all use it,
///     drop(connection); // and close it
///     Ok(())
/// }
///
/// let length = block_on(maybe_open_context(
///     "db",
///     |offer| async { Ok(keep("db", offer).await?) },
///     async |connection, access| {
///         assert_eq!(access, Access::Opened);
///         Ok::<_, Error>(connection.0.len())
///     },
/// ));
/// assert_eq!(length.unwrap(), 2);
/// ```
pub async fn maybe_open_context<K, R, M, F, B, T, E>(key: K, keeper: M, body: B) -> Result<T, E>
where
    K: Hash + Eq + Send + Sync + 'static,
    R: Send + Sync + 'static,
    M: FnOnce(Offer<R>) -> F,
    F: Future<Output = Result<(), Box<dyn StdError + Send + Sync>>> + Send + 'static,
    B: AsyncFnOnce(&R, Access) -> Result<T, E>,
    E: From<Error>,
{
    let block = CancelScope::new();
    let _outer = follow_outer_scopes(&block)?;
    let mut visit = shelf::enter(key);
    let whole = CancelScope::new().shield(true);
    let result = whole
        .run(async {
            let ended = block
                .run(async {
                    let access = wait_to_enter(&mut visit, keeper).await?;
                    let resource = visit.resource().expect("it was told to use it");
                    body(resource, access).await
                })
                .await;
            (ended, visit.leave().await)
        })
        .await;
    match result {
        Ok((ended, closed)) => verdict(ended, closed),
        Err(cancelled) => Err(E::from(local_error(ending_of(cancelled), None))),
    }
}

/// Waits for the opening, by the own keeper if it is this user's turn.
async fn wait_to_enter<R, M, F>(visit: &mut Visit<R>, keeper: M) -> Result<Access, Error>
where
    R: Send + Sync + 'static,
    M: FnOnce(Offer<R>) -> F,
    F: Future<Output = Result<(), BoxedError>> + Send + 'static,
{
    let mut keeper = Some(keeper);
    loop {
        match visit.turn().await {
            Turn::Begin(generation) => {
                // A user is chosen once: its keeper's opening is then the one it waits for.
                if let Some(keeper) = keeper.take() {
                    keeper::begin(visit.slot(), generation, keeper);
                }
            }
            Turn::Use if keeper.is_some() => return Ok(Access::Shared),
            Turn::Use => return Ok(Access::Opened),
            Turn::GiveUp(Err(error)) => return Err(error),
            Turn::GiveUp(Ok(())) => return Err(returned::<R>(NotOffered.into())),
        }
    }
}

/// Has `block` cancelled with the scope around it, and with the actor.
fn follow_outer_scopes(block: &CancelScope) -> Result<[Option<Registration>; 2], Error> {
    let outer = scope::current();
    let actor = current_actor().ok();
    let actor = match actor {
        // What still runs in a cancelled actor is cancelled by the scope around it, or is
        // shielded and cleans up, which may take a resource.
        Some(actor) if actor.cancel_remaining().is_some() => match outer {
            Some(_) => None,
            None => return Err(local_error(Ending::Refused(Refusal::Closing), None)),
        },
        actor => actor,
    };
    if let Some(outer) = &outer {
        block.set_deadline(outer.deadline());
    }
    let follow = |scope: CancelScope| {
        let (block, asked) = (block.clone(), scope.clone());
        scope.on_cancel(move || {
            let cancellation = asked.cancelled_by().unwrap_or(Cancellation {
                by: None,
                reason: CancelReason::ScopeCancelled,
            });
            block.cancel_with(cancellation.reason, cancellation.by);
        })
    };
    Ok([outer, actor.map(|actor| actor.scope().clone())].map(|scope| scope.map(follow)))
}

/// What a user returns, of how its body ended and what it was told when it left.
fn verdict<T, E: From<Error>>(
    ended: Result<Result<T, E>, Cancelled>,
    closed: Result<(), Error>,
) -> Result<T, E> {
    match (ended, closed) {
        (Ok(result), Ok(())) => result,
        (Ok(Ok(_)), Err(error)) => Err(E::from(error)),
        (Ok(Err(first)), Err(error)) => {
            log::error!("a resource was closed after its user had failed, and failed too: {error}");
            Err(first)
        }
        // More than that it was cancelled, unless the opening just was cancelled with it.
        (Err(_), Err(error)) if !error.is_cancelled() => Err(E::from(error)),
        (Err(cancelled), _) => Err(E::from(local_error(ending_of(cancelled), None))),
    }
}
