//! Processes: started, watched, signalled and reaped here and nowhere else.
//!
//! [`spawn()`] starts one and gives a [`Process`], which is held by descriptor, so that no signal
//! and no wait ever meets another process of the same number. In the started process [`detect`]
//! finds out that it is a child, and [`Boot::enter`] ties its life to its parent's. No order of
//! deaths leaves anything behind: a child dies with its parent, a process that nobody claimed is
//! killed and reaped, and what is orphaned comes to the root, which is a subreaper.
//!
//! This module knows neither actors nor what is said over the link.

// The names that a child finds in its environment.
pub mod marks;

// What to start, and the start itself.
mod spawn;

// The one thread that starts processes, and lives as long as this one.
mod spawner;

// Starts that somebody has stopped.
mod stuck;

// A process that is held by descriptor.
mod handle;

// How a process ended, and whom a subreaper inherits.
mod reap;

// Who was killed for its memory.
mod oom;

// Whom a subreaper inherits and was not told of.
mod strays;

// The first acts of a child.
mod boot;

// The signal that ties us to our parent, kept.
pub(crate) mod parent_death;

// Which build this process runs.
mod image;

// Who is alive, for leak checks.
pub mod census;

// The last act of a process.
mod exit;

// Stopping a tree, and going on.
mod suspend;

#[cfg(test)]
mod tests;

pub use boot::{Boot, detect, lend_stdin, set_process_name};
pub use exit::at_exit;
pub use handle::{Process, Signal};
pub use image::build_id;
pub use oom::{OutOfMemory, out_of_memory};
pub use reap::{Adoption, ExitStatus, become_subreaper};
pub use spawn::{
    Program, SpawnError, SpawnSpec, Spawned, StdioSpec, spawn, spawn_blocking, spawn_keeping,
};
pub use strays::{Found, Stray, strays};
pub use suspend::{Suspended, is_ignored, stop};
