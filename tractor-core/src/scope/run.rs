//! The futures of a scope: [`Run`], which drops another future when its scope is cancelled,
//! [`WaitCancelled`] and [`checkpoint`].

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::{CancelScope, Cancellation, Cancelled, caught, current, perform};

/// Lets others run once, and tells whether the scope that it is awaited in, the innermost one, is
/// cancelled. It yields exactly once unless the scope is cancelled already; a long computation that
/// calls it every few milliseconds can be cancelled there.
///
/// Outside of every scope it only yields.
///
/// # Cancellation
///
/// Cancel-safe.
///
/// # Errors
///
/// [`Cancelled`] if the scope is cancelled. Mostly the scope drops its future right here instead;
/// the error is seen when it was cancelled during this very poll, and it saves the detour.
pub async fn checkpoint() -> Result<(), Cancelled> {
    check()?;
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    check()
}

fn check() -> Result<(), Cancelled> {
    match current().and_then(|scope| scope.cancelled_by()) {
        Some(cancellation) => Err(cancellation.into()),
        None => Ok(()),
    }
}

pin_project! {
    /// A future inside a scope. The field order matters: the inner future is destroyed while it
    /// still counts as running, so that a scope around it does not believe a shield to be over.
    pub(super) struct Run<F> {
        // None once it is over.
        #[pin]
        inner: Option<F>,
        member: Member,
        // Why the inner future was dropped, until that has been told.
        cancelled: Option<Cancellation>,
    }
}

impl<F: Future> Run<F> {
    pub(super) fn new(scope: CancelScope, inner: F) -> Self {
        Self {
            inner: Some(inner),
            member: Member {
                scope,
                running: false,
                waiter: None,
            },
            cancelled: None,
        }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(cancellation) = this.cancelled.take() {
            return Poll::Ready(Err(cancellation.into()));
        }
        assert!(
            this.inner.is_some(),
            "`CancelScope::run` is polled after it was ready"
        );
        let ended = ready!(this.member.poll_inside(this.inner.as_mut(), cx));
        let scope = &this.member.scope;
        match ended {
            Ok(value) => {
                this.inner.set(None);
                this.member.end();
                Poll::Ready(Ok(value))
            }
            Err(cancellation) => {
                caught("a destructor of a cancelled future", || {
                    scope.enter(|| this.inner.set(None));
                });
                let relayed = this.member.is_for_the_enclosing();
                this.member.end();
                if !relayed {
                    return Poll::Ready(Err(cancellation.into()));
                }
                // If the enclosing one cannot act, because of a shield elsewhere in it or because
                // a `block_on` lies between, the error is told at the next poll.
                *this.cancelled = Some(cancellation);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// The part that a future plays in its scope, from its first poll until it is over.
struct Member {
    scope: CancelScope,
    running: bool,
    waiter: Option<usize>,
}

impl Member {
    /// Polls `inner` inside the scope, unless or until it has to be dropped.
    fn poll_inside<F: Future>(
        &mut self,
        inner: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Cancellation>> {
        self.begin();
        if let Some(cancellation) = self.cancelled_for_good() {
            return Poll::Ready(Err(cancellation));
        }
        let poll = || inner.as_pin_mut().map(|inner| inner.poll(cx));
        if let Some(Poll::Ready(value)) = self.scope.enter(poll) {
            return Poll::Ready(Ok(value));
        }
        self.wait(cx.waker());
        match self.cancelled_for_good() {
            Some(cancellation) => Poll::Ready(Err(cancellation)),
            None => Poll::Pending,
        }
    }

    /// A poll begins.
    fn begin(&mut self) {
        if !self.running {
            self.running = true;
            self.scope.node.begin_run();
            self.scope.expire();
        }
        if let Some(enclosing) = current() {
            // What is inside relies on it that deadlines around it are told.
            enclosing.arm();
            perform(self.scope.node.enclose(&enclosing.node));
        }
    }

    /// Why the future has to be dropped now, if it has.
    fn cancelled_for_good(&self) -> Option<Cancellation> {
        let cancellation = self.scope.node.cancelled()?;
        (!self.scope.node.has_active_shield()).then(|| cancellation.clone())
    }

    /// Whether the scope that polls this one is cancelled as well. Then the outermost has to
    /// answer for it, and what lies between is dropped instead of being told.
    fn is_for_the_enclosing(&self) -> bool {
        let is_cancelled = |scope: CancelScope| scope.node.cancelled().is_some();
        !self.scope.node.is_shielded() && current().is_some_and(is_cancelled)
    }

    fn wait(&mut self, waker: &Waker) {
        self.scope.node.wake_on_cancel(&mut self.waiter, waker);
        self.scope.arm();
    }

    /// It is over.
    fn end(&mut self) {
        if let Some(key) = self.waiter.take() {
            self.scope.node.unregister(key);
        }
        if std::mem::take(&mut self.running) {
            perform(self.scope.node.end_run());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for the cancel of a scope.
pub(super) struct WaitCancelled {
    scope: CancelScope,
    waiter: Option<usize>,
}

impl WaitCancelled {
    pub(super) fn new(scope: CancelScope) -> Self {
        Self {
            scope,
            waiter: None,
        }
    }

    fn poll_cancelled(&self) -> Poll<Cancellation> {
        match self.scope.cancelled_by() {
            Some(cancellation) => Poll::Ready(cancellation),
            None => Poll::Pending,
        }
    }
}

impl Future for WaitCancelled {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        if let Poll::Ready(cancellation) = self.poll_cancelled() {
            return Poll::Ready(cancellation);
        }
        let this = &mut *self;
        this.scope.node.wake_on_cancel(&mut this.waiter, cx.waker());
        // It may have been cancelled since the first look, and then nobody wakes this task.
        let cancellation = ready!(this.poll_cancelled());
        Poll::Ready(cancellation)
    }
}

impl Drop for WaitCancelled {
    fn drop(&mut self) {
        if let Some(key) = self.waiter.take() {
            self.scope.node.unregister(key);
        }
    }
}
