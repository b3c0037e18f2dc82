//! Fairness among the tasks of one thread: whoever gets one immediate answer after the other has
//! to let others run now and then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::io::role::is_leader;

/// How long one thread's waits may all be over at once before it lets others run.
const HOT_MAX: Duration = Duration::from_micros(200);

thread_local! {
    /// When this thread's latest unbroken series of immediate answers began.
    static HOT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether this thread has had nothing but immediate answers for so long that it must let its
/// other tasks run.
pub(crate) fn must_yield() -> bool {
    if is_leader() {
        return false;
    }
    let now = Instant::now();
    match HOT.get() {
        None => {
            HOT.set(Some(now));
            false
        }
        Some(begin) if now - begin > HOT_MAX => {
            HOT.set(None);
            true
        }
        Some(_) => false,
    }
}

/// Something is waited for: others run.
pub(crate) fn waits() {
    HOT.set(None);
}
