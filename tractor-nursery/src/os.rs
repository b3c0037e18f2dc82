//! What only one system has, in one shape.
//!
//! There is one system: another needs a file beside `linux` with the same names, and a line here.
//! It has to give:
//!
//! | name | meaning |
//! |---|---|
//! | `MEMORY_DIRS` | directories for everybody that are in memory, if there are any |
//! | `is_waited_with` | whether a descriptor of ours is what the threads of a runtime wait with |

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
