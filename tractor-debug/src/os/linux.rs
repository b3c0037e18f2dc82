//! Linux.

// What runs inside a fatal signal; the crate's only `unsafe`.
#[expect(unsafe_code, reason = "signal handlers, and a signal to one thread")]
mod handler;

// Why a debugger may not attach.
mod refusal;

// Who may attach, and what is known by number.
mod tracing;

// Terminals, and the wait for them.
mod terminal;

pub(crate) use handler::{install_handler, is_sent, panic_was_seen, release};
pub(crate) use terminal::{
    Wake, device_path, end_with_parent, is_alias, open_pty, open_stdin_again,
};
pub(crate) use tracing::{
    allow_tracing, certain_refusal, fd_path, is_closed, refusal, this_thread,
};
