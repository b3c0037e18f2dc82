//! The signals that the runtime listens to.
//!
//! SIGINT and SIGTERM in the root cancel the tree; again, with less time; again, they kill, the
//! root as well. SIGUSR1 in any actor has it tell what it is doing ([`dump`]).
//!
//! Actors never see the terminal's Ctrl-C: each is in a process group of its own and has no
//! terminal.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use tractor_core::io::{self as engine, Source, Watch};
use tractor_core::portal::CANCEL_WITHIN;
use tractor_core::process::marks;
use tractor_core::{CancelReason, Cancellation, current_actor};

use crate::{debugger, dump, nurseries, root};

/// How much time the tree has after the second signal.
const SECOND_WITHIN: Duration = Duration::from_millis(500);

/// The first signal that came, 0 before.
static FIRST: AtomicI32 = AtomicI32::new(0);
/// How many came.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Begins to listen to the signals that end a tree, in the root.
///
/// # Errors
///
/// Those of `sigaction(2)`. A handler for SIGINT that the program has set with the same library
/// already is an error too.
pub(crate) fn listen_as_root() -> io::Result<()> {
    ctrlc::set_handler(|| received(SIGINT)).map_err(io::Error::other)?;
    on(SIGTERM, |count| (0..count).for_each(|_| received(SIGTERM)))
}

/// Begins to listen to the signals that every actor listens to.
///
/// # Errors
///
/// Those of `sigaction(2)`.
pub(crate) fn listen() -> io::Result<()> {
    // However many have come, one answer tells what there is to tell.
    on(SIGUSR1, |_count| dump::begin())
}

/// Has `received` called with how many have come, on a runtime thread, whenever some have.
fn on(signal: i32, received: fn(usize)) -> io::Result<()> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal, writer)?;
    engine::watch(Arc::new(Arrivals { reader, received })).map(drop)
}

/// Marks this process as an actor, also for when it is dead; see [`marks::SIGNAL`]. From here on
/// SIGUSR1, which can be answered only later, does not end it.
///
/// # Errors
///
/// Those of `sigaction(2)`.
pub(crate) fn mark() -> io::Result<()> {
    for signal in [marks::SIGNAL, SIGUSR1] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
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
    if signal == SIGTERM {
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

/// Where each signal of one kind arrives as a byte.
struct Arrivals {
    reader: UnixStream,
    received: fn(usize),
}

impl Source for Arrivals {
    fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        let mut bytes = [0; 16];
        match (&self.reader).read(&mut bytes) {
            Ok(0) => Watch::End,
            Ok(count) => {
                (self.received)(count);
                Watch::Keep
            }
            Err(_) => Watch::Keep,
        }
    }
}
