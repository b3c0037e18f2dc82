//! [`RpcTask`]: one call of a peer, running here.
//!
//! The leader polls it first, where the call was read; if it has to wait it rests, and the first
//! wake-up hands it to the executor. Wherever it is, it can be cancelled at once: at rest the
//! leader drops it, while it is polled its poller does.

// Where a task stands.
mod phase;
// A task that the executor polls.
mod moved;
// A plain function.
mod plain;
// A task that is cancelled.
mod cancelled;
// What a task tells of itself.
mod statistics;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tractor_ipc::{FROM_CALLEE, Kind};

pub use self::statistics::{TaskState, TaskStatistics};

use self::moved::Moved;
use self::phase::{Phase, Rest};
use crate::actor;
use crate::crash::{self, CrashWatch};
use crate::dialog::{Dialog, Seat};
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::exports::{Body, Export, Start};
use crate::fairness;
use crate::io::gather;
use crate::io::link::Link;
use crate::io::noted;
use crate::io::role::still_leads;
use crate::io::{Job, engine};
use crate::panics;
use crate::rt;
use crate::scope::{CancelReason, CancelScope, Cancellation, Registration};
use crate::stall;
use crate::stream::arrivals::Received;
use crate::stream::inbound::Ended;
use crate::stream::transit::{self, Leaving};
use crate::tasks::NotEntered;

/// A task that wakes itself in its first poll is polled so many times more at once: most yield
/// to be fair, and a thread switch costs more than going on.
const INLINE_REPOLLS: u32 = 3;

/// What a task answers: the encoded result or the failure.
pub(crate) type Answer = Result<Vec<u8>, Error>;

/// One call of a peer, running here.
pub(crate) struct RpcTask {
    link: Arc<Link>,
    call: u64,
    number: u64,
    export: &'static Export,
    index: u32,
    phase: Phase,
    body: Mutex<Held>,
    /// Wakes the executor's task, once there is one.
    outer: AtomicWaker,
    scope: CancelScope,
    /// Has a cancel of the scope reach the task while it is at rest.
    registration: Mutex<Option<Registration>>,
    /// Why it was cancelled, and by whom.
    cancelled: OnceLock<Cancellation>,
    /// What is said during the call, if it is one of that kind.
    dialog: OnceLock<Weak<Dialog>>,
    /// How it has failed, once the crash watch looks at that.
    failed: OnceLock<Ending>,
    /// Whether its first poll has begun.
    begun: AtomicBool,
    started: Instant,
}

enum Held {
    /// The arguments, and the ends of streams that came with them.
    Args(Vec<u8>, Vec<Received>),
    Future(Pin<Box<dyn Future<Output = Result<Vec<u8>, Ending>> + Send>>),
    Nothing,
}

thread_local! {
    /// The task that is being polled on this thread.
    static CURRENT: Cell<Option<(u64, &'static Export)>> = const { Cell::new(None) };
}

/// The task that is being polled on this thread, as log lines show it.
pub(crate) fn current_name() -> Option<String> {
    CURRENT.get().map(|(number, export)| named(number, export))
}

fn named(number: u64, export: &'static Export) -> String {
    format!("{} {number}", export.name)
}

/// The function whose task is being polled on this thread.
pub(crate) fn current_export() -> Option<&'static Export> {
    CURRENT.get().map(|(_, export)| export)
}

/// The number of the task that is being polled on this thread.
pub(crate) fn current_number() -> Option<u64> {
    CURRENT.get().map(|(number, _)| number)
}

impl RpcTask {
    /// Makes the task of a call, not polled yet, and enters it in the link's table; `None` if the
    /// call's id is in use or the link has ended.
    pub(crate) fn enter(
        link: &Arc<Link>,
        call: u64,
        (index, export): (u32, &'static Export),
        (args, ends): (Vec<u8>, Vec<Received>),
        remaining: Option<Duration>,
    ) -> Option<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let scope = CancelScope::new();
        let started = Instant::now();
        let deadline = remaining.and_then(|remaining| started.checked_add(remaining));
        if let Some(deadline) = deadline {
            scope.set_deadline(Some(deadline));
        }
        let task = Arc::new(Self {
            link: link.clone(),
            call,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            export,
            index,
            phase: Phase::new(),
            body: Mutex::new(Held::Args(args, ends)),
            outer: AtomicWaker::new(),
            scope,
            registration: Mutex::new(None),
            cancelled: OnceLock::new(),
            dialog: OnceLock::new(),
            failed: OnceLock::new(),
            begun: AtomicBool::new(false),
            started,
        });
        let entered = link.tasks().insert(call, task.clone());
        if entered == Err(NotEntered::Duplicate) {
            engine().counts.ignored_frame();
        }
        entered.ok()?;
        noted::task(link, call, export.name);
        engine().task_begins();
        let weak = Arc::downgrade(&task);
        let registration = task.scope.on_cancel(move || {
            if let Some(task) = weak.upgrade() {
                // Its deadline passed, or its own code cancelled the scope.
                let cancellation = task.scope.cancelled_by();
                let (reason, by) = cancellation
                    .map_or((CancelReason::ScopeCancelled, None), |told| {
                        (told.reason, told.by)
                    });
                task.cancel(reason, by);
            }
        });
        *task.registration() = Some(registration);
        Some(task)
    }

    /// Its number in this process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn export_index(&self) -> u32 {
        self.index
    }

    /// Whether its author did not forbid the first poll on a runtime thread.
    pub(crate) fn may_inline(&self) -> bool {
        !self.export.spawn
    }

    /// Whether it is cancelled, which may have happened before its first poll.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.phase.look().cancelled
    }

    /// When it was entered.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Polls it on the executor, and notes how long the first poll takes: the average is what
    /// gives a function back the right to be polled by the leader.
    fn poll_moved(self: &Arc<Self>) -> Option<Answer> {
        let first = matches!(*self.held(), Held::Args(..)).then(Instant::now);
        let answer = self.poll_body();
        if let (Some(begin), Some(pace)) = (first, engine().pace(self.index)) {
            pace.took(begin.elapsed());
        }
        answer
    }

    /// Polls it for the first time, on the leader's thread, as user code.
    pub(crate) fn poll_inline(self: &Arc<Self>) -> Option<Answer> {
        fairness::reset();
        rt::poll_as_task(|| {
            let mut answer = self.poll_body();
            for _ in 0..INLINE_REPOLLS {
                if answer.is_some() || !still_leads(engine()) || !self.phase.take_wake() {
                    break;
                }
                answer = self.poll_body();
            }
            answer
        })
    }

    /// After a first poll that gave no answer: lets it rest, or passes it on to who is next.
    /// Tells whether that is the executor.
    pub(crate) fn rest_inline(self: &Arc<Self>) -> bool {
        match self.phase.rest() {
            Rest::Resting => false,
            Rest::Blocking => true,
            Rest::StillHeld { cancelled } if self.is_to_be_dropped(cancelled) => {
                engine().push(Job::Drop(self.clone()));
                false
            }
            Rest::StillHeld { .. } => {
                self.spawn();
                true
            }
        }
    }

    /// Hands it to the executor, which polls it as soon as it can.
    pub(crate) fn spawn(self: &Arc<Self>) {
        self.phase.move_out();
        self.start_moved();
    }

    fn start_moved(self: &Arc<Self>) {
        rt::spawn(Moved(self.clone()));
        stall::watch();
    }

    /// Drops what is held of the user's. A destructor that panics ends there.
    fn discard(&self) {
        let held = std::mem::replace(&mut *self.held(), Held::Nothing);
        let dropped = gather::during(|| self.surround(|| panics::catch(|| drop(held))));
        if let Err(Ending::Panicked { message, location }) = dropped {
            log::error!(
                "a destructor of {} panicked at {}: {message}",
                self.export.path(),
                location.as_deref().unwrap_or("an unknown place"),
            );
        }
    }

    /// Ends it with an answer.
    pub(crate) fn answer(&self, answer: Answer, corked: bool) {
        self.phase.finish();
        self.leave();
        self.send_answer(answer, corked);
    }

    /// Whatever of the dialog the user still has is of no use any more. Before streams are dropped
    /// with the body, whose end is then no well-meant one.
    fn end_dialog(&self) {
        if let Some(dialog) = self.dialog() {
            dialog.end(&Ended::Well, None);
        }
    }

    /// What is said during the call, once that has begun.
    fn dialog(&self) -> Option<Arc<Dialog>> {
        self.dialog.get().and_then(Weak::upgrade)
    }

    fn leave(&self) {
        self.end_dialog();
        self.link.tasks().remove(self.call);
        noted::task_over(&self.link, self.call);
        let registration = self.registration().take();
        drop(registration);
    }

    /// Answers, once in a task's life.
    fn send_answer(&self, answer: Answer, corked: bool) {
        let sent = answer.and_then(|bytes| {
            let sent = self.link.send_owned(Kind::Return, self.call, bytes, corked);
            sent.map_err(|long| self.error(Ending::Refused(Refusal::BadResult(long.to_string()))))
        });
        if let Err(error) = sent {
            let cancelled = self.cancelled.get();
            let error =
                error.answer(cancelled.is_some_and(|it| it.reason == CancelReason::Deadline));
            // An encoded error is bounded far below a frame.
            let _ = self
                .link
                .send_with(Kind::Fail, self.call, &error.encode(), corked);
        }
        engine().task_is_answered();
    }

    /// Polls it once. Only for who holds it.
    fn poll_body(self: &Arc<Self>) -> Option<Answer> {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        let poll = || panics::catch(|| self.poll_held(&mut cx));
        let polled = gather::during(|| self.surround(poll));
        let (result, seen) = match polled {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(result)) => (result, false),
            Err(panicked) => (Err(panicked), crash::take_seen()),
        };
        let leaving = transit::take_answered();
        if let Err(ending) = &result
            && !seen
            && self.watch_crash(ending)
        {
            return self.poll_body();
        }
        if let Err(Ending::Panicked { .. }) = result {
            self.end_dialog();
        }
        self.discard();
        let result = result.and_then(|bytes| self.send_ends(bytes, leaving));
        Some(result.map_err(|ending| self.error(ending)))
    }

    /// If somebody wants to look at how it has failed: puts that in the body's place. Once.
    fn watch_crash(&self, ending: &Ending) -> bool {
        let Some((watch, error)) = self.watched(ending) else {
            return false;
        };
        if self.failed.set(ending.clone()).is_err() {
            return false;
        }
        if let Ending::Panicked { .. } = ending {
            self.end_dialog();
        }
        self.discard();
        let (look, ending) = (watch.failed(self.name(), error), ending.clone());
        *self.held() = Held::Future(Box::pin(async move {
            look.await;
            Err(ending)
        }));
        true
    }

    /// Sends the ends of streams that are in a result ahead of it. If it has ended otherwise they
    /// are dropped, and so told to be lost.
    fn send_ends(&self, bytes: Vec<u8>, leaving: Vec<Leaving>) -> Result<Vec<u8>, Ending> {
        match transit::send_ahead(&self.link, self.call | FROM_CALLEE, &bytes, leaving) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(Ending::Refused(Refusal::BadResult(error.to_string()))),
        }
    }

    fn poll_held(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Ending>> {
        let mut held = self.held();
        if let Held::Args(args, ends) = &mut *held {
            self.begun.store(true, Ordering::Relaxed);
            let ends = std::mem::take(ends);
            let body = transit::receiving(ends, || match self.export.start {
                Start::Call(start) => start(args),
                Start::Dialog(start) => start(args, Seat::new(&self.link, self.call, &self.dialog)),
            });
            if self.cancelled.get().is_some() {
                // Perhaps before there was a dialog that could have been told.
                self.break_off_dialog();
            }
            match body {
                Err(error) => {
                    let refusal = Refusal::of_arguments(&error);
                    return Poll::Ready(Err(Ending::Refused(refusal)));
                }
                Ok(Body::Async(future)) => *held = Held::Future(future),
                Ok(Body::Blocking(function)) => {
                    *held = Held::Nothing;
                    drop(held);
                    self.run_blocking(function);
                    return Poll::Pending;
                }
            }
        }
        match &mut *held {
            Held::Future(future) => future.as_mut().poll(cx),
            Held::Args(..) | Held::Nothing => Poll::Pending,
        }
    }

    /// Who looks at such an end of it, if anybody does, with the error to be looked at.
    fn watched(&self, ending: &Ending) -> Option<(&'static Arc<dyn CrashWatch>, Error)> {
        let watch = crash::watcher()?;
        let error = self.error(ending.clone());
        (!crash::is_quit(&error) && watch.wants(&error)).then_some((watch, error))
    }

    /// Its name, as log lines show it.
    fn name(&self) -> String {
        named(self.number, self.export)
    }

    /// Runs `f` as this task: its scope and its name are the current ones.
    fn surround<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<(u64, &'static Export)>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restore = Restore(CURRENT.replace(Some((self.number, self.export))));
        self.scope.enter_poll(f)
    }

    fn registration(&self) -> MutexGuard<'_, Option<Registration>> {
        self.registration
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Panics of user code are caught inside and leave the future where it was; it is then
        // replaced at once.
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, ending: Ending) -> Error {
        actor::local_error(ending, Some(self.export))
    }
}

impl Wake for RpcTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.phase.wake() {
            phase::Wake::Nothing => {}
            phase::Wake::Move => self.start_moved(),
            phase::Wake::Notify => {
                self.outer.wake();
                stall::watch();
            }
        }
    }
}

impl fmt::Debug for RpcTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcTask")
            .field("number", &self.number)
            .field("function", &self.export)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
