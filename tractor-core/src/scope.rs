//! [`CancelScope`]: a stretch of async work that can be cancelled as a whole, has a deadline, or
//! is shielded from what surrounds it.
//!
//! Dropping is cancelling: a scope that is cancelled drops the future that runs in it. What is
//! being polled inside what is found through a thread-local that is set only during polls, so
//! scopes follow their future from thread to thread and a task that is spawned elsewhere is
//! outside of them. The tree of scopes is data (`scope/tree.rs`); this file and `scope/run.rs`
//! join it with the clock and the executor.
//!
//! Three words describe what dropping a future does, here and in all of tractor: it is
//! *cancel-safe* if nothing is lost, it *cancel-relays* if the peer that works for it is asked to
//! cancel, and it is *shielded* if only the caller is detached while the work runs on in its
//! scope, which waits for it.

// Why, and by whom.
mod reason;

// The tree of scopes, without clock and executor.
mod tree;

// The futures.
mod run;

// A shield without one.
mod held;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tractor_ipc::ActorId;

#[doc(hidden)]
pub use held::HeldShield;
pub use reason::{CancelReason, Cancellation, Cancelled};
pub use run::checkpoint;

use crate::timer::{self, Timer};
use run::{Run, WaitCancelled};
use tree::{Effects, Waiter};

/// A handle on a scope: [`run`](Self::run) puts futures in, [`cancel`](Self::cancel) ends them.
///
/// Clones are handles on the same scope. It may run several futures, one after another or side
/// by side; they are cancelled together, and once it is cancelled it stays so. A scope attaches
/// to the one around it when its `run` is first polled there: from then on it is cancelled with
/// that one, and bound by its deadline, unless it is a shield.
///
/// # Examples
///
/// ```
/// use futures::executor::block_on;
/// use futures::future::pending;
/// use tractor_core::scope::{CancelReason, CancelScope}; // `tractor::{..}`
///
/// let scope = CancelScope::new();
/// assert_eq!(block_on(scope.run(async { 7 })), Ok(7));
///
/// let handle = scope.clone();
/// std::thread::spawn(move || handle.cancel());
/// let error = block_on(scope.run(pending::<()>())).unwrap_err();
/// assert_eq!(error.reason(), CancelReason::ScopeCancelled);
/// ```
#[derive(Clone)]
pub struct CancelScope {
    node: Arc<Node>,
}

impl CancelScope {
    /// A scope without a deadline, open to cancels from around it.
    pub fn new() -> Self {
        Self {
            node: Arc::new(Node::new()),
        }
    }

    /// Has the scope cancel itself at `at`. The default is never.
    #[must_use]
    pub fn deadline_at(self, at: Instant) -> Self {
        self.set_deadline(Some(at));
        self
    }

    /// Has the scope cancel itself when `after` has passed since this call. A time beyond what
    /// the clock can tell is never.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.set_deadline(Instant::now().checked_add(after));
        self
    }

    /// Whether the scope is a shield: cancels and deadlines of the scopes around it do not pass
    /// it, and those scopes wait for it. It still obeys its own. The default is no. Say so before
    /// the scope runs.
    #[must_use]
    pub fn shield(self, shield: bool) -> Self {
        self.node.set_shield(shield);
        self
    }

    /// Runs `future` inside this scope.
    ///
    /// When the scope is cancelled, `future` is dropped, wherever it waits, at the next poll,
    /// for which the task is woken at once. Only while a shielded scope is being run inside this
    /// one, at any depth and in any of its futures, this is put off until that shield is over.
    /// A future that is ready in the very poll that saw the cancel has won: its value is
    /// returned. In a scope that is cancelled, or past its deadline, already, `future` is not
    /// polled at all.
    ///
    /// Of several nested scopes that are cancelled the outermost answers: what lies between them
    /// is dropped too, rather than told the error of the inner one.
    ///
    /// A destructor that panics while the cancelled future is dropped is logged and ends there.
    ///
    /// # Cancellation
    ///
    /// Drops `future` with it, and leaves the scope as it is.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if `future` was dropped, with the first reason that reached this scope.
    ///
    /// # Panics
    ///
    /// If it is polled after it was ready; and what `future` itself panics with is passed on.
    pub fn run<F: Future>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Cancelled>> + use<F> {
        Run::new(self.clone(), future)
    }

    /// Cancels the scope, as the program's own wish.
    pub fn cancel(&self) {
        self.cancel_with(CancelReason::ScopeCancelled, None);
    }

    /// Cancels the scope for `reason`, on behalf of `by`. Every scope inside it is cancelled with
    /// the same, except through a shield. The first reason that reaches a scope stays.
    pub fn cancel_with(&self, reason: CancelReason, by: Option<ActorId>) {
        perform(self.node.cancel(&Cancellation { by, reason }));
    }

    /// Whether the scope is cancelled, or its deadline has passed. Nothing waits, so a plain
    /// function may ask it in its loop.
    pub fn is_cancelled(&self) -> bool {
        self.node.cancelled().is_some() || {
            self.arm();
            self.node.cancelled().is_some()
        }
    }

    /// Who cancelled the scope and why, `None` if it is not cancelled.
    pub fn cancelled_by(&self) -> Option<Cancellation> {
        self.is_cancelled();
        self.node.cancelled().cloned()
    }

    /// Waits until the scope is cancelled, and tells who did it and why.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    pub fn cancelled(&self) -> impl Future<Output = Cancellation> + use<> {
        WaitCancelled::new(self.clone())
    }

    /// When the scope will be cancelled by the clock: its own deadline or, unless it is a shield,
    /// that of a scope around it, whichever is earlier.
    pub fn deadline(&self) -> Option<Instant> {
        self.node.effective_deadline().map(timer::with_stops)
    }

    /// Moves the scope's own deadline, or takes it away. It does not undo a cancel.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        let at = deadline.map(timer::without_stops);
        drop(self.node.set_deadline(at));
        if deadline.is_some() && self.node.is_watched() {
            self.arm();
        }
    }

    /// Follows the [`current`] scope, from behind a shield: takes over its deadline, and has `f` told
    /// of its cancel, as [`on_cancel`](Self::on_cancel) does. `None` outside of every scope.
    #[doc(hidden)]
    pub fn follow_current(
        &self,
        f: impl FnOnce(Cancellation) + Send + 'static,
    ) -> Option<Registration> {
        let outer = current()?;
        let bound = outer.bound();
        self.set_deadline(bound.as_ref().map(|bound| bound.at));
        self.node.set_lender(bound.map(|bound| bound.of));
        let asked = outer.clone();
        Some(outer.on_cancel(move || {
            f(asked.cancelled_by().unwrap_or(Cancellation {
                by: None,
                reason: CancelReason::ScopeCancelled,
            }));
        }))
    }

    /// The deadline that binds what runs in it.
    fn bound(&self) -> Option<Bound> {
        let (at, of) = self.node.binding()?;
        let at = timer::with_stops(at);
        Some(Bound { at, of })
    }

    /// Polls for a task whose own scope this is: `f` sees it as the current one. Such a scope
    /// never attaches to another.
    ///
    /// Unlike [`run`](Self::run) it drops nothing. After each poll the caller asks
    /// [`is_cancelled`](Self::is_cancelled) and [`has_active_shield`](Self::has_active_shield),
    /// and drops the task if it is cancelled without a shield. Its deadline has no alarm before
    /// something depends on it, such as [`on_cancel`](Self::on_cancel).
    #[doc(hidden)]
    pub fn enter_poll<R>(&self, f: impl FnOnce() -> R) -> R {
        self.node.set_task();
        self.enter(f)
    }

    /// Whether a shielded scope is being run inside this one, at any depth. It ends in a poll of the
    /// task, or with its drop; a [`HeldShield`] elsewhere too, and then the task is polled again.
    #[doc(hidden)]
    pub fn has_active_shield(&self) -> bool {
        self.node.has_active_shield()
    }

    /// Has `f` called once when the scope is cancelled, on the thread that cancels it and with no
    /// lock held, or now if it is cancelled already. Dropping the registration before then
    /// prevents it, but does not wait for a call that has begun.
    ///
    /// A deadline is told on the runtime's I/O thread, so `f` must be short and run no user code.
    #[doc(hidden)]
    pub fn on_cancel(&self, f: impl FnOnce() + Send + 'static) -> Registration {
        let key = match self.node.call_on_cancel(Box::new(f)) {
            Ok(key) => {
                self.arm();
                Some(key)
            }
            Err(f) => {
                tell(Waiter::Callback(f));
                None
            }
        };
        Registration {
            scope: self.clone(),
            key,
        }
    }

    /// Has `f` see this scope as the current one.
    fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self.clone());
        f()
    }

    /// Sets the alarm for a deadline that has none. It is done as late as possible: when
    /// something begins to depend on it.
    fn arm(&self) {
        let Some(at) = self.node.claim_unarmed() else {
            return;
        };
        let moment = timer::with_stops(at);
        if moment <= Instant::now() {
            self.cancel_with(CancelReason::Deadline, None);
            return;
        }
        let node = Arc::downgrade(&self.node);
        let timer = timer::schedule(moment, move || {
            if let Some(node) = node.upgrade().filter(|node| node.is_due(at)) {
                Self { node }.cancel_with(CancelReason::Deadline, None);
            }
        });
        drop(self.node.keep_alarm(at, timer));
    }

    /// Cancels the scope if its deadline, still without an alarm, has passed.
    fn expire(&self) {
        let has_passed = |at| timer::with_stops(at) <= Instant::now();
        if self.node.unarmed().is_some_and(has_passed) {
            self.cancel_with(CancelReason::Deadline, None);
        }
    }
}

impl Default for CancelScope {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope")
            .field("cancelled", &self.node.cancelled())
            .field("deadline", &self.deadline())
            .field("shield", &self.node.is_shielded())
            .finish()
    }
}

/// The innermost scope that is being polled on this thread, `None` outside of all.
pub fn current() -> Option<CancelScope> {
    // The slot is gone while the thread ends, when destructors may still ask.
    let current = CURRENT.try_with(|slot| {
        let scope = slot.take();
        slot.set(scope.clone());
        scope
    });
    current.ok().flatten()
}

/// A deadline, and whose it is.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) at: Instant,
    of: tree::Of<Timer>,
}

impl Bound {
    /// Whoever was given this deadline tells that it has passed. Tells whether it is the one that
    /// this task was given in its turn.
    pub(crate) fn overrun(&self) -> bool {
        match &self.of {
            tree::Of::Task => true,
            tree::Of::Scope(node) => {
                if let Some(node) = node.upgrade() {
                    node.set_overrun();
                }
                false
            }
        }
    }
}

/// The deadline that binds what is polled on this thread.
pub(crate) fn bound() -> Option<Bound> {
    current()?.bound()
}

/// The [deadline](CancelScope::deadline) of the innermost scope that is being polled on this
/// thread; `None` if it has none, and outside of all scopes.
pub fn current_deadline() -> Option<Instant> {
    current()?.deadline()
}

/// Runs `future` in a scope that is cancelled when `after` has passed since this call.
///
/// The deadline travels with the requests that are made inside: functions that are called, contexts
/// and streams that are opened and one-shots that are started there are cancelled at it in their
/// actors, too. That is so also if `future` is over before: a stream that is opened inside and read
/// outside ends with an error at the deadline. Open it outside, or read it inside.
///
/// # Cancellation
///
/// Drops `future` with it.
///
/// # Errors
///
/// [`Cancelled`], for [`CancelReason::Deadline`] unless something inside or around cancelled it
/// for another reason first.
///
/// A call of another actor is told a sixteenth of the time less (1 to 50 ms), and says itself that
/// it was too late, and where: then `future` ends with that error, of which
/// [`Error::is_cancelled`](crate::Error::is_cancelled) tells. [`move_on_after`] gives `None` in
/// either case.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use futures::executor::block_on;
/// use tractor_core::scope; // `tractor::timeout`
///
/// let quick = scope::timeout(Duration::from_secs(9), async { 7 });
/// assert_eq!(block_on(quick), Ok(7));
/// ```
pub fn timeout<F: Future>(
    after: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Cancelled>> + use<F> {
    CancelScope::new().timeout(after).run(future)
}

/// Runs `future` until `after` has passed since this call, and goes on without its value then.
///
/// An actor that was given this deadline with a call is told a little less, and tells itself that it
/// was too late. Then there is no value either, whatever `future` made of that error.
///
/// As with [`timeout`], what is opened or started inside in other actors is cancelled at that
/// deadline, also if `future` is over before: open a stream outside, or read it inside.
///
/// # Cancellation
///
/// Drops `future` with it.
pub fn move_on_after<F: Future>(
    after: Duration,
    future: F,
) -> impl Future<Output = Option<F::Output>> + use<F> {
    let scope = CancelScope::new().timeout(after);
    scope
        .run(future)
        .map(move |value| value.ok().filter(|_| !scope.node.is_overrun()))
}

/// Runs `future` in a scope that is a shield: cancels and deadlines of the scopes around it wait
/// until it is over.
///
/// # Cancellation
///
/// Drops `future` with it: what a shield cannot resist is that its own future is dropped, by a
/// `select!` for example.
///
/// # Errors
///
/// [`Cancelled`] if `future` itself cancelled the scope that it runs in, which is the shield.
///
/// # Examples
///
/// ```
/// use futures::executor::block_on;
/// use tractor_core::scope::{self, CancelScope}; // `tractor::shield` and so on
///
/// let outer = CancelScope::new();
/// let mut flushed = false;
/// let ended = block_on(outer.run(async {
///     let cleanup = async {
///         outer.cancel();
///         scope::checkpoint().await.expect("this scope is not cancelled");
///         flushed = true;
///     };
///     scope::shield(cleanup).await.expect("nobody else can cancel it");
///     scope::checkpoint().await
/// }));
/// assert!(flushed);
/// assert!(ended.is_ok_and(|checked| checked.is_err()));
/// ```
pub fn shield<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Cancelled>> + use<F> {
    CancelScope::new().shield(true).run(future)
}

/// A callback that is to be called at a cancel. Dropping it takes the callback back.
#[doc(hidden)]
#[must_use = "dropping it takes the callback back"]
#[derive(Debug)]
pub struct Registration {
    scope: CancelScope,
    key: Option<usize>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.scope.node.unregister(key);
        }
    }
}

type Node = tree::Node<Timer>;

thread_local! {
    static CURRENT: Cell<Option<CancelScope>> = const { Cell::new(None) };
}

/// Puts back, on drop, what was the current scope before.
struct Entered {
    before: Option<CancelScope>,
}

impl Entered {
    fn new(scope: CancelScope) -> Self {
        let before = CURRENT.try_with(|slot| slot.replace(Some(scope)));
        Self {
            before: before.ok().flatten(),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // An error means that the thread ends, and nobody asks any more.
        let inner = CURRENT.try_with(|slot| slot.replace(before));
        drop(inner);
    }
}

/// Does what a change of the tree asks for. The caller holds no lock.
fn perform(effects: Effects<Timer>) {
    effects.waiters.into_iter().for_each(tell);
    drop(effects.alarms);
}

/// Tells a waiter. One that panics must not keep the others from being told.
fn tell(waiter: Waiter) {
    caught("what waits for a cancel", || match waiter {
        Waiter::Task(waker) => waker.wake(),
        Waiter::Callback(callback) => callback(),
    });
}

/// Runs what must not unwind into its caller. A panic is logged.
pub(crate) fn caught(what: &str, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        let message = (panic.downcast_ref::<&str>().copied())
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        log::error!("{what} panicked: {message}");
    }
}
