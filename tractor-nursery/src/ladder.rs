//! [`Ladder`]: how one child process is brought down, each step with a bound.
//!
//! It takes what happened to the child and what the time is, and gives what to do: ask, send a
//! signal, wake me then. It does not know processes, links or clocks, so that its whole behaviour
//! can be tested; whoever owns the child performs the actions in the order given. Children climb
//! their ladders side by side, one [`Ladder`] each. Read [`Rung`] first.
//!
//! # Examples
//!
//! A child that is deaf is asked, then terminated, then killed:
//!
//! ```
//! use std::time::Duration;
//! use tractor_nursery::ladder::{Action, Event, Ladder, Rung, Rungs};
//!
//! let ms = Duration::from_millis;
//! let mut ladder = Ladder::new(Rungs { ack: ms(500), grace: ms(3000), term: ms(500) });
//! let mut out = Vec::new();
//!
//! ladder.handle(Event::Begin { remaining: Duration::MAX }, ms(0), &mut out);
//! assert_eq!(out, [Action::AskCancel { remaining: ms(3062) }, Action::Wake(ms(500))]);
//!
//! out.clear();
//! ladder.handle(Event::Tick, ms(500), &mut out);
//! assert_eq!(out, [Action::SendTerm, Action::Wake(ms(1000))]);
//!
//! out.clear();
//! ladder.handle(Event::Tick, ms(1000), &mut out);
//! assert_eq!(out, [Action::SendKill]);
//!
//! ladder.handle(Event::Exited, ms(1001), &mut out);
//! assert_eq!(ladder.rung(), Rung::Gone);
//! ```

// The ladder's own clock, and when each rung ends on it.
mod time;
// Bugs to be found by the models; none in a build without their feature.
mod mutant;

use std::time::Duration;

#[cfg(feature = "__mutants")]
pub use mutant::Mutant;
use mutant::seeded;

use time::{Clock, Plan};

/// How long the child may stand on each rung, at most.
///
/// A shorter time given by whoever asks ([`Event::Begin`], [`Event::Urge`]) bounds the whole; the
/// rungs never lengthen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rungs {
    /// From the request to the word that it was heard. Default: 500 ms.
    ///
    /// The child's runtime answers without waiting for any user code, so a child that is well
    /// answers within milliseconds; half a second allows for a machine with a hundred times more
    /// to do than it has processors. One that is silent for longer is stopped or stuck.
    pub ack: Duration,
    /// From the word that it was heard to the exit. Default: 3 s.
    ///
    /// This is the time of the user's clean-up, and of the ladders below the child.
    pub grace: Duration,
    /// From SIGTERM to SIGKILL. Default: 500 ms.
    ///
    /// SIGTERM ends a process at once unless it installed a handler; only for that handler, or
    /// for a foreign program's, is there a wait.
    pub term: Duration,
}

impl Default for Rungs {
    fn default() -> Self {
        Self {
            ack: Duration::from_millis(500),
            grace: Duration::from_secs(3),
            term: Duration::from_millis(500),
        }
    }
}

/// Where the child stands. It only ever climbs: in the order of this list, skipping some.
/// [`Event::Force`] leads to [`Rung::Killed`] from everywhere, [`Event::Exited`] to [`Rung::Gone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Nobody wants it to end. Left by [`Event::Begin`] for [`Rung::Asked`], by the loss of its
    /// link for [`Rung::Grace`].
    Running,
    /// Asked to cancel itself; it has not answered. Left when it answers, or for
    /// [`Rung::Terminated`] after [`Rungs::ack`].
    Asked,
    /// It heard, or its link is closed, which an actor takes as the same request. Left for
    /// [`Rung::Terminated`] when its time is used up.
    Grace,
    /// SIGTERM was sent. Left for [`Rung::Killed`] after [`Rungs::term`].
    Terminated,
    /// SIGKILL was sent. Only its exit is left to come, which the kernel may delay as long as the
    /// process is inside a system call that cannot be interrupted.
    Killed,
    /// It has exited. Nothing happens any more.
    Gone,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The child is to end, by SIGKILL at the latest when `remaining` is over; `Duration::MAX`
    /// leaves it to the [`Rungs`]. On a ladder that has begun it is the same as [`Event::Urge`].
    Begin {
        /// The time left, from now to the child's end.
        remaining: Duration,
    },
    /// The child, which had no link yet, has one now: if it was to be asked it can be.
    Linked,
    /// The child answered that it heard the request and is cancelling itself.
    Acknowledged,
    /// The link to the child is closed: it cannot be asked, and cannot tell of holds any more.
    ///
    /// If nothing has begun yet this begins it: an actor whose link is lost ends itself, and is
    /// given the same grace as one that was asked.
    LinkClosed,
    /// The process has exited.
    Exited,
    /// Time has passed. Nothing else makes the ladder act on the time.
    ///
    /// Whatever else is at hand goes in first, so that a late wake-up never costs a child its
    /// life for an answer that had arrived.
    Tick,
    /// So many requests for the terminal, waiting or granted, are open at the child or below it.
    HoldChanged(u32),
    /// Whoever asked will wait only so long from now. A longer time than was left changes
    /// nothing; on a ladder that has not begun it has no effect.
    Urge(Duration),
    /// The user will not wait, neither for the child nor for a prompt: kill it.
    Force,
}

/// What to do about it, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Ask the child to cancel itself within `remaining`.
    ///
    /// It is less than the child has here before SIGTERM, so that of several levels the innermost
    /// acts first and its report survives. It may be asked again with less.
    AskCancel {
        /// What the child may use for itself and everything below it.
        remaining: Duration,
    },
    /// Send SIGTERM to the child.
    SendTerm,
    /// Send SIGKILL to the child, and to its process group.
    SendKill,
    /// Hand in an [`Event::Tick`] at this time, at once if it is over. It replaces an earlier wish;
    /// a tick that comes although it is not wished for any more does no harm.
    Wake(Duration),
}

/// The way down for one child.
///
/// Times are durations since any fixed start, the same for all calls, from a clock that never
/// goes back. While requests for the terminal are open at or below the child
/// ([`Event::HoldChanged`]) the ladder's clock stands still: a child is asked, but no signal is
/// sent to it for the passing of time, and it finds as much time left afterwards as before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ladder {
    rungs: Rungs,
    rung: Rung,
    link: Link,
    clock: Clock,
    plan: Plan,
    /// When SIGKILL is due, known once SIGTERM is sent.
    kill_at: Duration,
    /// The wake-up that was last asked for and has not come.
    announced: Option<Duration>,
    #[cfg(feature = "__mutants")]
    mutant: Option<Mutant>,
}

impl Ladder {
    /// Makes the ladder of a child that is running, and that holds nothing. It is linked, or will
    /// be ([`Event::Linked`]).
    pub fn new(rungs: Rungs) -> Self {
        Self {
            rungs,
            rung: Rung::Running,
            link: Link::Open { holds: 0 },
            clock: Clock::default(),
            plan: Plan::default(),
            kill_at: Duration::ZERO,
            announced: None,
            #[cfg(feature = "__mutants")]
            mutant: None,
        }
    }

    /// Makes a ladder with a bug.
    #[cfg(feature = "__mutants")]
    pub fn with_mutant(rungs: Rungs, mutant: Option<Mutant>) -> Self {
        Self {
            mutant,
            ..Self::new(rungs)
        }
    }

    /// Where the child stands.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// How many requests for the terminal are open at or below the child.
    pub fn holds(&self) -> u32 {
        match self.link {
            Link::Open { holds } => holds,
            Link::Closed => 0,
        }
    }

    /// When the next [`Event::Tick`] is due, `None` if time changes nothing.
    pub fn next_wake(&self) -> Option<Duration> {
        let end = self.rung_end()?;
        self.clock.outside(end)
    }

    /// Takes in what happened at `now` and appends to `out` what is to be done about it.
    pub fn handle(&mut self, event: Event, now: Duration, out: &mut Vec<Action>) {
        let time = self.clock.inside(now);
        match event {
            _ if self.rung == Rung::Gone => return,
            Event::Begin { remaining } if self.rung == Rung::Running => {
                self.plan = Plan::new(self.rungs, remaining, time);
                self.rung = Rung::Asked;
                out.push(self.ask(time));
            }
            Event::Begin { remaining } | Event::Urge(remaining) => {
                self.hurry(remaining, time, out);
            }
            Event::Linked => {
                if self.rung == Rung::Asked {
                    out.push(self.ask(time));
                }
            }
            Event::Acknowledged => {
                if self.rung == Rung::Asked {
                    self.rung = Rung::Grace;
                }
            }
            Event::LinkClosed => self.link_closed(now),
            Event::Exited => {
                // The dead hold nothing, or a sum of holds over all children would never be zero.
                if !seeded!(self, ExitLeavesHolds) {
                    self.hold(0, now);
                }
                self.rung = Rung::Gone;
            }
            Event::Tick => {
                self.announced = None;
                self.climb(time, out);
            }
            Event::HoldChanged(count) => self.hold(count, now),
            Event::Force => self.kill(out),
        }
        let wake = self.next_wake();
        if wake != self.announced {
            self.announced = wake;
            out.extend(wake.map(Action::Wake));
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

    fn hurry(&mut self, remaining: Duration, time: Duration, out: &mut Vec<Action>) {
        match self.rung {
            Rung::Asked | Rung::Grace => {
                let told = self.plan.child_at;
                self.plan = self.plan.min(Plan::new(self.rungs, remaining, time));
                if self.plan.child_at < told && self.link != Link::Closed {
                    out.push(self.ask(time));
                }
            }
            Rung::Terminated => self.kill_at = self.kill_at.min(time.saturating_add(remaining)),
            Rung::Running | Rung::Killed | Rung::Gone => {}
        }
    }

    fn ask(&self, time: Duration) -> Action {
        let remaining = if seeded!(self, ChildGetsAllTheTime) {
            self.plan.term_at + self.plan.term - time
        } else {
            self.plan.child_has(time)
        };
        Action::AskCancel { remaining }
    }

    fn link_closed(&mut self, now: Duration) {
        // Nobody could ever take the holds back, and the ladder would stand still for ever.
        if !seeded!(self, HoldsOutliveTheLink) {
            self.hold(0, now);
            self.link = Link::Closed;
        }
        match self.rung {
            Rung::Running if seeded!(self, LostLinkEndsNobody) => {}
            Rung::Running => {
                self.plan = Plan::new(self.rungs, Duration::MAX, self.clock.inside(now));
                self.rung = Rung::Grace;
            }
            Rung::Asked => self.rung = Rung::Grace,
            Rung::Grace | Rung::Terminated | Rung::Killed | Rung::Gone => {}
        }
    }

    fn hold(&mut self, count: u32, now: Duration) {
        let Link::Open { holds } = &mut self.link else {
            return;
        };
        *holds = count;
        if count == 0 || seeded!(self, ClockIgnoresHolds) {
            self.clock.go(now);
        } else {
            self.clock.stand(now);
        }
    }

    /// Goes up as many rungs as the time says, each with its own signal.
    fn climb(&mut self, time: Duration, out: &mut Vec<Action>) {
        while (self.holds() == 0 || seeded!(self, ClockIgnoresHolds))
            && self.rung_end().is_some_and(|end| end <= time)
        {
            if self.rung == Rung::Terminated {
                if seeded!(self, NeverKills) {
                    self.rung = Rung::Killed;
                }
                self.kill(out);
            } else {
                self.rung = Rung::Terminated;
                // Counted from now, not from when it was due: a parent that was stopped and goes
                // on late still gives its children the time between the two signals.
                self.kill_at = time.saturating_add(self.plan.term);
                out.push(Action::SendTerm);
            }
        }
    }

    fn kill(&mut self, out: &mut Vec<Action>) {
        if self.rung < Rung::Killed {
            self.rung = Rung::Killed;
            out.push(Action::SendKill);
        }
    }

    /// When the present rung ends by the passing of time, on the ladder's own clock.
    fn rung_end(&self) -> Option<Duration> {
        match self.rung {
            Rung::Asked => Some(self.plan.ack_at),
            Rung::Grace => Some(self.plan.term_at),
            Rung::Terminated => Some(self.kill_at),
            Rung::Running | Rung::Killed | Rung::Gone => None,
        }
    }

    /// Asserts what holds between any two events.
    fn check(&self) {
        assert_eq!(
            self.clock.is_standing(),
            self.holds() > 0,
            "the clock stands exactly while something is held",
        );
        assert_eq!(
            self.announced,
            self.next_wake(),
            "the wake-up that is due was asked for"
        );
        assert!(
            self.plan.ack_at <= self.plan.term_at,
            "an answer is due before the signal"
        );
        assert!(
            self.plan.child_at <= self.plan.term_at,
            "the child is told to end before the signal"
        );
        assert!(
            self.rung > Rung::Asked || self.link != Link::Closed,
            "who cannot be asked is not waited for",
        );
        assert!(
            self.rung != Rung::Running || self.plan == Plan::default(),
            "no time runs before the ladder has begun",
        );
        assert!(
            self.rung != Rung::Gone || self.holds() == 0,
            "the dead hold nothing"
        );
    }
}

/// The supervision link, and what the child said over it about the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Link {
    Open { holds: u32 },
    Closed,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
