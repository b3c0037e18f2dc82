//! [`RunInActor`] and [`OneShot`]: an actor that runs one function.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use serde::Serialize;
use tractor_core::process::StdioSpec;
use tractor_core::runtime_vars;
use tractor_core::timer::{self, Timer};
use tractor_core::{
    Call, CancelReason, Cancellation, Ending, Error, Failure, Portal, Refusal, Sleep, current_actor,
};
use tractor_ipc::{ActorId, DecodeError};

use crate::child::{Child, Role};
use crate::launcher::Transport;
use crate::nursery::Nursery;
use crate::start::{self, ChildOptions, child_options};

/// A one-shot that is about to be started; awaiting it starts the process and gives a handle on
/// the result when the function is started.
///
/// # Cancellation
///
/// Dropping it while it starts kills the process and reaps it.
///
/// A deadline of the scope travels with the call. So if this is awaited inside of
/// [`timeout`](tractor_core::scope::timeout), the function is cancelled at that deadline also
/// when the result is waited for outside. [`deadline`](Self::deadline) is for the process.
///
/// # Errors
///
/// As [`StartActor`](crate::StartActor).
#[must_use = "a one-shot is started when this is awaited"]
pub struct RunInActor<T, E: Failure> {
    nursery: Nursery,
    options: ChildOptions,
    call: Call<T, E>,
    deadline: Option<Duration>,
}

impl<T, E: Failure> RunInActor<T, E> {
    pub(crate) fn new(nursery: Nursery, options: ChildOptions, call: Call<T, E>) -> Self {
        Self {
            nursery,
            options,
            call,
            deadline: None,
        }
    }

    child_options!();

    /// Ends the *process* when it has not answered so long after its start, whatever its code is
    /// doing: asked first, then by signals. The nursery fails with
    /// [`CancelReason::Deadline`]. The default is never.
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }
}

impl<T, E> IntoFuture for RunInActor<T, E>
where
    T: Send + 'static,
    E: Failure,
{
    type Output = Result<OneShot<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            nursery,
            options,
            call,
            deadline,
        } = self;
        // A call is not `Sync`, so it is not held by reference across the await.
        Box::pin(async move {
            let inner = nursery.inner.clone();
            inner.one_shot_begins();
            let pending = PendingOneShot(Some(nursery.clone()));
            let at = deadline.and_then(|after| Instant::now().checked_add(after));
            let name = options.name.clone();
            let start = start::start(inner.clone(), options, Role::OneShot);
            let Some(started) = by_deadline(at, start).await else {
                // Dropping the start has killed the process.
                let error = late(ActorId::fresh(name));
                inner.fail(error.clone());
                return Err(error);
            };
            let (portal, child) = started?;
            begin_call(portal, child, call, (pending, at))
        })
    }
}

fn begin_call<T, E: Failure>(
    portal: Portal,
    child: Arc<Child>,
    call: Call<T, E>,
    (pending, deadline): (PendingOneShot, Option<Instant>),
) -> Result<OneShot<T>, Error> {
    let shared = Arc::new(Shared::default());
    if let Some(at) = deadline {
        let (child, weak) = (child.clone(), Arc::downgrade(&shared));
        let nursery = pending.0.clone();
        let timer = timer::schedule(at, move || {
            let Some(shared) = weak.upgrade() else { return };
            let reason = CancelReason::Deadline;
            let cancellation = Cancellation { by: None, reason };
            let error = late(child.aid.clone()).with_pid(child.pid());
            if let Some(nursery) = nursery.filter(|_| !shared.is_done()) {
                nursery.inner.fail(error.clone());
                child.cancel(&cancellation, Duration::MAX);
                shared.complete(Err(error));
            }
        });
        shared.lock().timer = Some(timer);
    }
    let decode = call.decoder();
    let (path, aid) = (call.export().path(), child.aid.clone());
    let result = shared.clone();
    let one_shot = child.clone();
    let useless = child.clone();
    let sent = portal.start(&call, move |answer| {
        // The order matters: the block is cancelled before it could hear of the failure.
        if let Err(error) = &answer
            && let Some(nursery) = &pending.0
            && !result.is_done()
            && !is_our_doing(error, &one_shot, nursery)
        {
            nursery.inner.fail(error.clone());
        }
        result.complete(answer);
        let by = current_actor().ok().map(|actor| actor.aid().clone());
        one_shot.cancel(
            &Cancellation {
                by,
                reason: CancelReason::Asked,
            },
            Duration::MAX,
        );
        drop(pending);
    });
    if let Err(error) = sent {
        // It would wait for ever for a call that cannot be made.
        let reason = CancelReason::Dropped;
        useless.kill(&Cancellation { by: None, reason });
        return Err(error);
    }
    Ok(OneShot {
        portal,
        shared,
        decode,
        path,
        aid,
    })
}

/// Waits for `future` until `at`; `None` if that is over first.
async fn by_deadline<F: Future>(at: Option<Instant>, future: F) -> Option<F::Output> {
    match select(pin!(future), Sleep::until(at)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// The failure of a one-shot whose deadline passed.
fn late(aid: ActorId) -> Error {
    let reason = CancelReason::Deadline;
    Error::new(aid, Ending::Cancelled { by: None, reason })
}

/// Whether a one-shot failed only because this actor cancelled it.
fn is_our_doing(error: &Error, child: &Child, nursery: &Nursery) -> bool {
    let by_us = |by: &Option<ActorId>| by.as_ref() == Some(&nursery.inner.owner);
    match error.ending() {
        Ending::Cancelled { by, .. } => child.was_cancelled() || by_us(by),
        _ => false,
    }
}

/// A handle on the result of a one-shot. Dropping it loses nothing but the result: the function
/// runs on, and the nursery waits for it.
pub struct OneShot<T> {
    portal: Portal,
    shared: Arc<Shared>,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    path: String,
    aid: ActorId,
}

impl<T> OneShot<T> {
    /// Waits for the function's result. It may be asked for more than once, and gives the same
    /// each time.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`Run`](tractor_core::Run). The nursery's block rarely sees them: a failure cancels it.
    pub async fn result(&self) -> Result<T, Error> {
        let answer = std::future::poll_fn(|cx| self.shared.poll(cx.waker())).await?;
        (self.decode)(&answer).map_err(|error| {
            let refusal = Refusal::BadResult(error.to_string());
            Error::new(self.aid.clone(), Ending::Refused(refusal)).in_call(self.path.clone())
        })
    }

    /// The actor that runs it.
    pub fn portal(&self) -> &Portal {
        &self.portal
    }
}

impl<T> fmt::Debug for OneShot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneShot({} in {:?})", self.path, self.aid)
    }
}

/// Where the result arrives, whether or not anybody waits for it.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answer: Option<Result<Vec<u8>, Error>>,
    wakers: Vec<Waker>,
    timer: Option<Timer>,
}

impl Shared {
    /// The first answer counts.
    fn complete(&self, answer: Result<Vec<u8>, Error>) {
        let (wakers, timer) = {
            let mut state = self.lock();
            state.answer.get_or_insert(answer);
            (std::mem::take(&mut state.wakers), state.timer.take())
        };
        drop(timer);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn is_done(&self) -> bool {
        self.lock().answer.is_some()
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<Vec<u8>, Error>> {
        let mut state = self.lock();
        match &state.answer {
            Some(answer) => Poll::Ready(answer.clone()),
            None => {
                state.wakers.push(waker.clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a one-shot as unanswered as long as it lives.
struct PendingOneShot(Option<Nursery>);

impl Drop for PendingOneShot {
    fn drop(&mut self) {
        if let Some(nursery) = self.0.take() {
            nursery.inner.one_shot_ends();
        }
    }
}
