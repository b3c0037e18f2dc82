//! What only one system has, in one shape.
//!
//! There is one system: another needs a file beside `linux` with the same names, and a line here.
//! It has to give:
//!
//! | name | meaning |
//! |---|---|
//! | `socket`, `pair` | blocking stream sockets that no program inherits which another thread starts just then |
//! | `accept` | the next connection, non-blocking and inherited by nobody |
//! | `WITHOUT_SIGNAL` | how to send so that no SIGPIPE comes |
//! | `family` | of which family a socket is |
//! | `credentials` | who made the other end of a connected Unix socket |
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
