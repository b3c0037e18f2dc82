//! [`gather_contexts`]: several contexts of one function, open at once.

use std::ops::Deref;

use futures::Stream;
use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};

use super::conversation::Conversation;
use super::linked::run_block;
use super::{ContextCall, OpenContext};
use crate::actor::misused;
use crate::call::Failure;
use crate::ending::Misuse;
use crate::error::Error;
use crate::exports::BoxedError;
use crate::portal::Portal;
use crate::scope::CancelScope;
use crate::travel::Travel;

/// Contexts that are open at once, in the order in which they were given: a slice of
/// [`OpenContext`]s.
///
/// Their results in order are those of [`OpenContext::result`] of each.
#[derive(Debug)]
pub struct Contexts<In, Out, T>(Vec<OpenContext<In, Out, T>>);

/// Opens a context in each of several actors at once, then runs `body` with all of them and their
/// first values, in the order of `calls`. It returns when `body` and all functions have ended.
///
/// All are linked: if one function ends badly, `body` is cancelled, and so are the other
/// functions. Otherwise it is as [`Portal::open_context`], which says what the ends of `body` and
/// of the functions are to each other.
///
/// # Cancellation
///
/// As [`Portal::open_context`].
///
/// # Errors
///
/// Those of [`Portal::open_context`]; several failures are a group. [`Misuse::NoContexts`] if
/// `calls` gives none.
///
/// # Examples
///
/// ```no_run
/// # use tractor_macros::context;
/// use futures::StreamExt;
/// # use tractor_core as tractor;
/// use tractor::{Context, Error, Portal, gather_contexts};
///
/// #[context(crate = tractor_core)] // `#[tractor::context]` outside of the runtime's own crates
/// async fn count(ctx: Context<(), String, ()>) -> Result<usize, Error> {
///     ctx.started(())?;
///     let (_nothing, lines) = ctx.open_stream()?;
///     Ok(lines.count().await)
/// }
///
/// async fn deal(lines: Vec<String>, workers: &[Portal]) -> Result<usize, Error> {
///     let calls = workers.iter().map(|worker| (worker, count()));
///     gather_contexts(calls, async |contexts, _started| {
///         let mut ways = Vec::new();
///         for context in contexts.iter() {
///             ways.push(context.open_stream()?.0);
///         }
///         for (line, worker) in lines.into_iter().zip((0..workers.len()).cycle()) {
///             ways[worker].send(line).await?;
///         }
///         drop(ways); // there are no more
///         let counts = contexts.results().map(|(_, count)| count);
///         let counts: Vec<_> = counts.collect().await;
///         counts.into_iter().sum()
///     })
///     .await
/// }
/// ```
pub async fn gather_contexts<'a, Started, In, Out, T, F, R, E, B>(
    calls: impl IntoIterator<Item = (&'a Portal, ContextCall<Started, In, Out, T, F>)>,
    body: B,
) -> Result<R, E>
where
    Started: Travel,
    F: Failure,
    B: AsyncFnOnce(&Contexts<In, Out, T>, Vec<Started>) -> Result<R, E>,
    E: From<Error> + Into<BoxedError>,
{
    let block = CancelScope::new();
    let begun = calls.into_iter().map(|(portal, call)| {
        let block = block.clone();
        async move { OpenContext::begin(portal, call, block).await }
    });
    let mut contexts = Vec::new();
    let mut refused = None;
    for begun in join_all(begun).await {
        match begun {
            Ok(context) => contexts.push(context),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    if contexts.is_empty() && refused.is_none() {
        refused = Some(misused(Misuse::NoContexts));
    }
    let contexts = Contexts(contexts);
    let calls: Vec<&Conversation> = contexts.iter().map(OpenContext::conversation).collect();
    if let Some(error) = refused {
        // Not in the scope of those that were begun: it may be cancelled because of this.
        return run_block(&CancelScope::new(), &calls, async { Err(E::from(error)) }).await;
    }
    let gathered = async {
        let started = join_all(contexts.iter().map(OpenContext::first::<Started>)).await;
        let started = started.into_iter().collect::<Result<_, _>>()?;
        let value = body(&contexts, started).await?;
        contexts.iter().for_each(OpenContext::close_unopened_stream);
        Ok(value)
    };
    run_block(&block, &calls, gathered).await
}

impl<In, Out, T> Contexts<In, Out, T> {
    /// The results of the functions as they come, each with its context's place.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: what has come can be asked for again.
    pub fn results(
        &self,
    ) -> impl Stream<Item = (usize, Result<T, Error>)> + Unpin + use<'_, In, Out, T> {
        let results = self.0.iter().enumerate();
        results
            .map(async |(place, context)| (place, context.result().await))
            .map(Box::pin)
            .collect::<FuturesUnordered<_>>()
            .fuse()
    }
}

impl<In, Out, T> Deref for Contexts<In, Out, T> {
    type Target = [OpenContext<In, Out, T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
