//! What differs between operating systems, in one shape.
//!
//! There is one: another needs a file beside `linux` with the same functions.

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(super) use cgroup::*;
#[cfg(target_os = "linux")]
pub(super) use linux::*;
