//! What only one system has, in one shape.
//!
//! There is one system: another needs a file beside `linux` with the same names, what they need
//! below it, and a line here. It has to give:
//!
//! | name | meaning |
//! |---|---|
//! | `install_handler` | has fatal signals told to a pipe of the parent's; what one strikes waits, and lets the root's descendants attach meanwhile |
//! | `release` | lets a thread go on that waits so |
//! | `panic_was_seen` | that this thread's panic had a prompt, so that the process needs none if it aborts for it |
//! | `is_sent` | whether a process has sent the signal, by the code that came with it |
//! | `this_thread` | the number by which native debuggers know the calling thread |
//! | `fd_path` | a path by which a descriptor of another process of ours can be opened |
//! | `allow_tracing` | whose descendants may attach to this process, where the system asks for that |
//! | `certain_refusal`, `refusal` | why no debugger can attach to a process: known before it is tried, and as far as can be told |
//! | `is_closed` | whether the system lets nobody like us trace a process |
//! | `end_with_parent` | SIGTERM to us at our parent's death, as long as the calling thread lives |
//! | `Wake` | what ends the wait of a thread for descriptors |
//! | `open_stdin_again` | standard input's terminal with another description |
//! | `device_path` | a path of the terminal's device that is the same in every session |
//! | `is_alias` | whether a device is the other name of every session's terminal |
//! | `open_pty` | the two sides of a new terminal |

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
