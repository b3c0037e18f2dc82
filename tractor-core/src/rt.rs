//! The one file that names the executor of user tasks.
//!
//! async-std is no longer maintained (RUSTSEC-2025-0052); whoever replaces it rewrites this file
//! and nothing else.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Threads that poll user tasks, 0 until it is known.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Fixes how many threads poll user tasks. The first call counts: the pool is started once in a
/// process.
pub(crate) fn start(threads: usize) {
    let threads = threads.max(1);
    if THREADS
        .compare_exchange(0, threads, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
    {
        let config = async_global_executor::GlobalExecutorConfig::default()
            .with_min_threads(threads)
            .with_max_threads(threads)
            .with_thread_name_fn(|| "tractor-task".to_owned());
        async_global_executor::init_with_config(config);
    }
}

/// Runs a future to its end on this thread, polling other tasks meanwhile.
pub fn block_on<F: Future>(future: F) -> F::Output {
    async_std::task::block_on(future)
}

/// Has a future polled by the executor's threads, detached.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    async_std::task::spawn(future);
}

/// Runs a function that may block, on a thread for such.
pub(crate) fn spawn_blocking(function: impl FnOnce() + Send + 'static) {
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
    async_std::task::block_on(poll_fn(|_| Poll::Ready(f())))
}
