//! The tree of scopes as data: who is inside whom, who is cancelled, who waits for that.
//!
//! It takes what happened and gives back the [`Effects`] to perform. It knows neither a clock nor
//! an executor: a deadline is a value, an alarm is whatever the caller hands over to keep.
//!
//! Two rules keep it free of deadlocks. A thread holds the lock of one node at a time, so walks
//! up and down see a tree that may change between two steps; and nothing that could run foreign
//! code (a waker, a callback, a destructor) happens under a lock, it becomes an effect.
//!
//! Only a node that is being run has a link to the one around it, and a link ends with the run of
//! either side. A future that is polled inside a scope and later, by reference, outside of it
//! hence loses what it inherited there, except a cancel, which is for ever.

// How nodes get inside each other, and out again.
mod nesting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

use super::Cancellation;

/// One scope. `A` is the alarm of its deadline, kept here to be dropped when it is of no use.
pub(super) struct Node<A> {
    cancelled: OnceLock<Cancellation>,
    shield: AtomicBool,
    /// It is the scope of a whole task, which stays outside of every other.
    task: AtomicBool,
    /// It has a link to an enclosing node. A hint: the link itself is behind the lock.
    linked: AtomicBool,
    /// It has a deadline without an alarm. Cleared by whoever goes to set the alarm.
    unarmed: AtomicBool,
    /// An actor that was given its deadline has told already that it has passed.
    overrun: AtomicBool,
    state: Mutex<State<A>>,
}

struct State<A> {
    enclosing: Option<Link<A>>,
    /// Those that have a link to this node.
    inside: Slab<Arc<Node<A>>>,
    /// Whom to tell of the cancel. An empty entry has been told and still belongs to somebody.
    waiters: Slab<Option<Waiter>>,
    /// On whatever clock the caller uses for all nodes.
    deadline: Option<Instant>,
    /// Whose it is, if it is not this node's own.
    lender: Option<Of<A>>,
    alarm: Option<A>,
    runs: u32,
}

struct Link<A> {
    node: Arc<Node<A>>,
    /// Where it lists the owner of this link.
    slot: usize,
}

/// Whose a deadline is.
pub(super) enum Of<A> {
    /// The task's, which was given it by whoever called.
    Task,
    Scope(Weak<Node<A>>),
}

impl<A> Clone for Of<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Task => Self::Task,
            Self::Scope(node) => Self::Scope(node.clone()),
        }
    }
}

/// Somebody to tell of a cancel.
pub(super) enum Waiter {
    Task(Waker),
    Callback(Box<dyn FnOnce() + Send>),
}

/// What is to be done after a change, with no lock held.
#[must_use]
pub(super) struct Effects<A> {
    /// To be told.
    pub(super) waiters: Vec<Waiter>,
    /// To be dropped.
    pub(super) alarms: Vec<A>,
}

impl<A> Default for Effects<A> {
    fn default() -> Self {
        Self {
            waiters: Vec::new(),
            alarms: Vec::new(),
        }
    }
}

/// What others see of a node.
impl<A> Node<A> {
    pub(super) fn new() -> Self {
        Self {
            cancelled: OnceLock::new(),
            shield: AtomicBool::new(false),
            task: AtomicBool::new(false),
            linked: AtomicBool::new(false),
            unarmed: AtomicBool::new(false),
            overrun: AtomicBool::new(false),
            state: Mutex::new(State {
                enclosing: None,
                inside: Slab::new(),
                waiters: Slab::new(),
                deadline: None,
                lender: None,
                alarm: None,
                runs: 0,
            }),
        }
    }

    pub(super) fn cancelled(&self) -> Option<&Cancellation> {
        self.cancelled.get()
    }

    pub(super) fn is_shielded(&self) -> bool {
        self.shield.load(Ordering::Relaxed)
    }

    pub(super) fn set_shield(&self, shield: bool) {
        self.shield.store(shield, Ordering::Relaxed);
    }

    /// Its own deadline, or that of a node around it, whichever is earlier.
    pub(super) fn effective_deadline(self: &Arc<Self>) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    /// The deadline that [`effective_deadline`](Self::effective_deadline) gives, and whose it is.
    pub(super) fn binding(self: &Arc<Self>) -> Option<(Instant, Of<A>)> {
        let (at, node) = self.earliest()?;
        let lender = node.lock().lender.clone();
        let own = || match node.task.load(Ordering::Relaxed) {
            true => Of::Task,
            false => Of::Scope(Arc::downgrade(&node)),
        };
        Some((at, lender.unwrap_or_else(own)))
    }

    fn earliest(self: &Arc<Self>) -> Option<(Instant, Arc<Self>)> {
        let mut least: Option<(Instant, Arc<Self>)> = None;
        let mut next = Some(self.clone());
        while let Some(node) = next {
            let (deadline, above) = node.deadline_and_above();
            if let Some(at) = deadline
                && least.as_ref().is_none_or(|(least, _)| at < *least)
            {
                least = Some((at, node));
            }
            next = above;
        }
        least
    }

    /// Whose deadline this node's is, if it is not its own.
    pub(super) fn set_lender(&self, lender: Option<Of<A>>) {
        let former = std::mem::replace(&mut self.lock().lender, lender);
        drop(former);
    }

    /// Somebody who was given the deadline of this node has told that it has passed.
    pub(super) fn set_overrun(&self) {
        self.overrun.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.load(Ordering::Relaxed)
    }

    /// Whether a shielded node is being run inside this one, at any depth.
    pub(super) fn has_active_shield(&self) -> bool {
        let mut pending = self.nodes_inside();
        while let Some(node) = pending.pop() {
            if node.is_shielded() {
                return true;
            }
            pending.append(&mut node.nodes_inside());
        }
        false
    }

    /// Whether anything would notice that its deadline has passed.
    pub(super) fn is_watched(&self) -> bool {
        let state = self.lock();
        state.runs > 0 || !state.waiters.is_empty()
    }

    fn would_wake(&self, key: usize, waker: &Waker) -> bool {
        match self.lock().waiters.get(key) {
            Some(Some(Waiter::Task(known))) => known.will_wake(waker),
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        // Nothing that panics runs under the lock, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nodes_inside(&self) -> Vec<Arc<Self>> {
        let state = self.lock();
        state.inside.iter().map(|(_, node)| node.clone()).collect()
    }

    fn deadline_and_above(&self) -> (Option<Instant>, Option<Arc<Self>>) {
        let state = self.lock();
        let above = match &state.enclosing {
            Some(link) if !self.is_shielded() => Some(link.node.clone()),
            _ => None,
        };
        (state.deadline, above)
    }
}

/// Cancelling.
impl<A> Node<A> {
    /// Cancels this node and all that are inside it, except through a shield. The first cancel
    /// of a node stays.
    pub(super) fn cancel(self: &Arc<Self>, why: &Cancellation) -> Effects<A> {
        let mut effects = Effects::default();
        let mut pending = vec![self.clone()];
        while let Some(node) = pending.pop() {
            if node.cancelled.set(why.clone()).is_err() {
                continue;
            }
            node.unarmed.store(false, Ordering::Relaxed);
            let mut state = node.lock();
            state.take_waiters(&mut effects.waiters);
            effects.alarms.extend(state.alarm.take());
            let inside = state.inside.iter().map(|(_, node)| node);
            pending.extend(inside.filter(|node| !node.is_shielded()).cloned());
        }
        effects
    }

    /// Has a task woken at the cancel, or at the end of a shielded section that defers its
    /// effect. `key` is where the task was registered last. Whoever calls checks afterwards
    /// whether the node is cancelled: a cancel that came before is not told again.
    pub(super) fn wake_on_cancel(&self, key: &mut Option<usize>, waker: &Waker) {
        if key.is_some_and(|key| self.would_wake(key, waker)) {
            return;
        }
        let waiter = Some(Waiter::Task(waker.clone()));
        let mut state = self.lock();
        let old = match *key {
            Some(key) => std::mem::replace(&mut state.waiters[key], waiter),
            None => {
                *key = Some(state.waiters.insert(waiter));
                None
            }
        };
        drop(state);
        drop(old);
    }

    /// Registers a callback, and gives its key.
    ///
    /// # Errors
    ///
    /// The callback itself if the node is cancelled already.
    pub(super) fn call_on_cancel(
        &self,
        callback: Box<dyn FnOnce() + Send>,
    ) -> Result<usize, Box<dyn FnOnce() + Send>> {
        let mut state = self.lock();
        // A cancel that begins now finds the callback, because it has to take the lock.
        if self.cancelled.get().is_some() {
            drop(state);
            return Err(callback);
        }
        Ok(state.waiters.insert(Some(Waiter::Callback(callback))))
    }

    /// Forgets a waiter.
    pub(super) fn unregister(&self, key: usize) {
        let waiter = self.lock().waiters.try_remove(key);
        drop(waiter);
    }
}

/// Deadlines.
impl<A> Node<A> {
    /// Sets the deadline, and gives the alarm of the former one.
    #[must_use]
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) -> Option<A> {
        let mut state = self.lock();
        state.deadline = deadline;
        state.lender = None;
        self.want_alarm(&state);
        state.alarm.take()
    }

    /// Its own deadline if that has no alarm.
    pub(super) fn unarmed(&self) -> Option<Instant> {
        if !self.unarmed.load(Ordering::Relaxed) {
            return None;
        }
        self.lock().deadline
    }

    /// As [`unarmed`](Self::unarmed); whoever gets it goes to set the alarm.
    pub(super) fn claim_unarmed(&self) -> Option<Instant> {
        // The load keeps the common case free of a write.
        if !self.unarmed.load(Ordering::Relaxed) || !self.unarmed.swap(false, Ordering::Relaxed) {
            return None;
        }
        self.lock().deadline
    }

    /// Keeps the alarm that was set for `at`, or gives back what became useless by now: this
    /// alarm, or one that somebody else has set meanwhile for the same time.
    #[must_use]
    pub(super) fn keep_alarm(&self, at: Instant, alarm: A) -> Option<A> {
        let mut state = self.lock();
        if state.deadline != Some(at) || self.cancelled.get().is_some() {
            return Some(alarm);
        }
        state.alarm.replace(alarm)
    }

    /// The alarm for `at` went off: tells whether that is the deadline still.
    pub(super) fn is_due(&self, at: Instant) -> bool {
        self.lock().deadline == Some(at)
    }

    fn want_alarm(&self, state: &State<A>) {
        let wanted = state.deadline.is_some() && self.cancelled.get().is_none();
        self.unarmed.store(wanted, Ordering::Relaxed);
    }
}

impl<A> State<A> {
    fn take_waiters(&mut self, out: &mut Vec<Waiter>) {
        out.extend(
            self.waiters
                .iter_mut()
                .filter_map(|(_, waiter)| waiter.take()),
        );
    }
}
