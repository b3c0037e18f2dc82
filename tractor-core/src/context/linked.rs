//! [`run_block`]: a block beside the calls that it is linked with. None outlives the others.

use std::future::Future;
use std::pin::pin;

use futures::future::{Either, join_all, select};

use super::conversation::{Conversation, is_cancelled_here};
use crate::actor::current_actor;
use crate::ending::Ending;
use crate::error::Error;
use crate::exports::BoxedError;
use crate::scope::{self, CancelReason, CancelScope, Cancellation, Cancelled, Registration};

/// Runs a block in the scope that a bad end of the `calls` cancels, and waits for their end. If
/// the block does not end well, or the scope is cancelled, the calls are cancelled.
pub(super) async fn run_block<R, E>(
    scope: &CancelScope,
    calls: &[&Conversation],
    block: impl Future<Output = Result<R, E>>,
) -> Result<R, E>
where
    E: From<Error> + Into<BoxedError>,
{
    let _outer = follow_outer_scope(scope);
    let cancel_all = || calls.iter().for_each(|call| call.cancel());
    let ended = async {
        let block = scope.run(block).await;
        if !matches!(block, Ok(Ok(_))) {
            cancel_all();
        }
        let over = join_all(calls.iter().map(|call| call.outcome().wait()));
        let over = match select(over, pin!(scope.cancelled())).await {
            Either::Left((over, _)) => over,
            Either::Right((_, over)) => {
                cancel_all();
                over.await
            }
        };
        (block, over)
    };
    match CancelScope::new().shield(true).run(ended).await {
        Ok((block, over)) => verdict(block, failures(calls, over)),
        Err(cancelled) => Err(E::from(cancelled_here(cancelled)?)),
    }
}

/// Has a cancel of the scope around the calls cancel their block.
fn follow_outer_scope(block: &CancelScope) -> Option<Registration> {
    let outer = scope::current()?;
    block.set_deadline(outer.deadline());
    let (block, asked) = (block.clone(), outer.clone());
    Some(outer.on_cancel(move || {
        let Cancellation { by, reason } = asked.cancelled_by().unwrap_or(Cancellation {
            by: None,
            reason: CancelReason::ScopeCancelled,
        });
        block.cancel_with(reason, by);
    }))
}

/// How the calls failed: what was cancelled by this side did not, and what was cancelled by others
/// says nothing beside a failure.
fn failures(calls: &[&Conversation], over: Vec<Result<Vec<u8>, Error>>) -> Vec<Error> {
    let mut failures: Vec<Error> = calls
        .iter()
        .zip(over)
        .filter_map(|(call, over)| over.err().filter(|error| !call.outcome().is_wanted(error)))
        .collect();
    if !failures.iter().all(Error::is_of_cancel) {
        failures.retain(|error| !error.is_of_cancel());
    }
    failures
}

/// What a context returns.
fn verdict<R, E>(block: Result<Result<R, E>, Cancelled>, far: Vec<Error>) -> Result<R, E>
where
    E: From<Error> + Into<BoxedError>,
{
    if far.is_empty() {
        return block.unwrap_or_else(|cancelled| Err(cancelled_here(cancelled)?.into()));
    }
    let me = current_actor()?.aid();
    match block {
        // Whoever in this actor cancelled the functions, the block has what it wanted.
        Ok(Ok(value)) if far.iter().all(is_cancelled_here) => Ok(value),
        // That a call was cancelled says nothing beside what the block says.
        Ok(Err(error)) if far.iter().all(Error::is_of_cancel) => Err(error),
        Ok(Err(error)) => {
            let error = Error::of_block(me, "the context's block", error.into());
            let error = Some(error).filter(|error| !error.is_of_cancel());
            Err(Error::several(me, error.into_iter().chain(far).collect()).into())
        }
        Ok(Ok(_)) | Err(_) => Err(Error::several(me, far).into()),
    }
}

fn cancelled_here(cancelled: Cancelled) -> Result<Error, Error> {
    let Cancellation { by, reason } = cancelled.into_cancellation();
    let me = current_actor()?.aid().clone();
    Ok(Error::new(me, Ending::Cancelled { by, reason }))
}
