//! The actor of `tractor`: a process that calls and is called, cancels and is cancelled, and
//! never waits for its own user code.
//!
//! It takes functions marked with `#[rpc]`, links to other actors and processes to watch, and
//! gives portals, cancel scopes and errors that say what ended where and why. It knows neither
//! names of actors nor nurseries: those are services and owners that the crates above register.
//! Read [`Portal`] first, then [`CancelScope`] and [`Error`]. With the feature `tokio1` every task
//! is polled inside a tokio runtime.
//!
//! # Examples
//!
//! Calls and cancel scopes work in a program without any actor:
//!
//! ```
//! use std::future::pending;
//! use std::time::Duration;
//!
//! use tractor_core::{CancelReason, CancelScope, rt, scope};
//! # use tractor_macros::rpc;
//!
//! #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
//! async fn sum(numbers: Vec<u64>) -> u64 {
//!     numbers.iter().sum()
//! }
//!
//! rt::block_on(async {
//!     // Awaited, a call runs right here; `Portal::run` has it run in another actor.
//!     let within_a_minute = scope::timeout(Duration::from_secs(60), sum(vec![1, 2, 3]));
//!     assert_eq!(within_a_minute.await, Ok(6));
//!
//!     // What has not ended in time is dropped, and the error says why.
//!     let endless = CancelScope::new().timeout(Duration::from_millis(5));
//!     let cancelled = endless.run(pending::<()>()).await.unwrap_err();
//!     assert_eq!(cancelled.reason(), CancelReason::Deadline);
//! });
//! ```

// Unsafe code stands in one file (os/unix.rs), where the system has no safe call.
#![deny(unsafe_code)]

extern crate self as tractor_core;

// How things end, and the error that tells it.
pub mod ending;
pub mod error;

// Functions that others may call, and calls of them.
pub mod call;
pub mod exports;
#[doc(hidden)]
pub mod private;
#[doc(hidden)]
pub use private as __private;
mod travel;

// Stretches of work that can be cancelled.
pub mod scope;

// What is handed down the tree, and what is logged.
pub mod logging;
pub mod runtime_vars;

// Starting, watching and reaping processes.
pub mod fault;
pub mod process;

// What only one system has.
mod os;

// What is left of a tree that hangs.
pub mod journal;

// The executor, the runtime's threads and their clock.
pub mod io;
pub mod rt;
mod sleep;
pub mod timer;

// Calls on their way out, tasks that came in, and what frames mean.
mod actor_loop;
mod calls;
mod fairness;
mod invoke;
mod panics;
#[doc(hidden)]
pub mod stall;
mod start;
mod tasks;

// Who looks at what has failed.
pub mod crash;

// What is said during a call: contexts, and streams.
pub mod context;
mod dialog;
pub mod stream;

// One stream for many.
pub mod broadcast;

// What the users of one key share.
pub mod resource;

// The actor and its peers.
pub mod actor;
mod peers;
pub mod portal;
pub mod run;
pub mod services;
pub mod stop;

pub use actor::{Actor, ActorStatistics, Contact, current_actor};
pub use broadcast::{Broadcast, Lag, Publisher, Subscription, Topics};
pub use call::{Call, Failure, Never};
pub use context::{Context, ContextCall, Contexts, OpenContext, StreamCall, gather_contexts};
pub use ending::{Ending, Misuse, Refusal, UserError};
pub use error::Error;
pub use invoke::{TaskState, TaskStatistics};
pub use peers::{Admitted, Awaiting, Expected};
pub use portal::{Liveness, Portal};
pub use resource::{Access, Offer, maybe_open_context};
pub use run::Run;
pub use scope::{CancelReason, CancelScope, Cancellation, Cancelled};
pub use sleep::{Sleep, sleep};
pub use stream::{RecvStream, SendStream, fresh_stream};
pub use tractor_ipc::Bytes;
pub use travel::Travel;
