//! SIGINT, SIGTERM and SIGHUP in the root: they cancel the tree; again, with less time; again, they
//! kill, the root as well. SIGTSTP stops the tree and then the root, until it is continued.
//!
//! Actors never see the terminal's Ctrl-C: each is in a process group of its own and has no
//! terminal.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use tractor_core::io::{self as engine, Source, Watch};
use tractor_core::portal::CANCEL_WITHIN;
use tractor_core::process::{self, Signal, marks};
use tractor_core::{CancelReason, Cancellation, current_actor};

use crate::{debugger, nurseries, root, suspend};

/// How much time the tree has after the second signal.
const SECOND_WITHIN: Duration = Duration::from_millis(500);

/// The first signal that came, 0 before.
static FIRST: AtomicI32 = AtomicI32::new(0);
/// How many came.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Begins to listen to signals.
///
/// # Errors
///
/// Those of `sigaction(2)`. A handler for SIGINT that the program has set with the same library
/// already is an error too.
pub(crate) fn listen() -> io::Result<()> {
    ctrlc::set_handler(|| received(SIGINT)).map_err(io::Error::other)?;
    hear(SIGTERM, || received(SIGTERM))?;
    // Whoever has it ignored, as `nohup` does, means it.
    if !process::is_ignored(Signal::HangUp) {
        hear(SIGHUP, || received(SIGHUP))?;
    }
    if !process::is_ignored(Signal::TerminalStop) {
        hear(SIGTSTP, suspend::begin)?;
    }
    Ok(())
}

/// Has this called on a thread of the runtime for each of these signals.
fn hear(signal: i32, received: fn()) -> io::Result<()> {
    let (arrivals, writer) = UnixStream::pair()?;
    arrivals.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal, writer)?;
    engine::watch(Arc::new(Heard { arrivals, received })).map(drop)
}

/// Marks this process as an actor, also for when it is dead; see [`marks::SIGNAL`].
///
/// # Errors
///
/// Those of `sigaction(2)`.
pub(crate) fn mark() -> io::Result<()> {
    signal_hook::flag::register(marks::SIGNAL, Arc::new(AtomicBool::new(false))).map(drop)
}

/// The first signal that came, if one did.
pub(crate) fn first() -> Option<i32> {
    Some(FIRST.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// Ends this process as the signal would have, so that whoever started it sees why it ended.
pub(crate) fn raise_again(signal: i32) {
    if let Err(error) = signal_hook::low_level::emulate_default_handler(signal) {
        log::error!("end by signal {signal}: {error}");
    }
}

fn received(signal: i32) {
    if signal == SIGINT && debugger::interrupted() {
        return;
    }
    if signal != SIGINT {
        debugger::shut();
    }
    let _ = FIRST.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    let Ok(actor) = current_actor() else { return };
    let cancellation = Cancellation {
        by: Some(actor.aid().clone()),
        reason: CancelReason::Signal(signal),
    };
    match COUNT.fetch_add(1, Ordering::SeqCst) {
        0 => actor.cancel(cancellation, CANCEL_WITHIN),
        1 => actor.cancel(cancellation, SECOND_WITHIN),
        _ => {
            nurseries::kill_all(&cancellation);
            actor.cancel(cancellation, Duration::ZERO);
            root::end_by_force(first().unwrap_or(signal));
        }
    }
}

/// Where a signal arrives as a byte.
struct Heard {
    arrivals: UnixStream,
    received: fn(),
}

impl Source for Heard {
    fn fd(&self) -> BorrowedFd<'_> {
        self.arrivals.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        let mut bytes = [0; 16];
        match (&self.arrivals).read(&mut bytes) {
            Ok(0) => Watch::End,
            Ok(count) => {
                (0..count).for_each(|_| (self.received)());
                Watch::Keep
            }
            Err(_) => Watch::Keep,
        }
    }
}
