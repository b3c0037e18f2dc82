//! [`open_actor_cluster`]: several actors that live as long as one block.

use futures::future::try_join_all;
use tractor_core::{Error, Portal};

use crate::nursery::{OnExit, open_nursery_with};

/// Runs `body` with `size` actors, and returns when every one of them is reaped.
///
/// The actors are named `worker-1` and so on, started at once, and in a nursery of their own: if
/// one of them dies, the block and the others are cancelled. When the block has ended they are
/// cancelled. Where calls compute, a good `size` is the number of cores, [`available_parallelism`].
///
/// They have the default options of [`Nursery::start_actor`](crate::Nursery::start_actor).
/// [`gather_contexts`] opens a context in each of them. To share out independent calls among
/// actors that are replaced when they die, see [`open_worker_pool`](crate::open_worker_pool).
///
/// [`available_parallelism`]: std::thread::available_parallelism
/// [`gather_contexts`]: tractor_core::gather_contexts
///
/// # Cancellation
///
/// As [`open_nursery`](crate::open_nursery).
///
/// # Errors
///
/// What the block returns; what keeps an actor from being there, as of
/// [`Nursery::start_actor`](crate::Nursery::start_actor), or ends it; and those of
/// [`open_nursery`](crate::open_nursery).
///
/// # Panics
///
/// If `size` is 0.
///
/// # Examples
///
/// ```
/// # use tractor_core as tractor;
/// # use tractor_macros::rpc;
/// use futures::future::try_join_all;
/// use tractor_nursery::{Options, open_actor_cluster, run}; // `tractor::{..}`
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn square(n: usize) -> usize {
///     n * n
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         open_actor_cluster(3, async |actors| {
///             let calls = actors.iter().zip(1..).map(|(actor, n)| actor.run(square(n)));
///             assert_eq!(try_join_all(calls).await?, [1, 4, 9]);
///             Ok(())
///         })
///         .await
///     })
/// }
/// ```
pub async fn open_actor_cluster<T, E, F>(size: usize, body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&[Portal]) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    open_named_cluster((1..=size).map(|number| format!("worker-{number}")), body).await
}

/// As [`open_actor_cluster`], with an actor of each of these names, in their order.
///
/// # Cancellation
///
/// As [`open_nursery`](crate::open_nursery).
///
/// # Errors
///
/// As [`open_actor_cluster`].
///
/// # Panics
///
/// If there is no name.
pub async fn open_named_cluster<T, E, F>(
    names: impl IntoIterator<Item = impl Into<String>>,
    body: F,
) -> Result<T, E>
where
    F: AsyncFnOnce(&[Portal]) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let names: Vec<String> = names.into_iter().map(Into::into).collect();
    assert!(!names.is_empty(), "a cluster has at least one actor");
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let starts = names.into_iter().map(|name| nursery.start_actor(name));
        let actors = try_join_all(starts.map(IntoFuture::into_future)).await?;
        body(&actors).await
    })
    .await
}
