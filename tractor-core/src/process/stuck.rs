//! Starts that do not come to their end.
//!
//! The thread that starts a process waits in the kernel until the new one has become its program.
//! Somebody may stop the new one before that, by SIGSTOP, which nothing can block. Then the thread
//! would wait for ever, and nobody could end what has no name yet. So it is looked for after a
//! while, and killed: it would have been an actor that never answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::spawner::THREAD;
use super::{Process, Signal, census};
use crate::timer::{self, Timer};

/// A start takes about a millisecond. After this time it is looked at, and again.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// How many starts there were, twice; odd while one is under way.
static STARTS: AtomicU64 = AtomicU64::new(0);

/// A start that is watched until this is dropped.
pub(super) struct Watched(Option<Timer>);

/// Watches a start, if the runtime's threads are there to do it.
pub(super) fn watch() -> Watched {
    let number = STARTS.fetch_add(1, Ordering::SeqCst) + 1;
    Watched(crate::io::is_started().then(|| look_later(number)))
}

impl Drop for Watched {
    fn drop(&mut self) {
        STARTS.fetch_add(1, Ordering::SeqCst);
        drop(self.0.take());
    }
}

fn look_later(number: u64) -> Timer {
    timer::schedule(Instant::now() + LOOK_AFTER, move || {
        if STARTS.load(Ordering::SeqCst) == number {
            end_stopped();
            look_later(number).forget();
        }
    })
}

/// Ends our children that are stopped and have not become their program: they still have the name
/// of the thread that starts them.
fn end_stopped() {
    let us = std::process::id();
    for child in census::stopped_children(us) {
        if child.name != THREAD {
            continue;
        }
        log::warn!(
            "process {} was stopped before it became its program",
            child.pid
        );
        let killed = Process::open(child.pid).and_then(|process| process.signal(Signal::Kill));
        if let Err(error) = killed {
            log::error!("process {} cannot be killed: {error}", child.pid);
        }
    }
}
