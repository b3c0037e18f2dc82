//! What never happens on any way up the ladder: all short ways are walked, beside an onlooker who
//! counts the time and the signals.

use std::collections::HashSet;

use super::tests::{BEGIN, ms};
use super::*;

/// One point of the walk: the ladder, and what an onlooker remembers.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Seen {
    ladder: Ladder,
    now: u64,
    /// For how long something was held.
    held: u64,
    /// When it must be killed, if nothing is held any more.
    limit: Option<u64>,
    /// The end that the child was told last.
    told: Option<u64>,
    terms: u8,
    kills: u8,
}

/// Milliseconds: an answer until 64, SIGTERM at 160, SIGKILL at 192.
const SMALL: Rungs = Rungs {
    ack: Duration::from_millis(64),
    grace: Duration::from_millis(96),
    term: Duration::from_millis(32),
};
const STEP: u64 = 32;
const NOW_MAX: u64 = 8 * STEP;
const HELD_MAX: u64 = STEP;

impl Seen {
    fn begin() -> Self {
        Self {
            ladder: Ladder::new(SMALL),
            now: 0,
            held: 0,
            limit: None,
            told: None,
            terms: 0,
            kills: 0,
        }
    }

    /// A step later, or when the next tick is due.
    fn later(&self) -> Option<Self> {
        let due = self.ladder.next_wake().map(|at| at.as_millis() as u64);
        let now = due.map_or(self.now + STEP, |due| due.min(self.now + STEP));
        let is_held = self.ladder.holds() > 0;
        let held = self.held + if is_held { now - self.now } else { 0 };
        let next = Self {
            now,
            held,
            ..self.clone()
        };
        (now > self.now && now < NOW_MAX && held <= HELD_MAX).then_some(next)
    }

    fn after(&self, event: Event) -> Self {
        let mut next = self.clone();
        let mut out = Vec::new();
        next.ladder.handle(event, ms(self.now), &mut out);
        let (before, after) = (self.ladder.rung(), next.ladder.rung());
        assert!(before <= after, "a ladder is only climbed");
        let elapsed = self.now - self.held;
        let allowed = match event {
            Event::Begin { remaining } => Some(remaining.min(ms(192))),
            Event::Urge(remaining) if before != Rung::Running => Some(remaining),
            Event::LinkClosed => Some(ms(192)),
            _ => None,
        };
        if let Some(allowed) = allowed {
            let limit = elapsed + allowed.as_millis() as u64;
            next.limit = Some(self.limit.map_or(limit, |known| known.min(limit)));
        }
        for action in out {
            next.note(event, action);
        }
        assert!(next.terms <= 1 && next.kills <= 1, "one signal of each");
        assert_eq!(
            next.kills == 1,
            after == Rung::Killed || (after == Rung::Gone && self.kills == 1),
            "killed is who was sent the signal",
        );
        next
    }

    fn note(&mut self, event: Event, action: Action) {
        match action {
            Action::AskCancel { remaining } => {
                let end = self.now - self.held + remaining.as_millis() as u64;
                assert!(
                    remaining.is_zero() || self.told.is_none_or(|told| end <= told),
                    "a child is never given more time"
                );
                self.told = Some(self.told.map_or(end, |told| told.min(end)));
            }
            Action::SendTerm => {
                assert_eq!(event, Event::Tick);
                assert_eq!(self.ladder.holds(), 0, "no signal while held");
                self.terms += 1;
            }
            Action::SendKill => {
                assert!(event == Event::Force || self.ladder.holds() == 0);
                self.kills += 1;
            }
            Action::Wake(at) => assert_eq!(self.ladder.next_wake(), Some(at)),
        }
    }

    /// A parent that ticks when it is told to has killed by the end of the time.
    fn is_in_time(&self) -> bool {
        let open = matches!(
            self.ladder.rung(),
            Rung::Asked | Rung::Grace | Rung::Terminated
        );
        let due = self.ladder.next_wake().is_some_and(|at| at <= ms(self.now));
        !open || due || self.limit.is_none_or(|limit| self.now - self.held <= limit)
    }
}

#[test]
fn no_way_through_breaks_a_rule() {
    let events = [
        BEGIN,
        Event::Begin { remaining: ms(64) },
        Event::Linked,
        Event::Acknowledged,
        Event::LinkClosed,
        Event::Exited,
        Event::Tick,
        Event::HoldChanged(0),
        Event::HoldChanged(1),
        Event::Urge(ms(0)),
        Event::Urge(ms(96)),
        Event::Force,
    ];
    let mut seen = HashSet::from([Seen::begin()]);
    let mut edge = vec![Seen::begin()];
    let mut rungs = HashSet::new();
    while !edge.is_empty() {
        let mut next = Vec::new();
        for state in &edge {
            assert!(state.is_in_time(), "{:?} at {}", state.ladder, state.now);
            rungs.insert(state.ladder.rung());
            let steps = events.iter().map(|&event| state.after(event));
            for step in steps.chain(state.later()) {
                if seen.insert(step.clone()) {
                    next.push(step);
                }
            }
        }
        edge = next;
    }
    assert_eq!(rungs.len(), 6, "every rung was reached");
    assert!(seen.len() > 1000, "{} states", seen.len());
}
