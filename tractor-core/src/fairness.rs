//! Fairness among the tasks of one thread: whoever gets one immediate answer after the other has
//! to let others run now and then.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long one thread's waits may all be over at once before it lets others run.
const HOT_MAX: Duration = Duration::from_micros(200);

thread_local! {
    /// When this thread's latest unbroken series of immediate answers began.
    static HOT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether this thread has had nothing but immediate answers for so long that it must let its
/// other tasks run. Then it has let the other threads of its core run already.
pub(crate) fn must_yield() -> bool {
    let now = Instant::now();
    match HOT.get() {
        None => {
            HOT.set(Some(now));
            false
        }
        Some(begin) if now - begin > HOT_MAX => {
            HOT.set(None);
            // A kernel that lets who is busy finish its slice would keep the others of this core,
            // the runtime's own threads among them, waiting for milliseconds.
            thread::yield_now();
            true
        }
        Some(_) => false,
    }
}

/// Others run now, or ran a moment ago: something is waited for, or a task begins.
pub(crate) fn reset() {
    HOT.set(None);
}
