//! What never happens on any way through the lock: all ways that three requests of two actors
//! can take are walked, beside an onlooker who keeps the rules in plain lists.

use super::tests::{NOW, hold, lost, released, request, requested, shielded};
use super::*;

/// One point of the walk: the lock, and what an onlooker knows.
#[derive(Clone)]
struct Seen {
    lock: Lock,
    /// Who waits, in order, and whether shielded.
    waiting: Vec<(RequestId, bool)>,
    holds: BTreeSet<RequestId>,
    prompt: Prompt,
    phase: Phase,
    lease: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Prompt {
    Nobody,
    Of(RequestId),
    Leaving,
}

/// All that the lock's further behaviour can depend on: what its getters and the onlooker say,
/// which the walk finds equal, except for how many leases there were.
type Key = (Vec<(RequestId, bool)>, BTreeSet<RequestId>, Prompt, Phase);

impl Seen {
    fn begin() -> Self {
        Self {
            lock: Lock::new(),
            waiting: Vec::new(),
            holds: BTreeSet::new(),
            prompt: Prompt::Nobody,
            phase: Phase::Open,
            lease: 0,
        }
    }

    fn key(&self) -> Key {
        let Self {
            waiting,
            holds,
            prompt,
            phase,
            ..
        } = self.clone();
        (waiting, holds, prompt, phase)
    }

    /// Everything that may happen now to three requests of two actors.
    fn events(&self) -> Vec<Event> {
        let mut events = vec![
            lost("a"),
            lost("b"),
            Event::Dropped(Lease(self.lease)),
            Event::Dropped(Lease(self.lease + 1)),
            Event::Reclaimed(Lease(self.lease)),
            Event::Reclaimed(Lease(self.lease + 1)),
            Event::ClosingBegan,
            Event::Shut(Refusal::Closing),
            Event::Shut(Refusal::NoTerminal),
            Event::Tick,
        ];
        for text in ["a1", "a2", "b1"] {
            let no_hold = Event::HoldWithdrawn(request(text));
            events.extend([
                requested(text),
                shielded(text),
                hold(text),
                no_hold,
                released(text),
                Event::Preferred(request(text)),
            ]);
        }
        events
    }

    fn after(&self, event: &Event) -> Self {
        let mut next = self.clone();
        next.expect(event);
        let late = if *event == Event::Tick {
            RECLAIM_MAX
        } else {
            NOW
        };
        let mut out = Vec::new();
        next.lock.handle(event.clone(), late, &mut out);
        for action in &out {
            next.note(event, action);
        }
        next.compare();
        next
    }

    /// What the event itself changes.
    fn expect(&mut self, event: &Event) {
        match event {
            Event::HoldArrived(request) => drop(self.holds.insert(request.clone())),
            Event::HoldWithdrawn(request) => drop(self.holds.remove(request)),
            Event::Requested { request, shielded } => {
                let known = self.waiting.iter().any(|(waiting, _)| waiting == request);
                if !known && self.prompt != Prompt::Of(request.clone()) {
                    self.waiting.push((request.clone(), *shielded));
                }
            }
            Event::Released(request) => self.leave(|own| own == request),
            Event::Preferred(request) => {
                let is_it = |own: &(RequestId, bool)| own.0 == *request;
                if let Some(place) = self.waiting.iter().position(is_it) {
                    self.waiting[..=place].rotate_right(1);
                }
            }
            Event::PeerLost(actor) => self.leave(|own| own.actor == *actor),
            Event::Reclaimed(lease) if lease.0 == self.lease => self.arrive(),
            Event::Tick => self.arrive(),
            Event::ClosingBegan => self.phase = self.phase.max(Phase::Closing),
            Event::Shut(refusal) if self.phase < Phase::Shut(Refusal::Closing) => {
                self.phase = Phase::Shut(*refusal);
            }
            Event::Dropped(_) | Event::Reclaimed(_) | Event::Shut(_) => {}
        }
    }

    fn leave(&mut self, ends: impl Fn(&RequestId) -> bool) {
        self.waiting.retain(|(request, _)| !ends(request));
        if matches!(&self.prompt, Prompt::Of(request) if ends(request)) {
            self.prompt = Prompt::Leaving;
        }
    }

    fn arrive(&mut self) {
        if self.prompt == Prompt::Leaving {
            self.prompt = Prompt::Nobody;
        }
    }

    /// What an action means, and whether it may be.
    fn note(&mut self, event: &Event, action: &Action) {
        match action {
            Action::Grant { request, lease } => {
                assert_eq!(self.prompt, Prompt::Nobody, "one prompt at a time");
                let ready = |own: &RequestId| self.holds.contains(own);
                let first = self.waiting.iter().position(|(own, _)| ready(own)).unwrap();
                let (first, shielded) = self.waiting.remove(first);
                assert_eq!(first, *request, "the first whose hold has arrived");
                assert!(shielded || self.phase == Phase::Open);
                assert_eq!(lease.0, self.lease + 1, "each grant has its own number");
                self.prompt = Prompt::Of(first);
                self.lease += 1;
            }
            Action::Refuse { request, refusal } => {
                let place = self
                    .waiting
                    .iter()
                    .position(|(own, _)| own == request)
                    .unwrap();
                let (_, shielded) = self.waiting.remove(place);
                match self.phase {
                    Phase::Open => panic!("refused without a reason"),
                    Phase::Closing => assert!(!shielded && *refusal == Refusal::Closing),
                    Phase::Shut(reason) => assert_eq!(*refusal, reason),
                }
            }
            Action::Revoke { request, lease } => {
                assert!(matches!(event, Event::Dropped(_) | Event::Shut(_)));
                assert_eq!(
                    (&self.prompt, lease.0),
                    (&Prompt::Of(request.clone()), self.lease)
                );
                self.prompt = Prompt::Leaving;
            }
            Action::Reclaim(lease) => {
                assert_eq!((&self.prompt, lease.0), (&Prompt::Leaving, self.lease));
            }
            Action::Wake(at) => assert_eq!(self.lock.next_wake(), Some(*at)),
        }
    }

    /// Whether the lock is as the onlooker thinks.
    fn compare(&self) {
        let prompt = match self.lock.state() {
            State::Free => Prompt::Nobody,
            State::Held { request, .. } => Prompt::Of(request.clone()),
            State::Reclaiming { .. } => Prompt::Leaving,
        };
        assert_eq!(prompt, self.prompt);
        assert_eq!(self.lock.phase(), self.phase);
        assert!(
            self.lock
                .waiting()
                .eq(self.waiting.iter().map(|(request, _)| request))
        );
        let held = matches!(self.prompt, Prompt::Of(_));
        assert_eq!(self.lock.admits(Lease(self.lease)), held);
        assert!(
            self.prompt != Prompt::Nobody
                || self
                    .waiting
                    .iter()
                    .all(|(own, _)| !self.holds.contains(own)),
            "the lock never rests while it could grant"
        );
    }

    /// Lets every hold arrive and every prompt end, until nothing is left.
    fn run_down(&self) {
        let mut seen = self.clone();
        for (request, _) in self.waiting.clone() {
            seen = seen.after(&Event::HoldArrived(request));
        }
        for _ in 0..8 {
            let event = match &seen.prompt {
                Prompt::Nobody => break,
                Prompt::Of(request) => Event::Released(request.clone()),
                Prompt::Leaving => Event::Reclaimed(Lease(seen.lease)),
            };
            seen = seen.after(&event);
        }
        assert!(
            seen.prompt == Prompt::Nobody && seen.waiting.is_empty(),
            "{:?}",
            seen.lock
        );
    }
}

#[test]
fn no_way_through_breaks_a_rule() {
    let begin = Seen::begin();
    let mut seen = BTreeSet::from([begin.key()]);
    let mut edge = vec![begin];
    let (mut overtaken, mut two_behind, mut shielded_while_closing) = (false, false, false);
    while !edge.is_empty() {
        let mut next = Vec::new();
        for state in &edge {
            state.run_down();
            let holds = matches!(state.prompt, Prompt::Of(_));
            two_behind |= holds && state.waiting.len() == 2;
            for event in state.events() {
                let step = state.after(&event);
                let granted = step.lease > state.lease;
                overtaken |= granted && step.waiting.first() == state.waiting.first();
                shielded_while_closing |= granted && step.phase == Phase::Closing;
                if seen.insert(step.key()) {
                    next.push(step);
                }
            }
        }
        edge = next;
    }
    assert!(
        two_behind && overtaken && shielded_while_closing,
        "the walk goes far enough"
    );
    assert!(seen.len() > 1000, "{} states", seen.len());
}
