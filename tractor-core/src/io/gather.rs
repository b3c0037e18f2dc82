//! Gathering: calls that one poll makes are sent together when the poll is over.
//!
//! With many calls in flight a system call for each would cost more than the calls themselves.
//! Where the runtime does the polling it sends what was gathered when the poll returns; elsewhere
//! a task at the end of the executor's queue does. The monitor is the backstop of both.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::link::Link;
use super::{engine, rest};
use crate::rt;

thread_local! {
    /// The links on which the current poll has gathered calls; `None` outside of [`during`].
    static GATHERED: RefCell<Option<Vec<Arc<Link>>>> = const { RefCell::new(None) };
}

/// Runs `poll`, sends what it gathered, and has the link watched that it let rest.
pub(crate) fn during<R>(poll: impl FnOnce() -> R) -> R {
    /// Also when a panic passes, and never twice.
    struct Send(Option<Vec<Arc<Link>>>);
    impl Drop for Send {
        fn drop(&mut self) {
            let outer = self.0.take();
            let gathered = GATHERED.with_borrow_mut(|current| std::mem::replace(current, outer));
            gathered
                .into_iter()
                .flatten()
                .for_each(|link| flush_planned(&link));
        }
    }
    let _send = Send(GATHERED.with_borrow_mut(|current| current.replace(Vec::new())));
    let _rest = rest::Poll::begin();
    poll()
}

/// Has `link` flushed soon.
pub(crate) fn flush_soon(link: &Arc<Link>) {
    if !link.plan_flush() {
        return;
    }
    engine().monitor.flush_planned();
    let gathered = GATHERED.with_borrow_mut(|current| match current {
        Some(gathered) => {
            gathered.push(link.clone());
            true
        }
        None => false,
    });
    if !gathered {
        let link = link.clone();
        rt::spawn(async move { flush_planned(&link) });
    }
}

/// Sends what was planned to be sent later.
pub(crate) fn flush_planned(link: &Link) {
    if link.unplan_flush() {
        engine().monitor.flush_made();
        link.flush();
    }
}

pin_project! {
    /// A future whose polls send together what they gather, for whoever polls futures of users.
    #[derive(Debug)]
    pub struct Gathering<F> {
        #[pin]
        future: F,
    }
}

impl<F> Gathering<F> {
    /// Wraps a future.
    pub fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Gathering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        during(|| future.poll(cx))
    }
}
