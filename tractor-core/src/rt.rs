//! The one file that names the executor of user tasks.
//!
//! async-std is no longer maintained (RUSTSEC-2025-0052); whoever replaces it rewrites this file
//! and nothing else.

use std::future::{Future, poll_fn};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// How many threads are to poll user tasks.
static THREADS: AtomicUsize = AtomicUsize::new(1);

/// Says how many threads are to poll user tasks, before the first one is needed. They are started
/// then: an actor that is never called has none.
pub(crate) fn set_threads(threads: usize) {
    THREADS.store(threads.max(1), Ordering::Relaxed);
}

/// Starts the executor, unless it runs.
fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let threads = THREADS.load(Ordering::Relaxed);
        let config = async_global_executor::GlobalExecutorConfig::default()
            .with_min_threads(threads)
            .with_max_threads(threads)
            .with_thread_name_fn(|| "tractor-task".to_owned());
        async_global_executor::init_with_config(config);
    });
}

/// Has the executor make what it keeps open for the life of the process, with the feature `tokio1`
/// tokio's as well, and starts none of its threads for tasks.
pub fn open_what_stays() {
    async_global_executor::block_on(std::future::ready(()));
}

/// Runs a future to its end on this thread, polling other tasks meanwhile.
pub fn block_on<F: Future>(future: F) -> F::Output {
    start();
    // Without optimization the executor moves it some twenty times on its way down the stack, of
    // which there may be little: on the thread of a test 2 MB.
    async_std::task::block_on(Box::pin(future))
}

/// Has a future polled by the executor's threads, detached.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    start();
    async_std::task::spawn(future);
}

/// Runs a function that may block, on a thread for such.
pub(crate) fn spawn_blocking(function: impl FnOnce() + Send + 'static) {
    start();
    async_std::task::spawn_blocking(function);
}

/// Runs `poll` once in the surroundings of a task of the executor, so that code which asks for
/// the current task finds one. Cheap only inside [`inline_surroundings`].
pub(crate) fn poll_as_task<T>(mut poll: impl FnMut() -> T) -> T {
    async_std::task::Builder::new().blocking(poll_fn(|_| Poll::Ready(poll())))
}

/// Runs `f` on a thread that will call [`poll_as_task`] often: the executor's own preparations
/// for blocking on a future are made once here and not at each call.
pub(crate) fn inline_surroundings<T>(mut f: impl FnMut() -> T) -> T {
    start();
    async_std::task::block_on(poll_fn(|_| Poll::Ready(f())))
}
