//! [`open_nursery`] and [`Nursery`]: a scope that owns actor processes and does not return before
//! every one of them is reaped.

// Its end.
mod leaving;
// What it tells of itself.
mod statistics;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tractor_core::io::link::Link;
use tractor_core::scope::{self, Registration};
use tractor_core::{
    Call, CancelReason, CancelScope, Cancellation, Ending, Error, Failure, Refusal, current_actor,
};
use tractor_ipc::ActorId;

pub use self::statistics::{ChildStatistics, NurseryStatistics};

use self::leaving::HandOver;
use crate::child::Child;
use crate::nurseries;
use crate::one_shot::RunInActor;
use crate::start::{ChildOptions, StartActor};

/// A scope that owns actor processes.
///
/// Made by [`open_nursery`] and lent to its block. Cloning counts a reference; a clone that
/// outlives the block starts nothing any more.
#[derive(Clone)]
pub struct Nursery {
    pub(crate) inner: Arc<Inner>,
}

/// What a nursery does with daemons that still run when its block has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExit {
    /// Waits until somebody cancels them, and says so in the log after
    /// [`DAEMON_NOTICE_AFTER`](crate::options::DAEMON_NOTICE_AFTER) (5 s).
    #[default]
    WaitForDaemons,
    /// Cancels them.
    CancelDaemons,
}

/// Runs `body` with a nursery, and returns when every child that it started is reaped.
///
/// When the block has ended the nursery waits for its one-shots, then for its daemons. If a child
/// fails, or the block returns an error, the other children are cancelled; a failing child cancels
/// the block as well, which is dropped where it waits. One failure is returned as it is, several
/// as a group; a failure that the block passes on counts once. The cancelling of children is not a
/// failure.
///
/// A daemon that nobody cancels keeps it from returning, for ever: cancel each
/// ([`Portal::cancel_actor`](tractor_core::Portal::cancel_actor)), the nursery
/// ([`Nursery::cancel`]), or open it with [`open_nursery_with`] and [`OnExit::CancelDaemons`]. It
/// says in the log after 5 s for whom it waits.
///
/// # The death of a child
///
/// A daemon fails when its process ends unasked, a one-shot also when its function fails. Then the
/// block is cancelled before anybody is told of the calls that were lost, so the `Err` that
/// [`Portal::run`](tractor_core::Portal::run) gives for a dead worker does not reach code in the
/// block. To go on without a worker, give each one a nursery of its own inside and handle what that
/// returns, as the second example does, or use [`open_worker_pool`](crate::open_worker_pool), which
/// replaces workers that die.
///
/// What a function in a daemon returns as its error, and its panic, is told to the caller alone: no
/// process ends of it.
///
/// # The type of the block's error
///
/// It is any type that an [`Error`] converts into. Where nothing says which, as when the `?` in a
/// block meet errors of several types, end the block with `tractor::Ok(())` or `anyhow::Ok(())`.
/// [`Error::other`] makes an [`Error`] of any other.
///
/// # Cancellation
///
/// Inside a [`CancelScope`] it is shielded: a cancel of the scope drops the block and cancels the
/// children, and the scope waits until they are reaped, which the ladder bounds. Dropping the
/// future itself, as a foreign time-out does, cancels the children too; then
/// [`run`](crate::run) or the actor's own end waits for them.
///
/// # Errors
///
/// What the block returns; the children's failures; [`Ending::Cancelled`] if a scope around it, or
/// the actor, was cancelled while the block or a child was at work, also where the block had
/// returned a value: it is not given for work that was cut off. [`Ending::Refused`] outside of an
/// actor.
///
/// # Examples
///
/// A daemon, which serves calls until it is cancelled, and a one-shot, which runs one:
///
/// ```
/// # use tractor_core as tractor;
/// # use tractor_macros::rpc;
/// use tractor_nursery::{Options, open_nursery, run}; // `tractor::{..}`
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         let sum = open_nursery(async |nursery| {
///             let worker = nursery.start_actor("worker").await?;
///             let once = nursery.run_in_actor("once", square(3)).await?;
///             let sum = worker.run(square(2)).await? + once.result().await?;
///             worker.cancel_actor().await?;
///             Ok::<_, tractor::Error>(sum) // `tractor::Ok(sum)`
///         })
///         .await?; // both processes are reaped
///         assert_eq!(sum, 4 + 9);
///         Ok(())
///     })
/// }
/// ```
///
/// A worker that may die, in a nursery of its own:
///
/// ```
/// # use tractor_core as tractor;
/// # use tractor_macros::rpc;
/// use futures::future::join_all;
/// use tractor_nursery::{OnExit, Options, open_nursery_with, run}; // `tractor::{..}`
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn reciprocal(n: i32) -> i32 {
///     if n == 0 {
///         std::process::exit(3); // or something kills the process
///     }
///     60 / n
/// }
///
/// async fn apart(n: i32) -> Result<i32, tractor::Error> {
///     open_nursery_with(OnExit::CancelDaemons, async |nursery| {
///         let worker = nursery.start_actor("worker").await?;
///         worker.run(reciprocal(n)).await // nobody hears of it here that the worker died
///     })
///     .await
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         let results = join_all([5, 0, 2].map(apart)).await;
///         let died = results[1].as_ref().expect_err("one of them has died");
///         assert_eq!(died.exit_code(), Some(3));
///         let lived: Vec<i32> = results.into_iter().flatten().collect();
///         assert_eq!(lived, [12, 30]);
///         Ok(())
///     })
/// }
/// ```
pub async fn open_nursery<T, E, F>(body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&Nursery) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    open_nursery_with(OnExit::default(), body).await
}

/// As [`open_nursery`], with what happens to daemons at the end of the block.
///
/// # Cancellation
///
/// As [`open_nursery`].
///
/// # Errors
///
/// As [`open_nursery`].
pub async fn open_nursery_with<T, E, F>(on_exit: OnExit, body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&Nursery) -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let nursery = Nursery::open()?;
    let inner = nursery.inner.clone();
    let guard = HandOver(inner.clone());
    let _outer = inner.follow_outer_scope();
    let whole = CancelScope::new().shield(true);
    let result = whole
        .run(async {
            let block = inner.block.run(body(&nursery)).await;
            inner.leave(matches!(block, Ok(Ok(_))), on_exit).await;
            block
        })
        .await;
    drop(guard);
    match result {
        Ok(block) => inner.verdict(block),
        Err(cancelled) => {
            let Cancellation { by, reason } = cancelled.into_cancellation();
            Err(E::from(Error::new(
                inner.owner.clone(),
                Ending::Cancelled { by, reason },
            )))
        }
    }
}

impl Nursery {
    fn open() -> Result<Self, Error> {
        let actor = current_actor()?;
        let owner = actor.aid().clone();
        let inner = Arc::new(Inner {
            number: nurseries::next_number(),
            owner,
            block: CancelScope::new(),
            opened: Instant::now(),
            children: AtomicU64::new(0),
            state: Mutex::default(),
        });
        nurseries::add(&inner);
        // Entered first: the actor's cancel meets it there, or has happened by now.
        if actor.cancel_remaining().is_some() && scope::current().is_none() {
            nurseries::remove(inner.number);
            return Err(inner.refused(Refusal::Closing));
        }
        Ok(Self { inner })
    }

    /// Starts an actor that lives until it is cancelled. Options can be given before the await,
    /// which gives the actor's [`Portal`](tractor_core::Portal) when it serves calls.
    ///
    /// A name has 1 to 128 bytes, none of which is a control character; several actors may have the
    /// same. `ps` shows its first 15 bytes.
    ///
    /// # Errors
    ///
    /// When it is awaited, as [`StartActor`] says.
    pub fn start_actor(&self, name: impl Into<String>) -> StartActor {
        StartActor::new(self.clone(), ChildOptions::new(name.into()))
    }

    /// Starts an actor that runs one function. Options can be given before the await, which gives
    /// a handle on the result when the function is started.
    ///
    /// A failure of the function cancels the nursery, whether or not the result is asked for.
    pub fn run_in_actor<T, E: Failure>(
        &self,
        name: impl Into<String>,
        call: Call<T, E>,
    ) -> RunInActor<T, E> {
        RunInActor::new(self.clone(), ChildOptions::new(name.into()), call)
    }

    /// Cancels all children; the block goes on, and no more children can be started. Returns at
    /// once; leaving the nursery waits for their end.
    pub fn cancel(&self) {
        let by = Some(self.inner.owner.clone());
        self.inner.cancel(
            &Cancellation {
                by,
                reason: CancelReason::Asked,
            },
            Duration::MAX,
        );
    }

    /// Whether its children were cancelled, by whoever.
    pub fn is_cancelled(&self) -> bool {
        self.inner.lock().cancelled.is_some()
    }

    /// The children that are not reaped, in the order in which they were started.
    pub fn statistics(&self) -> NurseryStatistics {
        self.inner.statistics()
    }
}

impl fmt::Debug for Nursery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nursery")
            .field("number", &self.inner.number)
            .finish_non_exhaustive()
    }
}

/// What the clones of a nursery and its children share.
pub(crate) struct Inner {
    pub(crate) number: u64,
    pub(crate) owner: ActorId,
    /// Around the block.
    block: CancelScope,
    opened: Instant,
    /// How many were ever entered, which orders them.
    children: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    children: BTreeMap<u64, Arc<Child>>,
    /// Starts that were begun and have no child yet.
    starting: usize,
    /// One-shots whose result has not arrived.
    one_shots: usize,
    failures: Vec<Error>,
    cancelled: Option<(Cancellation, Duration)>,
    /// The same, if that came from around the nursery and met children.
    interrupted: Option<Cancellation>,
    /// Whether the block has ended.
    is_left: bool,
    /// Whether the nursery has returned, or its future was dropped.
    closed: bool,
    wakers: Vec<Waker>,
}

impl Inner {
    /// Announces a start. Every start is ended by [`end_start`](Self::end_start).
    pub(crate) fn begin_start(&self) -> Result<(), Error> {
        let mut state = self.lock();
        if state.closed || state.cancelled.is_some() {
            return Err(self.refused(Refusal::NurseryClosed));
        }
        state.starting += 1;
        Ok(())
    }

    /// Enters a child. If the nursery was cancelled since the start began, the child is
    /// cancelled at once.
    pub(crate) fn enter(&self, child: &Arc<Child>) {
        let number = self.children.fetch_add(1, Ordering::Relaxed);
        let cancelled = {
            let mut state = self.lock();
            state.children.insert(number, child.clone());
            state.cancelled.clone()
        };
        if let Some((cancellation, remaining)) = cancelled {
            child.cancel(&cancellation, remaining);
        }
    }

    pub(crate) fn end_start(&self) {
        self.change(|state| state.starting -= 1);
        self.forget_if_over();
    }

    pub(crate) fn one_shot_begins(&self) {
        self.change(|state| state.one_shots += 1);
    }

    pub(crate) fn one_shot_ends(&self) {
        self.change(|state| state.one_shots -= 1);
    }

    /// Something of the nursery failed: its block and its other children are cancelled.
    pub(crate) fn fail(&self, error: Error) {
        let by = Some(error.origin().clone());
        self.lock().failures.push(error);
        let cancellation = Cancellation {
            by: by.clone(),
            reason: CancelReason::Sibling,
        };
        self.cancel(&cancellation, Duration::MAX);
        self.block.cancel_with(cancellation.reason, by);
    }

    /// Cancels all children.
    pub(crate) fn cancel(&self, cancellation: &Cancellation, remaining: Duration) {
        self.cancel_children(cancellation, remaining, false);
    }

    /// What is around the nursery is cancelled: cancels its block and all children.
    pub(crate) fn cancel_from_around(&self, cancellation: &Cancellation, remaining: Duration) {
        self.cancel_children(cancellation, remaining, true);
        self.block
            .cancel_with(cancellation.reason, cancellation.by.clone());
    }

    fn cancel_children(&self, cancellation: &Cancellation, remaining: Duration, is_outer: bool) {
        let children: Vec<_> = {
            let mut state = self.lock();
            if is_outer && state.cancelled.is_none() && state.is_at_work() {
                state.interrupted = Some(cancellation.clone());
            }
            let (_, before) = state
                .cancelled
                .get_or_insert_with(|| (cancellation.clone(), remaining));
            *before = (*before).min(remaining);
            state.children.values().cloned().collect()
        };
        for child in children {
            child.cancel(cancellation, remaining);
        }
    }

    /// Kills all children.
    pub(crate) fn kill(&self, cancellation: &Cancellation) {
        self.cancel(cancellation, Duration::ZERO);
        let children: Vec<_> = self.lock().children.values().cloned().collect();
        for child in children {
            child.kill(cancellation);
        }
    }

    /// A child is reaped, and everything below it.
    pub(crate) fn child_gone(&self, child: &Arc<Child>) {
        self.change(|state| state.children.retain(|_, other| !Arc::ptr_eq(other, child)));
        self.forget_if_over();
    }

    fn forget_if_over(&self) {
        let over = {
            let state = self.lock();
            state.closed && state.is_empty()
        };
        if over {
            nurseries::remove(self.number);
        }
    }

    /// Has a cancel of the scope around the nursery cancel the block and the children.
    fn follow_outer_scope(self: &Arc<Self>) -> Option<Registration> {
        let inner = Arc::downgrade(self);
        self.block.follow_current(move |cancellation| {
            if let Some(inner) = inner.upgrade() {
                inner.cancel_from_around(&cancellation, Duration::MAX);
            }
        })
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> Error {
        Error::new(self.owner.clone(), Ending::Refused(refusal))
    }

    /// The link to a child of it.
    pub(crate) fn link_to_child(&self, aid: &ActorId) -> Option<Arc<Link>> {
        self.child(aid)?.link().cloned()
    }

    /// A child of it.
    pub(crate) fn child(&self, aid: &ActorId) -> Option<Arc<Child>> {
        let state = self.lock();
        state
            .children
            .values()
            .find(|child| &child.aid == aid)
            .cloned()
    }

    /// All of them.
    pub(crate) fn children(&self) -> Vec<Arc<Child>> {
        self.lock().children.values().cloned().collect()
    }

    /// How many children there are or will be.
    pub(crate) fn population(&self) -> usize {
        let state = self.lock();
        state.children.len() + state.starting
    }

    fn wait(&self, done: impl Fn(&mut State) -> bool) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            let mut state = self.lock();
            if done(&mut state) {
                return Poll::Ready(());
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.lock();
            change(&mut state);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.starting == 0
    }

    /// Whether anything of it would go on if nobody cancelled it.
    fn is_at_work(&self) -> bool {
        let mut children = self.children.values();
        self.starting > 0 || self.one_shots > 0 || children.any(|child| !child.was_cancelled())
    }

    fn close_if_empty(&mut self) -> bool {
        let empty = self.is_empty();
        self.closed |= empty;
        empty
    }
}
