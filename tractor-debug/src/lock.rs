//! [`Lock`]: which one request of the tree has the terminal.
//!
//! It runs on the root's runtime thread and takes what happened: requests, holds, releases,
//! losses, closing. It gives what to do: grant, refuse, revoke, reclaim, to be performed in the
//! order given. It does not know channels, processes, clocks or the terminal; the terminal's owner
//! only obeys it. Read [`State`] first, then [`Event`].
//!
//! What it promises, whatever comes in any order: one request at most has the terminal; the lock
//! never rests while it could grant; requests have their turns in the order in which they
//! arrived, but for those that the user prefers; and nobody is granted who asked unshielded and
//! still waited when closing began.

// What the lock is told, and what it says.
mod event;
// Bugs to be found by the models; none in a build without their feature.
mod mutant;

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

use tractor_ipc::ActorId;

pub use event::{Action, Event, Lease, Refusal, RequestId};
#[cfg(feature = "__mutants")]
pub use mutant::Mutant;
use mutant::seeded;

/// Who has the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody, and nobody could be granted. Left for [`State::Held`] as soon as a request and its
    /// hold are both there.
    Free,
    /// One request. Left for [`State::Reclaiming`] when it is released, lost, dropped, or when
    /// the lock is shut.
    Held {
        /// The holder.
        request: RequestId,
        /// Its grant.
        lease: Lease,
    },
    /// The last holder's traces are being removed: modes, foreground group, a native debugger.
    /// Left for [`State::Free`] by [`Event::Reclaimed`], or when the time is over; from there at
    /// once for [`State::Held`] if somebody waits.
    Reclaiming {
        /// The grant that is over.
        lease: Lease,
        /// The end of waiting for it.
        until: Duration,
    },
}

/// Who may still ask. It goes only forward in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Everybody. Left by [`Event::ClosingBegan`] or [`Event::Shut`].
    Open,
    /// The tree is ending: the holder finishes, shielded requests have their turns, others are
    /// refused. Left by [`Event::Shut`].
    Closing,
    /// Nobody, for this reason. Never left.
    Shut(Refusal),
}

/// The lock of one terminal, which lives in the root.
///
/// Times are durations since any fixed start, the same for all calls, from a clock that never
/// goes back. The root's own requests go through it like all others; their holds arrive with them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    state: State,
    phase: Phase,
    /// In order of arrival, but for those that the user prefers.
    waiting: VecDeque<Waiting>,
    /// Every hold that has arrived and was not withdrawn, also of requests that did not arrive.
    /// The supervision edges take each back, so that there are no more than open requests.
    holds: BTreeSet<RequestId>,
    last_lease: Lease,
    ignored: u64,
    #[cfg(feature = "__mutants")]
    mutant: Option<Mutant>,
}

impl Lock {
    /// Makes the lock of a free terminal that nobody asked for.
    pub fn new() -> Self {
        Self {
            state: State::Free,
            phase: Phase::Open,
            waiting: VecDeque::new(),
            holds: BTreeSet::new(),
            last_lease: Lease(0),
            ignored: 0,
            #[cfg(feature = "__mutants")]
            mutant: None,
        }
    }

    /// Makes a lock with a bug.
    #[cfg(feature = "__mutants")]
    pub fn with_mutant(mutant: Option<Mutant>) -> Self {
        Self {
            mutant,
            ..Self::new()
        }
    }

    /// Who has the terminal.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Who may still ask.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Who waits, in the order in which they have their turns.
    pub fn waiting(&self) -> impl Iterator<Item = &RequestId> {
        self.waiting.iter().map(|waiting| &waiting.request)
    }

    /// Whether what carries `lease` comes from the present holder.
    pub fn admits(&self, lease: Lease) -> bool {
        matches!(self.state, State::Held { lease: current, .. } if current == lease)
    }

    /// How many events changed nothing because they were repeated, unknown or out of date.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// When the next [`Event::Tick`] is due, `None` if time changes nothing.
    pub fn next_wake(&self) -> Option<Duration> {
        match self.state {
            State::Reclaiming { until, .. } => Some(until),
            State::Free | State::Held { .. } => None,
        }
    }

    /// Takes in what happened at `now` and appends to `out` what is to be done about it.
    pub fn handle(&mut self, event: Event, now: Duration, out: &mut Vec<Action>) {
        let promotes = !seeded!(self, NoPromotion)
            || !matches!(event, Event::Released(_) | Event::Reclaimed(_));
        let known = match event {
            Event::Requested { request, shielded } => self.requested(request, shielded, out),
            Event::HoldArrived(request) => self.holds.insert(request),
            Event::HoldWithdrawn(_) if seeded!(self, WithdrawnHoldCounts) => true,
            Event::HoldWithdrawn(request) => self.holds.remove(&request),
            Event::Released(request) => self.released(&request, now, out),
            Event::Preferred(request) => self.preferred(&request),
            Event::PeerLost(actor) => self.peer_lost(&actor, now, out),
            Event::Dropped(_) if seeded!(self, LeaseIgnored) => self.revoke(now, out),
            Event::Dropped(_) if seeded!(self, DropForgetsTheHolder) => {
                self.state = State::Free;
                true
            }
            Event::Dropped(lease) => self.admits(lease) && self.revoke(now, out),
            Event::Reclaimed(lease) => self.reclaimed(lease),
            Event::ClosingBegan => self.closing_began(out),
            Event::Shut(refusal) => self.shut(refusal, now, out),
            Event::Tick => self.tick(now, out),
        };
        self.ignored += u64::from(!known);
        if promotes {
            self.grant(out);
        }
        if cfg!(debug_assertions) && !self.is_mutated() {
            self.check();
        }
    }

    /// Whether a bug was planted, which the models are to find, not the assertions.
    #[cfg(feature = "__mutants")]
    fn is_mutated(&self) -> bool {
        self.mutant.is_some()
    }

    #[cfg(not(feature = "__mutants"))]
    #[expect(clippy::unused_self, reason = "there is none in this build")]
    fn is_mutated(&self) -> bool {
        false
    }

    fn requested(&mut self, request: RequestId, shielded: bool, out: &mut Vec<Action>) -> bool {
        if self.holder() == Some(&request) || self.waiting().any(|waiting| *waiting == request) {
            return false;
        }
        let refusal = match self.phase {
            Phase::Shut(refusal) => Some(refusal),
            Phase::Closing if seeded!(self, ClosingStillGrants) => None,
            Phase::Closing if !shielded => Some(Refusal::Closing),
            Phase::Open | Phase::Closing if self.waiting.len() == WAITING_MAX => {
                Some(Refusal::TooMany)
            }
            Phase::Open | Phase::Closing => None,
        };
        match refusal {
            Some(refusal) => out.push(Action::Refuse { request, refusal }),
            None if seeded!(self, Lifo) => self.waiting.push_front(Waiting { request, shielded }),
            None => self.waiting.push_back(Waiting { request, shielded }),
        }
        true
    }

    fn released(&mut self, request: &RequestId, now: Duration, out: &mut Vec<Action>) -> bool {
        let holder = self.holder();
        let by_actor = seeded!(self, ReleaseByActorOnly)
            && holder.is_some_and(|holder| holder.actor == request.actor);
        if holder == Some(request) || by_actor {
            self.reclaim(now, out);
            return true;
        }
        let place = self.waiting().position(|waiting| waiting == request);
        place.is_some_and(|place| self.waiting.remove(place).is_some())
    }

    fn preferred(&mut self, request: &RequestId) -> bool {
        let place = self.waiting().position(|waiting| waiting == request);
        let Some(waiting) = place.and_then(|place| self.waiting.remove(place)) else {
            return false;
        };
        if seeded!(self, PreferredGoesLast) {
            self.waiting.push_back(waiting);
        } else {
            self.waiting.push_front(waiting);
        }
        true
    }

    fn peer_lost(&mut self, actor: &ActorId, now: Duration, out: &mut Vec<Action>) -> bool {
        // The holds stay: they came another way, on which they will be taken back, and one of
        // them may belong to a request that is on its way over a new channel.
        if !seeded!(self, DeadKeepWaiting) {
            self.waiting
                .retain(|waiting| waiting.request.actor != *actor);
        }
        let holds = self.holder().is_some_and(|holder| holder.actor == *actor);
        if holds && !seeded!(self, NoReleaseOnDeath) {
            self.reclaim(now, out);
        }
        true
    }

    fn reclaimed(&mut self, lease: Lease) -> bool {
        let current = matches!(self.state, State::Reclaiming { lease: l, .. } if l == lease);
        if current || seeded!(self, LeaseIgnored) {
            self.state = State::Free;
        }
        current
    }

    fn closing_began(&mut self, out: &mut Vec<Action>) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        self.phase = Phase::Closing;
        if seeded!(self, ClosingForgetsTheQueue) {
            self.waiting.clear();
        }
        self.refuse(Refusal::Closing, |waiting| !waiting.shielded, out);
        true
    }

    fn shut(&mut self, refusal: Refusal, now: Duration, out: &mut Vec<Action>) -> bool {
        if matches!(self.phase, Phase::Shut(_)) {
            return false;
        }
        self.phase = Phase::Shut(refusal);
        if !seeded!(self, ShutLeavesTheHolder) {
            self.revoke(now, out);
        }
        self.refuse(refusal, |_| true, out);
        true
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<Action>) -> bool {
        if let State::Reclaiming { until, .. } = self.state {
            if until <= now && !seeded!(self, ReclaimNeverTimesOut) {
                // The terminal's owner hangs in the terminal itself. Its commands are queued, so
                // the next prompt comes after all, and until then nobody hangs on the lock.
                self.state = State::Free;
            } else {
                out.push(Action::Wake(until));
            }
        }
        true
    }

    /// Refuses those who wait and are `chosen`, in their order.
    fn refuse(
        &mut self,
        refusal: Refusal,
        chosen: impl Fn(&Waiting) -> bool,
        out: &mut Vec<Action>,
    ) {
        for waiting in mem::take(&mut self.waiting) {
            if chosen(&waiting) {
                let request = waiting.request;
                out.push(Action::Refuse { request, refusal });
            } else {
                self.waiting.push_back(waiting);
            }
        }
    }

    /// Takes the terminal from its holder, if there is one, and tells it.
    fn revoke(&mut self, now: Duration, out: &mut Vec<Action>) -> bool {
        let State::Held { request, lease } = &self.state else {
            return false;
        };
        out.push(Action::Revoke {
            request: request.clone(),
            lease: *lease,
        });
        self.reclaim(now, out);
        true
    }

    /// Ends the present grant.
    fn reclaim(&mut self, now: Duration, out: &mut Vec<Action>) {
        let lease = self.last_lease;
        let until = now.saturating_add(RECLAIM_MAX);
        self.state = State::Reclaiming { lease, until };
        out.extend([Action::Reclaim(lease), Action::Wake(until)]);
        if seeded!(self, NoReclaim) {
            self.state = State::Free;
        }
    }

    /// Grants the free terminal to the first whose hold has arrived. Whose hold has not must not
    /// stop the others: it may never come.
    fn grant(&mut self, out: &mut Vec<Action>) {
        if self.state != State::Free {
            return;
        }
        let early = seeded!(self, GrantBeforeHold);
        let Some(place) = self
            .waiting()
            .position(|request| early || self.holds.contains(request))
        else {
            return;
        };
        let Some(Waiting { request, .. }) = self.waiting.remove(place) else {
            return;
        };
        self.last_lease.0 += 1;
        let lease = self.last_lease;
        self.state = State::Held {
            request: request.clone(),
            lease,
        };
        out.push(Action::Grant { request, lease });
    }

    fn holder(&self) -> Option<&RequestId> {
        match &self.state {
            State::Held { request, .. } => Some(request),
            State::Free | State::Reclaiming { .. } => None,
        }
    }

    /// Asserts what holds between any two events.
    fn check(&self) {
        match &self.state {
            State::Free => assert!(
                self.waiting().all(|request| !self.holds.contains(request)),
                "a free lock has nobody to grant"
            ),
            State::Held { lease, .. } | State::Reclaiming { lease, .. } => {
                assert_eq!(*lease, self.last_lease, "only the last grant counts");
            }
        }
        match self.phase {
            Phase::Open => {}
            Phase::Closing => assert!(
                self.waiting.iter().all(|waiting| waiting.shielded),
                "the unshielded are refused when closing begins"
            ),
            Phase::Shut(_) => assert!(
                self.waiting.is_empty() && self.holder().is_none(),
                "nobody has or awaits what is shut"
            ),
        }
        let requests: BTreeSet<_> = self.waiting().chain(self.holder()).collect();
        assert_eq!(
            requests.len(),
            self.waiting.len() + usize::from(self.holder().is_some()),
            "a request stands in one place"
        );
        assert!(self.waiting.len() <= WAITING_MAX, "the queue is bounded");
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that was neither granted nor refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    request: RequestId,
    shielded: bool,
}

/// How many requests may wait: as many prompts in a row as nobody will ever answer, and a few
/// hundred actors that crash for one reason all find a place.
pub const WAITING_MAX: usize = 1024;

/// How long the restoring of the terminal may take: 2 s.
///
/// It takes microseconds, or with a native debugger the 0.5 s between the signals that end it.
/// What takes longer is a terminal that the user has stopped with Ctrl-S.
pub const RECLAIM_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
