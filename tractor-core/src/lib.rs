//! The actor of `tractor`: a process that calls and is called, cancels and is cancelled, and
//! never waits for its own user code.
//!
//! It takes functions marked with `#[rpc]`, links to other actors and processes to watch, and
//! gives portals, cancel scopes and errors that say what ended where and why. It knows neither
//! names of actors nor nurseries: those are services and owners that the crates above register.
//! Read [`Portal`] first, then [`CancelScope`] and [`Error`]. With the feature `tokio1` every task
//! is polled inside a tokio runtime.

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
pub use stream::{RecvStream, SendStream, fresh_stream};
pub use tractor_ipc::Bytes;
pub use travel::Travel;
