//! [`run_block`]: a block beside the calls that it is linked with. None outlives the others.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures::future::{Either, join_all, select};
use pin_project_lite::pin_project;

use super::conversation::{Conversation, is_cancelled_here, is_of_stopped_stream};
use crate::actor::current_actor;
use crate::ending::Ending;
use crate::error::Error;
use crate::exports::BoxedError;
use crate::scope::{CancelScope, Cancellation, Cancelled, Registration};

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
    let block = Block {
        body: block,
        calls,
        is_over: false,
    };
    let ended = async {
        let block = scope.run(block).await;
        if !matches!(block, Ok(Ok(_))) {
            cancel_all();
        }
        let over = join_all(calls.iter().map(|call| call.outcome().wait()));
        match select(over, pin!(scope.cancelled())).await {
            Either::Left((over, _)) => (block, over, None),
            Either::Right((cancellation, over)) => {
                let is_new = calls.iter().any(|call| !call.outcome().is_cancel_called());
                cancel_all();
                let over = over.await;
                let cut_off = is_new && over.iter().any(Result::is_err);
                (block, over, cut_off.then_some(cancellation))
            }
        }
    };
    match CancelScope::new().shield(true).run(ended).await {
        Ok((block, over, cut_off)) => {
            let value = verdict(block, failures(calls, over))?;
            // What ended the calls may have come from around them, after the block.
            cut_off.map_or(Ok(value), |it| Err(cancelled_here(it)?.into()))
        }
        Err(cancelled) => Err(E::from(cancelled_here(cancelled.into_cancellation())?)),
    }
}

pin_project! {
    /// What runs as the callers' side. Dropped before its end, it cancels the calls before its
    /// streams are dropped, and the first end that a function hears of counts: nobody may take a
    /// stream that breaks off for one that is done.
    struct Block<'a, F> {
        #[pin]
        body: F,
        calls: &'a [&'a Conversation],
        is_over: bool,
    }

    impl<F> PinnedDrop for Block<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.is_over {
                this.calls.iter().for_each(|call| call.cancel());
            }
        }
    }
}

impl<F: Future> Future for Block<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(this.body.poll(cx));
        *this.is_over = true;
        Poll::Ready(output)
    }
}

/// Has a cancel of the scope around the calls cancel their block.
fn follow_outer_scope(block: &CancelScope) -> Option<Registration> {
    let own = block.clone();
    block.follow_current(move |Cancellation { by, reason }| own.cancel_with(reason, by))
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
        return block.unwrap_or_else(|cancelled| {
            Err(cancelled_here(cancelled.into_cancellation())?.into())
        });
    }
    let me = current_actor()?.aid();
    match block {
        // Whoever in this actor cancelled the functions, the block has what it wanted.
        Ok(Ok(value)) if far.iter().all(is_cancelled_here) => Ok(value),
        // That a call was cancelled, or heard that nobody reads, says nothing beside what the
        // block says.
        Ok(Err(error)) if far.iter().all(is_effect_of_failure) => Err(error),
        Ok(Err(error)) => {
            let error = Error::of_block(me, "the context's block", error.into());
            let error = Some(error).filter(|error| !error.is_of_cancel());
            Err(Error::several(me, error.into_iter().chain(far).collect()).into())
        }
        Ok(Ok(_)) | Err(_) => Err(Error::several(me, far).into()),
    }
}

fn is_effect_of_failure(far: &Error) -> bool {
    far.is_of_cancel() || is_of_stopped_stream(far)
}

fn cancelled_here(cancellation: Cancellation) -> Result<Error, Error> {
    let Cancellation { by, reason } = cancellation;
    let me = current_actor()?.aid().clone();
    Ok(Error::new(me, Ending::Cancelled { by, reason }))
}
