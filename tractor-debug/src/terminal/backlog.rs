//! [`Backlog`]: how much waits of the lines that the runtime and the program log.
//!
//! They do not go the way of what is printed, because there whoever writes waits for the terminal,
//! perhaps for hours: a thread of the runtime must not, least of all the one that owns it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes of lines wait to be shown.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Mutex<usize>,
    less: Condvar,
    lost: AtomicU64,
}

impl Backlog {
    /// A line is to be shown. Tells whether there is room for it; it is lost otherwise.
    pub(super) fn add(&self, bytes: usize) -> bool {
        let mut waiting = self.bytes();
        let has_room = *waiting + bytes <= BYTES_MAX;
        if has_room {
            *waiting += bytes;
        } else {
            self.lost.fetch_add(1, Ordering::SeqCst);
        }
        has_room
    }

    /// Whether lines were lost, and that is not told yet.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst) > 0
    }

    /// How many lines were lost since this was asked the last time.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::SeqCst)
    }

    /// A line is shown.
    pub(super) fn take(&self, bytes: usize) {
        let mut waiting = self.bytes();
        *waiting -= bytes;
        if *waiting <= BYTES_SLOWED {
            self.less.notify_all();
        }
    }

    /// Lets whoever logs faster than the terminal shows it wait a little, unless it is a thread of
    /// the runtime.
    pub(super) fn pace(&self) {
        let waiting = self.bytes();
        if *waiting <= BYTES_SLOWED {
            return;
        }
        let thread = thread::current();
        if thread
            .name()
            .is_some_and(|name| name.starts_with("tractor-"))
        {
            return;
        }
        // However it ends, the line is there.
        let _ = self
            .less
            .wait_timeout_while(waiting, SLOWED_FOR, |waiting| *waiting > BYTES_SLOWED);
    }

    fn bytes(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What may wait while the user has stopped the output; more is lost, and that is told.
const BYTES_MAX: usize = 8 << 20;

/// From here on whoever logs is slowed down.
const BYTES_SLOWED: usize = 256 << 10;

/// How long a line may take whoever logs it. A thread of the program may be doing the runtime's
/// work, so it is not long.
const SLOWED_FOR: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_lost_and_nobody_waits_long() {
        let backlog = Backlog::default();
        assert!(backlog.add(BYTES_MAX));
        assert!(!backlog.add(1));
        assert_eq!(backlog.take_lost(), 1);
        assert!(!backlog.has_lost());
        backlog.pace();
        backlog.take(BYTES_MAX);
        assert!(backlog.add(1));
    }
}
