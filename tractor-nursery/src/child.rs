//! [`Child`]: one child process from its start to its reaping.
//!
//! A thin shell around the pure [`Ladder`]: everything that happens to the child arrives here on
//! a runtime thread, is handed to the ladder, and what the ladder wants is done. No user code is
//! waited for anywhere on the way.

// Its exit and its last words.
mod end;
// What it is told by the runtime's threads.
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use tractor_core::io::link::Link;
use tractor_core::process::{ExitStatus, OutOfMemory, Process, Signal};
use tractor_core::stop::Stop;
use tractor_core::timer::{self, Timer};
use tractor_core::{CancelReason, Cancellation, Contact, Error};
use tractor_ipc::{ActorId, Address};

use crate::ladder::{Action, Event, Ladder, Rung, Rungs};
use crate::noted;
use crate::nursery::Inner;
use crate::spec::Stopped;
use crate::tree::Tree;

pub(crate) use self::watch::{ChildLink, ExitWatch};

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
    /// Whether it was killed for its memory, as far as that is known.
    out_of_memory: Option<OutOfMemory>,
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
                out_of_memory: None,
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

    /// Its link is there, and what is wanted of it can be said.
    pub(crate) fn linked(self: &Arc<Self>) {
        self.handle(Event::Linked);
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

    /// Whether its process is reaped.
    pub(crate) fn is_reaped(&self) -> bool {
        self.lock().status.is_some()
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

    /// Whether it has become an actor, which SIGUSR1 does not end.
    pub(crate) fn has_become_actor(&self) -> bool {
        self.link.get().is_some() && self.lock().ready.is_none()
    }

    /// The letter of its process's state, as the kernel shows it.
    pub(crate) fn process_state(&self) -> Option<char> {
        self.process.state()
    }

    /// Has it, and all below it, tell what they are doing.
    pub(crate) fn ask_for_dump(&self) {
        if let Err(error) = self.process.signal(Signal::User1) {
            log::warn!("ask {} for a dump: {error}", self.aid);
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
