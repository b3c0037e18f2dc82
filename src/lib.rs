//! Structured concurrency over processes: a tree of actors, each an OS process, that call each
//! other, fail together and are reaped, every one.
//!
//! It takes functions marked with [`macro@rpc`] and a `main` marked with [`macro@main`], and
//! gives processes that run them below nurseries. It adds nothing to the crates that it joins but
//! names; each of them can be used alone. Read [`open_nursery`] first.
//!
//! | for | see |
//! |---|---|
//! | starting actors | [`Nursery::start_actor`], [`Nursery::run_in_actor`], [`open_actor_cluster`] |
//! | calls | [`macro@rpc`], [`Portal::run`] |
//! | conversations, streams | [`macro@context`], [`Portal::open_context`], [`Portal::open_stream`], [`fresh_stream`], [`Broadcast`], [`Publisher`] |
//! | work for many processes | [`open_worker_pool`] |
//! | cancelling, deadlines, waiting | [`CancelScope`], [`timeout`], [`shield`], [`sleep`] |
//! | what went wrong | [`Error`], [`Ending`] |
//! | finding actors | [`find_actor`], [`get_root`] |
//! | debugging | [`breakpoint!`](crate::breakpoint), [`post_mortem`], [`dump_tree`] |
//! | tests | [`macro@test`] |
//!
//! It needs Linux 5.4 or later, on x86-64 or AArch64.
//!
//! # Features
//!
//! None is on by default. `tokio1` has every task of every actor polled inside a tokio runtime, as
//! async-std's feature of that name does: for libraries that need one. Such a runtime is started
//! with the first task of an actor, with tokio's own number of threads; plain functions, which have
//! threads for blocking to themselves, do not see it.
//!
//! # Examples
//!
//! ```
//! use tractor::prelude::*;
//!
//! #[tractor::rpc]
//! async fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! #[tractor::main]
//! async fn main() -> tractor::Result<()> {
//!     tractor::open_nursery(async |nursery| {
//!         let worker = nursery.start_actor("worker").await?;
//!         assert_eq!(worker.run(square(7)).await?, 49);
//!         let once = nursery.run_in_actor("once", square(8)).await?;
//!         assert_eq!(once.result().await?, 64);
//!         worker.cancel_actor().await?;
//!         Ok(())
//!     })
//!     .await
//! }
//! ```

#![forbid(unsafe_code)]

pub use tractor_core::io::link::LinkStatistics;
pub use tractor_core::portal::CANCEL_WITHIN;
pub use tractor_core::process::{OutOfMemory, StdioSpec};
pub use tractor_core::runtime_vars::{RuntimeVars, VarError, runtime_var};
pub use tractor_core::scope::{checkpoint, current_deadline, move_on_after, shield, timeout};
pub use tractor_core::{
    Access, Actor, ActorStatistics, Broadcast, Bytes, Call, CancelReason, CancelScope,
    Cancellation, Cancelled, Contact, Context, ContextCall, Contexts, Ending, Error, Failure, Lag,
    Liveness, Misuse, Never, Offer, OpenContext, Portal, Publisher, RecvStream, Refusal, Run,
    SendStream, Sleep, StreamCall, Subscription, TaskState, TaskStatistics, Topics, UserError,
    current_actor, fresh_stream, gather_contexts, maybe_open_context, sleep,
};
pub use tractor_debug::{
    Crash, CrashHandler, Reentry, breakpoint, breakpoint_sync, open_crash_handler, pause, pm,
    post_mortem,
};
pub use tractor_discovery::{find_actor, get_root, query_actor, wait_for_actor};
pub use tractor_ipc::{ActorId, Address};
pub use tractor_macros::{context, main, rpc, test};
pub use tractor_nursery::nurseries::statistics as nurseries;
pub use tractor_nursery::options::DAEMON_NOTICE_AFTER;
pub use tractor_nursery::{
    ChildStatistics, Condition, Nursery, NurseryStatistics, OnExit, OneShot, Options, PoolMap,
    PoolStatistics, Progress, RunInActor, StartActor, Transport, WorkerPool, dump_tree,
    open_actor_cluster, open_named_cluster, open_nursery, open_nursery_with, open_worker_pool, run,
};

/// What most fallible functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An `Ok` whose error type is [`Error`], for the end of a block whose type nothing else says.
///
/// # Errors
///
/// None, ever.
///
/// # Examples
///
/// ```
/// let value: tractor::Result<u8> = tractor::Ok(7);
/// # assert_eq!(value.unwrap(), 7);
/// ```
#[expect(non_snake_case, reason = "it stands for the variant")]
pub fn Ok<T>(value: T) -> Result<T> {
    Result::Ok(value)
}

/// The names that a program of actors uses most, to be imported with a `*`.
pub mod prelude {
    pub use crate::{
        Bytes, CancelScope, Context, Nursery, OneShot, Options, Portal, WorkerPool, current_actor,
        find_actor, get_root, open_nursery, open_worker_pool, wait_for_actor,
    };
}

/// The programs in README are compiled, and run, as all examples are.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// What the macros expand to: no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use tractor_core::private::*;
    pub use tractor_nursery::private::{Outcome, TestSpec, main, test};
}
