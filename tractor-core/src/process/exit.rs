//! [`at_exit`]: what a process does last, also if its program calls [`std::process::exit`].

use std::io;
use std::panic::catch_unwind;
use std::sync::OnceLock;

use crate::os;

static LAST: OnceLock<fn()> = OnceLock::new();

/// Has `last` called when the process exits by its own will, on the thread that exits. Signals end
/// it without. It can be set once; whoever comes later is ignored.
///
/// # Errors
///
/// That memory is short.
pub fn at_exit(last: fn()) -> io::Result<()> {
    match LAST.set(last) {
        Ok(()) => os::at_exit(call),
        Err(_) => Ok(()),
    }
}

extern "C" fn call() {
    if let Some(last) = LAST.get() {
        // The process is ending, so a panic has been told and means nothing more.
        let _ = catch_unwind(last);
    }
}
