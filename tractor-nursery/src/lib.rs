//! Nurseries: scopes that own actor processes, cancel them together and reap every one.
//!
//! It takes blocks of async code and calls to run, and gives processes that serve them and end
//! with their scope. It does not know what the processes are asked to do, nor how a terminal is
//! shared among them. Read [`open_nursery`] first, then [`run`], which makes a process the root
//! of a tree. With the feature `tokio1` every task of every actor is polled inside a tokio runtime.
//!
//! # Examples
//!
//! ```
//! use tractor_core::Error;
//! use tractor_nursery::{Options, open_nursery, run};
//!
//! fn main() -> Result<(), Error> {
//!     run(Options::default(), async || {
//!         open_nursery(async |nursery| {
//!             let worker = nursery.start_actor("worker").await?;
//!             assert_eq!(worker.name(), "worker");
//!             worker.cancel_actor().await?;
//!             Ok(())
//!         })
//!         .await
//!     })
//! }
//! ```

#![forbid(unsafe_code)]

// How a tree is run, and what a child is told.
pub mod options;
mod spec;

// Scopes that own processes.
pub mod nursery;
pub mod one_shot;
pub mod start;

// Many actors as one.
pub mod cluster;
pub mod pool;

// Which nursery owns which child, and everybody below.
mod descendants;
pub mod nurseries;
mod strays;
mod tree;

// One child, and its way down.
mod child;
pub mod ladder;
mod noted;

// How processes come to be, and where their sockets are.
mod entry;
mod launcher;
mod place;

// What a process does as a child and as the root.
mod child_main;
mod invited;
mod outcome;
pub mod root;
mod runtime;
mod signals;
mod suspend;

// What the debugger asks of it, and what every actor tells of itself.
mod debugger;
mod dump;
mod fatal;

// What only one system has.
mod os;

// Tests whose body is a root.
mod testing;

pub use child::Condition;
pub use cluster::{open_actor_cluster, open_named_cluster};
pub use dump::dump_tree;
pub use launcher::Transport;
pub use nursery::{
    ChildStatistics, Nursery, NurseryStatistics, OnExit, open_nursery, open_nursery_with,
};
pub use one_shot::{OneShot, RunInActor};
pub use options::Options;
pub use pool::{PoolMap, PoolStatistics, Progress, WorkerPool, open_worker_pool};
pub use root::run;
pub use start::StartActor;

#[doc(hidden)]
pub mod private {
    //! What the macros expand to.

    pub use crate::outcome::{Outcome, main};
    pub use crate::testing::{TestSpec, test};
}
