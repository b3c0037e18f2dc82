//! [`Phase`]: where a task stands, in one word that every thread may change.
//!
//! Pure: each step says what its caller has to do next. Whoever polls or drops the task holds the
//! right to it, which is one bit of the word; all others leave their wish in another.

use std::sync::atomic::{AtomicU32, Ordering};

/// Somebody polls or drops it, and nobody else may.
const HELD: u32 = 1;
/// It was woken since its last poll began.
const WOKEN: u32 = 2;
/// The executor has it.
const MOVED: u32 = 4;
/// It is answered.
const DONE: u32 = 8;
/// It is to be dropped as soon as nothing shields it.
const CANCELLED: u32 = 16;
/// It is a plain function on a thread of its own, which cannot be dropped.
const BLOCKING: u32 = 32;
/// The bits above count the polls by the executor, and begin anew after 67 million.
const POLL: u32 = 64;

/// Where a task stands.
///
/// It begins held, by the leader that polls it first. Given back it is at rest; the first wake
/// moves it to the executor, for good. It ends done.
#[derive(Debug)]
pub(super) struct Phase(AtomicU32);

/// What a wake asks of whoever woke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Nothing: it is woken already, over, or held by somebody who will see.
    Nothing,
    /// To hand the task to the executor.
    Move,
    /// To wake the executor's task.
    Notify,
}

/// What a cancel asks of whoever cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    /// Nothing: it is cancelled already, or over.
    Nothing,
    /// To have it dropped: it was at rest, and is held for that now.
    Drop,
    /// To answer at once: its function cannot be dropped.
    Answer,
    /// To have it polled once more, in case its shield ended meanwhile.
    Wake,
}

/// What was found by who wanted to hold a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is over.
    Done,
    /// Somebody else holds it, and will wake the executor's task.
    Busy,
    /// It is held now; it may be cancelled.
    Held { cancelled: bool },
}

/// What was found by who held a task and has no answer from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is at rest.
    Resting,
    /// It has become a plain function on a thread of its own.
    Blocking,
    /// It is still held, because it was woken or cancelled meanwhile.
    StillHeld { cancelled: bool },
}

/// What a task was when it was given back without more ado.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GivenBack {
    pub(super) woken: bool,
    pub(super) moved: bool,
}

/// How a task looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) held: bool,
    pub(super) woken: bool,
    pub(super) done: bool,
    pub(super) cancelled: bool,
    pub(super) blocking: bool,
    /// How often the executor has begun to poll it.
    pub(super) polls: u32,
}

impl Phase {
    /// A fresh task, held by its maker.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(HELD))
    }

    pub(super) fn look(&self) -> Look {
        let word = self.0.load(Ordering::Acquire);
        Look {
            held: word & HELD != 0,
            woken: word & WOKEN != 0,
            done: word & DONE != 0,
            cancelled: word & CANCELLED != 0,
            blocking: word & BLOCKING != 0,
            polls: word / POLL,
        }
    }

    /// It was woken.
    pub(super) fn wake(&self) -> Wake {
        self.change(|word| {
            if word & (DONE | WOKEN) != 0 {
                return (word, Wake::Nothing);
            }
            let next = word | WOKEN;
            match (word & HELD != 0, word & MOVED != 0) {
                (true, _) => (next, Wake::Nothing),
                (false, true) => (next, Wake::Notify),
                (false, false) => (next | MOVED, Wake::Move),
            }
        })
    }

    /// For who holds it: whether it woke itself and nothing speaks against polling it again.
    pub(super) fn take_wake(&self) -> bool {
        self.change(|word| {
            let again = word & (WOKEN | CANCELLED | BLOCKING) == WOKEN;
            (if again { word & !WOKEN } else { word }, again)
        })
    }

    /// For who holds it: gives it to the executor, which is to poll it soon.
    pub(super) fn move_out(&self) {
        self.change(|word| ((word & !HELD) | MOVED | WOKEN, ()));
    }

    /// It is cancelled. `shielded` tells that it may not be dropped now.
    pub(super) fn cancel(&self, shielded: bool) -> Cancel {
        self.change(|word| {
            if word & (DONE | CANCELLED) != 0 {
                return (word, Cancel::Nothing);
            }
            let next = word | CANCELLED;
            if word & BLOCKING != 0 {
                (next, Cancel::Answer)
            } else if word & HELD == 0 && !shielded {
                (next | HELD, Cancel::Drop)
            } else {
                (next, Cancel::Wake)
            }
        })
    }

    /// Wants to hold it, for a poll.
    pub(super) fn claim(&self) -> Claim {
        self.change(|word| {
            if word & DONE != 0 {
                (word, Claim::Done)
            } else if word & HELD != 0 {
                (word, Claim::Busy)
            } else {
                let cancelled = word & CANCELLED != 0;
                let held = (word | HELD) & !WOKEN;
                (held.wrapping_add(POLL), Claim::Held { cancelled })
            }
        })
    }

    /// For who holds it: lets it rest, unless something happened that has to be seen to.
    pub(super) fn rest(&self) -> Rest {
        self.change(|word| {
            if word & BLOCKING != 0 {
                (word, Rest::Blocking)
            } else if word & (WOKEN | CANCELLED) != 0 {
                let cancelled = word & CANCELLED != 0;
                (word, Rest::StillHeld { cancelled })
            } else {
                (word & !HELD, Rest::Resting)
            }
        })
    }

    /// For who holds it: gives it back as it is. A wake that came while it was held left no other
    /// trace than the one told here.
    pub(super) fn give_back(&self) -> GivenBack {
        let before = self.0.fetch_and(!HELD, Ordering::AcqRel);
        GivenBack {
            woken: before & WOKEN != 0,
            moved: before & MOVED != 0,
        }
    }

    /// For who holds it: it becomes a plain function on a thread of its own. Tells whether it is
    /// cancelled and shall not begin.
    pub(super) fn block(&self) -> bool {
        self.0.fetch_or(BLOCKING, Ordering::AcqRel) & CANCELLED != 0
    }

    /// It is over. Tells whether it was cancelled before, so that a plain function knows whether
    /// it was answered already.
    pub(super) fn finish(&self) -> bool {
        self.0.fetch_or(DONE, Ordering::AcqRel) & CANCELLED != 0
    }

    /// Replaces the word by what `step` makes of it, as if nobody else were there.
    fn change<T>(&self, step: impl Fn(u32) -> (u32, T)) -> T {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let (next, result) = step(word);
            match self
                .0
                .compare_exchange(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return result,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn word(phase: &Phase) -> u32 {
        phase.0.load(Ordering::Relaxed)
    }

    fn at(word: u32) -> Phase {
        Phase(AtomicU32::new(word))
    }

    /// A call whose first poll waits, which is woken, moves, and is answered.
    #[test]
    fn the_usual_life_of_a_task() {
        let phase = Phase::new();
        assert_eq!(phase.rest(), Rest::Resting);
        assert_eq!(phase.wake(), Wake::Move);
        assert_eq!(phase.wake(), Wake::Nothing, "one wake is enough");
        assert_eq!(phase.claim(), Claim::Held { cancelled: false });
        assert_eq!(phase.wake(), Wake::Nothing, "who holds it sees the wake");
        assert_eq!(phase.rest(), Rest::StillHeld { cancelled: false });
        assert_eq!(
            phase.give_back(),
            GivenBack {
                woken: true,
                moved: true
            }
        );
        assert_eq!(phase.claim(), Claim::Held { cancelled: false });
        assert_eq!(phase.rest(), Rest::Resting);
        assert_eq!(phase.wake(), Wake::Notify);
        assert!(!phase.finish());
        assert_eq!((phase.wake(), phase.claim()), (Wake::Nothing, Claim::Done));
        assert_eq!(phase.cancel(false), Cancel::Nothing);
    }

    #[test]
    fn a_cancel_takes_hold_of_what_is_at_rest_and_of_nothing_else() {
        for (before, shielded, expected) in [
            (0, false, Cancel::Drop),
            (MOVED | WOKEN, false, Cancel::Drop),
            (0, true, Cancel::Wake),
            (HELD, false, Cancel::Wake),
            (HELD | BLOCKING, false, Cancel::Answer),
            (HELD | CANCELLED, false, Cancel::Nothing),
            (DONE, false, Cancel::Nothing),
        ] {
            let phase = at(before);
            assert_eq!(phase.cancel(shielded), expected, "{before:b}");
            let takes_hold = expected == Cancel::Drop;
            assert_eq!(word(&phase) & HELD != 0, takes_hold || before & HELD != 0);
        }
    }

    #[test]
    fn polls_of_the_executor_are_counted_for_ever() {
        let phase = at(MOVED | WOKEN | !(POLL - 1));
        let before = phase.look().polls;
        assert_eq!(phase.claim(), Claim::Held { cancelled: false });
        let look = phase.look();
        assert_eq!((look.polls, before), (0, u32::MAX / POLL));
        assert!(look.held && !look.woken, "nothing else has changed");
        phase.rest();
        phase.wake();
        phase.claim();
        assert_eq!(phase.look().polls, 1);
    }

    #[test]
    fn a_plain_function_is_answered_once() {
        let phase = Phase::new();
        assert!(!phase.block());
        assert_eq!(phase.rest(), Rest::Blocking);
        assert_eq!(phase.cancel(false), Cancel::Answer);
        assert!(phase.finish(), "its own result is discarded");
        let phase = Phase::new();
        phase.cancel(false);
        assert!(
            phase.block(),
            "cancelled before it began, it does not begin"
        );
    }

    #[test]
    fn only_a_wake_without_a_cancel_asks_for_another_poll() {
        for (before, again) in [
            (HELD | WOKEN, true),
            (HELD, false),
            (HELD | WOKEN | CANCELLED, false),
            (HELD | WOKEN | BLOCKING, false),
        ] {
            let phase = at(before);
            assert_eq!(phase.take_wake(), again);
            assert!(!phase.take_wake(), "it is taken once");
        }
    }

    /// Walks over all words that any order of steps can reach, and checks in each that somebody
    /// is responsible for the task.
    #[test]
    fn in_every_reachable_state_somebody_is_responsible() {
        let (mut seen, mut left) = (BTreeSet::new(), vec![HELD]);
        while let Some(before) = left.pop() {
            if !seen.insert(before) {
                continue;
            }
            let mut reach = |step: &dyn Fn(&Phase)| {
                let phase = at(before);
                step(&phase);
                left.push(word(&phase) % POLL);
            };
            reach(&|phase| _ = phase.wake());
            for shielded in [false, true] {
                reach(&|phase| _ = phase.cancel(shielded));
            }
            if before & (MOVED | HELD) == MOVED {
                reach(&|phase| _ = phase.claim());
            }
            if before & (MOVED | HELD | DONE) == MOVED | HELD {
                reach(&|phase| _ = phase.give_back());
            }
            if before & (HELD | DONE | BLOCKING) == HELD {
                reach(&|phase| _ = phase.rest());
                reach(&|phase| phase.move_out());
                reach(&|phase| _ = phase.take_wake());
                reach(&|phase| _ = phase.finish());
            }
            if before & WOKEN != 0 && before & DONE == 0 {
                let responsible = before & (HELD | MOVED) != 0;
                assert!(responsible, "{before:b} is woken and nobody will poll it");
            }
        }
        assert!(seen.len() > 10, "{seen:?}");
    }
}
