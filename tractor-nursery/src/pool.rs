//! [`open_worker_pool`] and [`WorkerPool`]: a number of like actors that share the calls of maps.
//!
//! What happens to workers and calls is in `shared.rs`, around the pure `dispatch.rs`.

mod arrivals;
mod dispatch;
mod map;
mod shared;
mod window;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use tractor_core::{Call, Error, Failure, Portal};

pub use self::map::PoolMap;
use self::shared::{Close, Shared};
pub use self::window::Progress;
use crate::nursery::{Nursery, OnExit, open_nursery_with};

/// A number of actors that share the calls of [`map`](Self::map)s.
///
/// Made by [`open_worker_pool`] and lent to its block. Cloning counts a reference; a clone that
/// outlives the block makes no more calls.
#[derive(Clone)]
pub struct WorkerPool {
    inner: Arc<Shared>,
}

/// Runs `body` with a pool of `size` workers, and returns when every worker is reaped.
///
/// The workers are actors named `worker-1` and so on, with the default options of
/// [`Nursery::start_actor`](crate::Nursery::start_actor), in a nursery of their own. The block begins
/// at once: calls wait for the first worker that is ready. A worker that dies fails neither the
/// nursery nor the block: another one takes its place, and whoever waits for the calls that it had
/// is told. When the block has ended the workers are cancelled.
///
/// A good `size` is the number of cores, [`available_parallelism`], where calls compute.
///
/// [`available_parallelism`]: std::thread::available_parallelism
///
/// # Cancellation
///
/// As [`open_nursery`](crate::open_nursery).
///
/// # Errors
///
/// What the block returns; what keeps workers from being there, if three in a row cannot be
/// started, or end within a second of their start without having had a call; and those of
/// [`open_nursery`](crate::open_nursery). The death of a worker is an error of the items that it
/// had; of one that had none the log tells.
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
/// use tractor_nursery::{Options, open_worker_pool, run}; // `tractor::{..}`
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         open_worker_pool(2, async |pool| {
///             let mut squares = pool.map(square, 1..=3);
///             let mut sum = 0;
///             while let Some(square) = squares.next().await {
///                 sum += square?;
///             }
///             assert_eq!(sum, 1 + 4 + 9);
///             Ok(())
///         })
///         .await
///     })
/// }
/// ```
pub async fn open_worker_pool<T, E, F>(size: usize, body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&WorkerPool) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    assert!(size > 0, "a pool has at least one worker");
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let pool = WorkerPool::open(nursery.clone(), size);
        let inner = pool.inner.clone();
        let _close = Close(&inner);
        match select(pin!(body(&pool)), pin!(inner.keep_workers())).await {
            Either::Left((result, _)) => result,
            Either::Right((error, _)) => Err(E::from(error)),
        }
    })
    .await
}

impl WorkerPool {
    fn open(nursery: Nursery, size: usize) -> Self {
        let inner = Shared::open(nursery, size);
        Self { inner }
    }

    /// Makes a call of each item and runs them on the workers: a stream of their results, in the
    /// order of the items unless [`PoolMap::unordered`] is asked for.
    ///
    /// `call` gives the call of an item; the name of a function of `#[tractor::rpc]` that takes
    /// the item will do. Nothing happens before the stream is polled, and an item is taken from
    /// the iterator only when a worker has room for its call. Maps of one pool share the workers
    /// and take turns.
    pub fn map<I, F, R, E>(&self, call: F, items: I) -> PoolMap<R, E, F, I::IntoIter>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Call<R, E>,
        E: Failure,
    {
        PoolMap::new(self.inner.clone(), call, items.into_iter())
    }

    /// How many workers there are, or will be as soon as those that died are replaced.
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// The workers that are ready now, the oldest first.
    ///
    /// A call that is made through one of these portals is not counted as work of the pool.
    pub fn workers(&self) -> Vec<Portal> {
        self.inner.portals()
    }

    /// The pool in numbers.
    pub fn statistics(&self) -> PoolStatistics {
        self.inner.statistics()
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("size", &self.inner.size)
            .finish_non_exhaustive()
    }
}

/// A pool in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// The workers that are ready.
    pub ready: usize,
    /// The workers that were ever ready: those above the pool's size took the place of others.
    pub started: u64,
    /// The calls that the workers have.
    pub in_flight: usize,
}
