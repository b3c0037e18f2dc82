//! [`Child`]: one child process from its start to its reaping.
//!
//! A thin shell around the pure [`Ladder`]: everything that happens to the child arrives here on
//! a runtime thread, is handed to the ladder, and what the ladder wants is done. No user code is
//! waited for anywhere on the way.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use tractor_core::io::link::{Link, LinkOwner};
use tractor_core::io::{Source, Watch};
use tractor_core::process::{ExitStatus, Process, Signal};
use tractor_core::stop::Stop;
use tractor_core::timer::{self, Timer};
use tractor_core::{CancelReason, Cancellation, Contact, Ending, Error, current_actor};
use tractor_ipc::{ActorId, Address, CloseReason, Kind, codec};

use crate::child_main::LINK_LOST;
use crate::debugger;
use crate::ladder::{Action, Event, Ladder, Rung, Rungs};
use crate::noted;
use crate::nursery::Inner;
use crate::place;
use crate::spec::{Ready, Stopped};
use crate::tree::{Report, Tree};

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It lives until it is cancelled.
    Daemon,
    /// It runs one function.
    OneShot,
    /// It lives until it is cancelled, for a pool that asks how it ended: that is the pool's
    /// affair, and no failure of the nursery.
    Worker,
}

/// One child process.
pub(crate) struct Child {
    pub(crate) aid: ActorId,
    pub(crate) role: Role,
    process: Process,
    link: OnceLock<Arc<Link>>,
    address: Option<Address>,
    nursery: Weak<Inner>,
    tree: Arc<Tree>,
    state: Mutex<State>,
}

struct State {
    ladder: Ladder,
    timer: Option<Timer>,
    /// Why the child is to end, once it is.
    why: Option<Cancellation>,
    /// Told when the child serves calls, or cannot any more.
    ready: Option<oneshot::Sender<Result<Contact, Error>>>,
    /// What the child said before it exited.
    stopped: Option<Stopped>,
    status: Option<ExitStatus>,
    /// Why the link to it closed, while it was not known to have ended.
    link_lost: Option<String>,
    /// Whether the ladder has sent it a signal that may end it.
    signalled: bool,
    /// What those are told whose calls were lost with it, once its end is dealt with.
    end: Option<Error>,
    /// Told of its end.
    watcher: Option<oneshot::Sender<Error>>,
}

impl Child {
    pub(crate) fn new(
        (aid, role): (ActorId, Role),
        process: Process,
        address: Option<Address>,
        (nursery, tree): (Weak<Inner>, Arc<Tree>),
        ready: oneshot::Sender<Result<Contact, Error>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            aid,
            role,
            process,
            link: OnceLock::new(),
            address,
            nursery,
            tree,
            state: Mutex::new(State {
                ladder: Ladder::new(Rungs::default()),
                timer: None,
                why: None,
                ready: Some(ready),
                stopped: None,
                status: None,
                link_lost: None,
                signalled: false,
                end: None,
                watcher: None,
            }),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Tells the child its link, once.
    pub(crate) fn set_link(&self, link: Arc<Link>) {
        // Nobody else sets it.
        let _ = self.link.set(link);
    }

    /// Its link, once it has one.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.link.get()
    }

    /// Notes why it is going to end, unless something else was the first reason.
    fn will_cancel(&self, cancellation: &Cancellation) {
        self.lock().why.get_or_insert_with(|| cancellation.clone());
    }

    /// Has the child end within `remaining`.
    pub(crate) fn cancel(self: &Arc<Self>, cancellation: &Cancellation, remaining: Duration) {
        self.will_cancel(cancellation);
        self.handle(Event::Begin { remaining });
    }

    /// Kills the child.
    pub(crate) fn kill(self: &Arc<Self>, cancellation: &Cancellation) {
        self.will_cancel(cancellation);
        self.handle(Event::Force);
    }

    /// Whether this actor wants it to end.
    pub(crate) fn was_cancelled(&self) -> bool {
        self.lock().why.is_some()
    }

    /// Whether it has ended. Calls that are answered before were answered by it; those that are
    /// answered after were lost.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Tells how it ended, once it has. One may ask.
    pub(crate) fn ended(&self) -> oneshot::Receiver<Error> {
        let (tell, told) = oneshot::channel();
        let mut state = self.lock();
        match state.end.clone() {
            Some(error) => {
                drop(state);
                // The receiver is right here.
                let _ = tell.send(error);
            }
            None => state.watcher = Some(tell),
        }
        told
    }

    /// What the child is doing, in words.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.lock();
        match state.ladder.rung() {
            Rung::Running if state.ready.is_some() => Condition::Booting,
            Rung::Running => Condition::Running,
            Rung::Asked | Rung::Grace => Condition::Cancelling,
            Rung::Terminated | Rung::Killed => Condition::Killed,
            Rung::Gone => Condition::Gone,
        }
    }

    /// So many requests for the terminal are below it now.
    pub(crate) fn holds(self: &Arc<Self>, count: u32) {
        self.handle(Event::HoldChanged(count));
    }

    fn handle(self: &Arc<Self>, event: Event) {
        let mut actions = Vec::new();
        let mut state = self.lock();
        let ladder = &mut state.ladder;
        ladder.handle(event, timer::running_time(), &mut actions);
        noted::child(self, ladder);
        drop(state);
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(self: &Arc<Self>, action: Action) {
        match action {
            Action::AskCancel { remaining } => self.ask(remaining),
            Action::SendTerm => self.signal(Signal::Terminate),
            Action::SendKill => {
                self.signal(Signal::Kill);
                if let Err(error) = self.process.kill_group() {
                    log::error!("kill the process group of {}: {error}", self.aid);
                }
            }
            // Asked anew under the lock: two threads may perform their actions in either order.
            Action::Wake(_) => {
                let mut state = self.lock();
                let at = state.ladder.next_wake();
                let before = std::mem::replace(&mut state.timer, at.and_then(|at| self.alarm(at)));
                drop(state);
                drop(before);
            }
        }
    }

    fn alarm(self: &Arc<Self>, at: Duration) -> Option<Timer> {
        let child = Arc::downgrade(self);
        let after = at.saturating_sub(timer::running_time());
        let at = Instant::now().checked_add(after)?;
        Some(timer::schedule(at, move || {
            if let Some(child) = child.upgrade() {
                child.handle(Event::Tick);
            }
        }))
    }

    fn ask(self: &Arc<Self>, remaining: Duration) {
        let Some(link) = self.link.get() else { return };
        let why = self.lock().why.clone();
        let why = why.unwrap_or(Cancellation {
            by: None,
            reason: CancelReason::Asked,
        });
        let child = Arc::downgrade(self);
        Stop {
            by: why.by,
            reason: why.reason,
            remaining,
        }
        .send(link, move |heard| {
            if let Some(child) = child.upgrade().filter(|_| heard) {
                child.handle(Event::Acknowledged);
            }
        });
    }

    fn signal(&self, signal: Signal) {
        if self.process.has_exited() {
            // How it ended was its own doing.
            return;
        }
        log::info!("{signal:?} to {} (pid {})", self.aid, self.pid());
        noted::signal(self, signal);
        self.lock().signalled = true;
        if let Err(error) = self.process.signal(signal) {
            log::error!("signal {}: {error}", self.aid);
        }
    }

    /// Waits for the process to exit by asking again and again, where it cannot be watched.
    pub(crate) fn poll_exit(self: Arc<Self>) {
        match self.process.peek_exited() {
            Ok(None) => Timer::forget(timer::schedule(Instant::now() + REAP_AGAIN, move || {
                self.poll_exit();
            })),
            Ok(Some(_)) | Err(_) => self.exited(),
        }
    }

    /// The process has exited.
    fn exited(self: &Arc<Self>) {
        // Whatever it started in its group goes with it, while the group's number is its own:
        // once it is reaped the number may come to mean others.
        if let Err(error) = self.process.kill_group() {
            log::warn!("end the process group of {}: {error}", self.aid);
        }
        let status = self.process.try_reap().unwrap_or_else(|error| {
            log::error!("reap {}: {error}", self.aid);
            Some(ExitStatus::Lost)
        });
        let Some(status) = status else {
            // A debugger that traces it sees its end first, and leaves it to us when it is done.
            let child = self.clone();
            Timer::forget(timer::schedule(Instant::now() + REAP_AGAIN, move || {
                child.exited();
            }));
            return;
        };
        log::debug!("{} (pid {}) {status}", self.aid, self.pid());
        self.lock().status = Some(status);
        self.handle(Event::Exited);
        match self.link.get() {
            // What it said last is read before its end is judged.
            Some(link) if !link.is_closed() => link.end_after_reading(),
            _ => self.conclude(),
        }
    }

    /// Once it is both reaped and heard to the end: tells everybody.
    fn conclude(self: &Arc<Self>) {
        let (outcome, ready, watcher) = {
            let mut state = self.lock();
            let Some(status) = state.status else { return };
            if self.link.get().is_some_and(|link| !link.is_closed()) {
                return;
            }
            if state.end.is_some() {
                return;
            }
            state.timer = None;
            let outcome = self.outcome(&mut state, status);
            state.end = Some(outcome.error.clone());
            (outcome, state.ready.take(), state.watcher.take())
        };
        if let Some(address) = &self.address {
            place::remove_socket(address);
        }
        let was_ready = ready.is_none();
        if let Some(nursery) = self.nursery.upgrade()
            && was_ready
            && self.role != Role::Worker
            && let Err(error) = &outcome.result
        {
            // Before anybody hears of a lost call: the nursery's block is cancelled, not told.
            nursery.fail(error.clone());
        }
        if let Some(link) = self.link.get() {
            link.lose_calls(outcome.error.clone());
        }
        if let Some(watcher) = watcher {
            // Its pool may be over.
            let _ = watcher.send(outcome.error.clone());
        }
        if let Some(ready) = ready {
            // Whoever started it may have been dropped.
            let _ = ready.send(Err(outcome.error));
        }
        let Ok(actor) = current_actor() else { return };
        Tree::report(
            actor,
            &Report::Gone {
                aid: self.aid.clone(),
            },
        );
        let child = self.clone();
        self.tree.when_subtree_gone(actor, &self.aid, move || {
            if let Some(nursery) = child.nursery.upgrade() {
                nursery.child_gone(&child);
            }
        });
    }

    fn outcome(&self, state: &mut State, status: ExitStatus) -> Outcome {
        let died = |ending: Ending| {
            let ending = match state.ready {
                Some(_) => Ending::DiedBeforeReady {
                    status: Box::new(ending),
                },
                None => ending,
            };
            let calls = self
                .link
                .get()
                .map(|link| link.calls_in_flight())
                .unwrap_or_default();
            let error = Error::new(self.aid.clone(), ending).with_pid(self.pid());
            let error = match &calls[..] {
                [call] => error.in_call(call.clone()),
                _ => error,
            };
            error.with_calls_in_flight(calls)
        };
        match (state.stopped.take(), state.why.clone()) {
            (Some(Stopped::Failed(error)), _) => Outcome {
                result: Err(error.clone()),
                error,
            },
            // It was asked to end, by us or by somebody else, and did.
            (Some(Stopped::Cancelled | Stopped::Tested(_)), why) => Outcome {
                result: Ok(()),
                error: self.cancelled(why),
            },
            (None, Some(why)) if !is_its_own_end(status, state.signalled) => Outcome {
                result: Ok(()),
                error: self.cancelled(Some(why)),
            },
            // Nobody wanted it to end, or not like this: a cancel hides no crash.
            (None, _) => {
                let lost = loss_of_link(state.link_lost.take(), status, state.signalled);
                let lost = lost.filter(|_| state.ready.is_none());
                let error = died(match lost {
                    Some(reason) => Ending::LinkLost { reason },
                    None => ending_of(status),
                });
                Outcome {
                    result: Err(error.clone()),
                    error,
                }
            }
        }
    }

    fn cancelled(&self, why: Option<Cancellation>) -> Error {
        let ending = match why {
            Some(Cancellation { by, reason }) => Ending::Cancelled { by, reason },
            None => Ending::Cancelled {
                by: None,
                reason: CancelReason::Asked,
            },
        };
        Error::new(self.aid.clone(), ending).with_pid(self.pid())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({:?}, pid {})", self.aid, self.pid())
    }
}

/// What a child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It was started and does not serve calls yet.
    Booting,
    /// It serves calls.
    Running,
    /// It was asked to end.
    Cancelling,
    /// It was sent a signal, because it did not end when asked.
    Killed,
    /// It is reaped.
    Gone,
}

/// How a child's end is told.
struct Outcome {
    /// To the nursery.
    result: Result<(), Error>,
    /// To those whose calls were lost with it.
    error: Error,
}

/// The ending of a process that nobody asked to end.
pub(crate) fn ending_of(status: ExitStatus) -> Ending {
    match status {
        ExitStatus::Exited(code) => Ending::Exited { code },
        ExitStatus::Signaled {
            signal,
            core_dumped,
        } => Ending::Signaled {
            signal,
            core_dumped,
        },
        ExitStatus::Lost => Ending::StatusLost,
    }
}

/// Whether a child that was cancelled, and did not say that it ended for that, ended by itself:
/// it died before it was sent a signal, or of another one.
fn is_its_own_end(status: ExitStatus, signalled: bool) -> bool {
    match status {
        ExitStatus::Exited(code) => code != 0 && !signalled,
        ExitStatus::Signaled { signal, .. } => !signalled || !LADDER_SIGNALS.contains(&signal),
        ExitStatus::Lost => false,
    }
}

/// Why the link was lost, if a child that nobody cancelled ended as one does for that: it left
/// because of it, or the ladder ended it. `seen` is what this end of the link knows.
fn loss_of_link(seen: Option<String>, status: ExitStatus, signalled: bool) -> Option<String> {
    match status {
        // It may have found the loss, and have left, before anything was seen at this end.
        ExitStatus::Exited(LINK_LOST) => {
            Some(seen.unwrap_or_else(|| "the child has lost its end of the link".to_owned()))
        }
        ExitStatus::Signaled { signal, .. } if signalled && LADDER_SIGNALS.contains(&signal) => {
            seen
        }
        _ => None,
    }
}

/// How long to wait before a process that ended and could not be reaped is looked at again.
const REAP_AGAIN: Duration = Duration::from_millis(10);
/// SIGKILL and SIGTERM.
const LADDER_SIGNALS: [i32; 2] = [9, 15];

/// Has the leader tell the child of its process's exit.
pub(crate) struct ExitWatch(pub(crate) Arc<Child>);

impl Source for ExitWatch {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        self.0.exited();
        Watch::End
    }
}

/// Owns the link to a child. The child owns the link in turn, and is kept by its nursery.
pub(crate) struct ChildLink(pub(crate) Weak<Child>);

impl LinkOwner for ChildLink {
    fn frame(&self, _link: &Arc<Link>, kind: Kind, _id: u64, payload: &[u8]) -> Result<(), String> {
        let Some(child) = self.0.upgrade() else {
            return Ok(());
        };
        let misread = |error: tractor_ipc::DecodeError| error.to_string();
        match kind {
            Kind::Ready => {
                let Ready { address } = codec::decode(payload).map_err(misread)?;
                child.ready(address);
            }
            Kind::Stopped => {
                let stopped = codec::decode(payload).map_err(misread)?;
                child.lock().stopped = Some(stopped);
            }
            kind => return Err(format!("a child does not send {kind:?} frames")),
        }
        Ok(())
    }

    fn closed(&self, _link: &Arc<Link>, reason: &CloseReason) {
        let Some(child) = self.0.upgrade() else {
            return;
        };
        log::debug!("the link to {} ended: {reason}", child.aid);
        {
            let mut state = child.lock();
            if state.status.is_none() {
                state.link_lost = Some(reason.to_string());
            }
        }
        child.handle(Event::LinkClosed);
        debugger::child_lost(&child.aid);
        child.conclude();
    }

    fn will_cancel(&self, cancellation: &Cancellation) {
        if let Some(child) = self.0.upgrade() {
            child.will_cancel(cancellation);
        }
    }

    fn cancel(&self, cancellation: &Cancellation, remaining: Duration) {
        if let Some(child) = self.0.upgrade() {
            child.cancel(cancellation, remaining);
        }
    }

    fn is_cancelling(&self, cancellation: &Cancellation, remaining: Duration) {
        // One that was asked by us names its own share of the time, which is less than ours.
        if let Some(child) = self.0.upgrade().filter(|child| !child.was_cancelled()) {
            child.cancel(cancellation, remaining);
        }
    }
}

impl Child {
    fn ready(self: &Arc<Self>, address: Option<Address>) {
        let contact = Contact {
            aid: self.aid.clone(),
            pid: self.pid(),
            address,
        };
        let Ok(actor) = current_actor() else { return };
        let Some(ready) = self.lock().ready.take() else {
            return;
        };
        let parent = actor.aid().clone();
        Tree::report(
            actor,
            &Report::Ready {
                contact: contact.clone(),
                parent,
            },
        );
        if ready.send(Ok(contact)).is_err() {
            // Nobody has its portal, so nobody could ever use or cancel it.
            let reason = CancelReason::Dropped;
            self.cancel(&Cancellation { by: None, reason }, Duration::MAX);
        }
    }
}
