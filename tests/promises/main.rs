//! The promises of the runtime, one module each, with real processes.
//!
//! Every `#[tractor::test]` ends with a sweep: it fails if a process, a descriptor or a socket of
//! its tree is left. Tests wait for events, told by [`witness`], and never for a time to pass.

// Shared with the other test binaries.
#[path = "../support/mod.rs"]
mod support;

// A crate outside of the workspace.
mod outside;

// What happened in an actor, told to whoever asks.
mod witness;

// What no honest caller does.
mod by_hand;

// Actors are started with what they are given, and nurseries own them.
mod far;
mod nurseries;
mod options;
mod spawning;

// Pools of workers.
mod pool;
mod pool_deaths;

// Calls reach their function and come back, whatever is wrong with them.
mod calls;
mod refusals;

// Linked tasks, streams between actors, and what tasks of one actor share.
mod broadcast;
mod broken_off;
mod clusters;
mod contexts;
mod misuse;
mod outcomes;
mod payloads;
mod pipelines;
mod publishing;
mod resources;
mod stream_deaths;
mod stream_ends;
mod stream_losses;
mod streams;
mod values;

// Errors tell what happened where.
mod deaths;
mod errors;
mod groups;
mod taken_up;

// Cancelling reaches everything it should and nothing else.
mod blocked;
mod cancellation;
mod scopes;

// Who is there, what it was told, and what it costs.
mod discovery;
mod idle;
mod statistics;
mod vars;

// The log, signals to the root, and tests of users.
mod logs;
mod shutdown;
mod test_attribute;
mod tokio_libraries;
