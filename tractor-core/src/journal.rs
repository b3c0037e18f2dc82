//! The journal: what this process waits for, and what it last said and heard, in a file that
//! outlives it. From the journals of all processes `cargo xtask test-deadlocks` puts together who
//! waits for whom in a tree that hangs, also of those who are stopped or dead.
//!
//! It exists only under the feature `__faults`; without it nothing of this is in the program.
//! `TRACTOR_JOURNAL` names a directory, and each process writes the file of its pid there:
//!
//! ```text
//! 4711.000123 = lock | held by 'ada'#1f 1, lease 1
//! 4711.000125 . to 'ada'#1f: Reply 3
//! ```
//!
//! A line with `=` is a state, the time, its key and its text: it replaces the one before it of
//! the same key, and without a text there is none any more. A line with `.` has happened.

#[cfg(feature = "__faults")]
mod file;

use std::fmt::Arguments;

#[cfg(feature = "__faults")]
pub use file::{event, state};

/// The variables that a child needs to keep one.
#[cfg(feature = "__faults")]
pub(crate) const VARIABLES: &[&str] = &[file::VARIABLE];

/// The variables that a child needs to keep one.
#[cfg(not(feature = "__faults"))]
pub(crate) const VARIABLES: &[&str] = &[];

/// Notes what holds from now on; without the feature nothing.
#[cfg(not(feature = "__faults"))]
#[inline(always)]
pub fn state(_key: Arguments<'_>, _text: Arguments<'_>) {}

/// Notes what has happened; without the feature nothing.
#[cfg(not(feature = "__faults"))]
#[inline(always)]
pub fn event(_text: Arguments<'_>) {}

/// Notes that a state is over.
#[inline(always)]
pub fn over(key: Arguments<'_>) {
    state(key, format_args!(""));
}
