//! What only one system has, in one shape.
//!
//! There is one system: another needs a file beside `linux` with the same functions, and a line
//! here.
//!
//! | what it gives | meaning |
//! |---|---|
//! | `credentials(fd)` | who made the other end of a connected Unix socket |
//! | `SOCKET_PATH_BYTES_MAX` | how long the path of a Unix socket may be |

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

// This is the crate that all others import, so it is the one that says it.
#[cfg(not(target_os = "linux"))]
compile_error!("tractor knows Linux only: another system needs a file beside each `os/linux.rs`");

/// Who made the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The process.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}
