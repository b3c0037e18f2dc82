//! [`Levels`]: shipping ladders one below the other, with their clocks.
//!
//! The root has a child, which has a child, which has a child that may be anything: well, slow,
//! deaf, or stopped. Each message arrives at once or a little later. Whoever does its part is
//! sent no signal, whatever those below it do, and all are gone when the time is over.

use std::time::Duration;

use stateright::{Model, Property};
use tractor_nursery::ladder::{Action, Event, Ladder, Mutant, Rung, Rungs};

pub(super) const NAME: &str = "levels";

/// How many ladders there are: the root's, its child's, and that child's.
const DEPTH: usize = 3;
/// How late a message may be.
const LATE: Duration = Duration::from_millis(10);
/// All is over by then: what the root gives, and the last messages.
const END: Duration = Duration::from_millis(4100);

/// The model.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    mutant: Option<Mutant>,
}

/// All that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    now: Duration,
    lowest: Lowest,
    ladders: Vec<Ladder>,
    alive: [bool; DEPTH],
    /// What will happen, the next first.
    ahead: Vec<(Duration, usize, Ahead)>,
    /// Somebody who did its part was sent a signal.
    is_unjust: bool,
}

/// What the actor at the end of the chain does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lowest {
    Well,
    Slow,
    Deaf,
    Stopped,
}

/// What will happen to the actor of that number, or to its parent's ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Ahead {
    Acknowledged,
    Exited,
    Asked(Duration),
    Term,
    Kill,
    Finished,
    Tick,
}

/// The next thing happens, and what it sends comes at once or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    is_late: bool,
}

impl Levels {
    /// The same with a bug in each ladder.
    pub(super) fn with_mutant(mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
        }
    }
}

impl Chain {
    fn begin(mutant: Option<Mutant>, lowest: Lowest, remaining: Duration) -> Self {
        let ladder = Ladder::with_mutant(Rungs::default(), mutant);
        let mut chain = Self {
            now: Duration::ZERO,
            lowest,
            ladders: vec![ladder; DEPTH],
            alive: [true; DEPTH],
            ahead: Vec::new(),
            is_unjust: false,
        };
        chain.climb(0, Event::Begin { remaining }, Duration::ZERO);
        chain
    }

    fn plan(&mut self, after: Duration, actor: usize, what: Ahead) {
        self.ahead.push((self.now + after, actor, what));
        self.ahead.sort();
    }

    /// Tells the ladder of an actor, and does what it says.
    fn climb(&mut self, actor: usize, event: Event, delay: Duration) {
        let mut out = Vec::new();
        self.ladders[actor].handle(event, self.now, &mut out);
        for action in out {
            match action {
                Action::AskCancel { remaining } => {
                    self.plan(delay, actor, Ahead::Asked(remaining));
                }
                Action::SendTerm => self.plan(delay, actor, Ahead::Term),
                Action::SendKill => self.plan(delay, actor, Ahead::Kill),
                Action::Wake(at) => {
                    self.ahead
                        .retain(|own| (own.1, own.2) != (actor, Ahead::Tick));
                    self.plan(at.saturating_sub(self.now), actor, Ahead::Tick);
                }
            }
        }
    }

    fn happen(&mut self, actor: usize, what: Ahead, delay: Duration) {
        let is_lowest = actor == DEPTH - 1;
        match what {
            Ahead::Tick => self.climb(actor, Event::Tick, delay),
            Ahead::Acknowledged => self.climb(actor, Event::Acknowledged, delay),
            Ahead::Exited => {
                self.climb(actor, Event::Exited, delay);
                // Who waited only for this one has done its part.
                if actor > 0 && self.alive[actor - 1] {
                    self.exit(actor - 1, delay);
                }
            }
            _ if !self.alive[actor] => {}
            Ahead::Asked(remaining) => self.asked(actor, remaining, delay),
            Ahead::Finished => self.exit(actor, delay),
            Ahead::Term if is_lowest && self.lowest == Lowest::Stopped => {}
            Ahead::Term | Ahead::Kill => {
                self.is_unjust |= !is_lowest || self.lowest == Lowest::Well;
                self.exit(actor, delay);
            }
        }
    }

    fn asked(&mut self, actor: usize, remaining: Duration, delay: Duration) {
        if actor < DEPTH - 1 {
            self.plan(delay, actor, Ahead::Acknowledged);
            self.climb(actor + 1, Event::Begin { remaining }, delay);
            return;
        }
        match self.lowest {
            Lowest::Deaf | Lowest::Stopped => {}
            Lowest::Well | Lowest::Slow => {
                self.plan(delay, actor, Ahead::Acknowledged);
                let needs = match self.lowest {
                    Lowest::Slow => Duration::from_secs(3600),
                    _ => remaining / 2,
                };
                self.plan(needs, actor, Ahead::Finished);
            }
        }
    }

    fn exit(&mut self, actor: usize, delay: Duration) {
        // The kernel kills the child of one that dies.
        for below in actor..DEPTH {
            if self.alive[below] {
                self.alive[below] = false;
                self.ahead.retain(|own| own.1 != below);
                self.plan(delay, below, Ahead::Exited);
            }
        }
    }
}

impl Model for Levels {
    type State = Chain;
    type Action = Next;

    fn init_states(&self) -> Vec<Chain> {
        let lowest = [Lowest::Well, Lowest::Slow, Lowest::Deaf, Lowest::Stopped];
        let times = [Duration::MAX, Duration::from_secs(2)];
        let begin = |lowest| times.map(|time| Chain::begin(self.mutant, lowest, time));
        lowest.into_iter().flat_map(begin).collect()
    }

    fn actions(&self, chain: &Chain, actions: &mut Vec<Next>) {
        if !chain.ahead.is_empty() {
            actions.extend([false, true].map(|is_late| Next { is_late }));
        }
    }

    fn next_state(&self, chain: &Chain, next: Next) -> Option<Chain> {
        let mut chain = chain.clone();
        let (at, actor, what) = chain.ahead.remove(0);
        chain.now = at;
        let delay = if next.is_late { LATE } else { Duration::ZERO };
        chain.happen(actor, what, delay);
        Some(chain)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("who does its part is sent no signal", |_, chain: &Chain| {
                !chain.is_unjust
            }),
            Property::always("all are gone when the time is over", |_, chain: &Chain| {
                chain.now <= END || chain.alive == [false; DEPTH]
            }),
            Property::always("when all is still, all are gone", |_, chain: &Chain| {
                let gone = |ladder: &Ladder| ladder.rung() == Rung::Gone;
                !chain.ahead.is_empty() || chain.ladders.iter().all(gone)
            }),
        ]
    }
}
