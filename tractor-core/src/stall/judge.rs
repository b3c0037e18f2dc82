//! [`Judge`]: whether user code has taken a thread away that polls calls, from looks now and then.
//!
//! Pure; times are durations since any fixed start, without the spells during which the process was
//! stopped.

use std::time::Duration;

/// How long a call may be polled, or wait to be polled, before that is told.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(5);
/// The time from one look to the next.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// As that, once a stall was told: an eighth of its length, but no more than this.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);

/// A call that is not at rest, as a look finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its task.
    pub(crate) number: u64,
    /// How often it was polled: another number means that it has gone on meanwhile.
    pub(crate) polls: u32,
    pub(crate) doing: Doing,
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It is being polled.
    Runs,
    /// It could go on, and nobody polls it.
    Waits,
}

/// What there is to tell after a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A stall has begun: the calls that are part of it, the longest first, each with its time.
    Stalled(Vec<(Seen, Duration)>),
    /// It is over, after this time.
    GoesOn(Duration),
}

/// What the looks so far have found.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// What the latest look found, and when it was first found like that.
    known: Vec<(Seen, Duration)>,
    /// Since when there is the stall that was told.
    told: Option<Duration>,
}

impl Judge {
    pub(super) const fn new() -> Self {
        Self {
            known: Vec::new(),
            told: None,
        }
    }

    /// A look at `now` finds these.
    pub(super) fn look(&mut self, now: Duration, seen: &[Seen]) -> Option<Verdict> {
        let before = std::mem::take(&mut self.known);
        let since = |seen: &Seen| {
            let known = before.iter().find(|(known, _)| known == seen);
            known.map_or(now, |(_, since)| *since)
        };
        self.known = seen.iter().map(|seen| (*seen, since(seen))).collect();
        self.known.sort_by_key(|(_, since)| *since);
        let oldest = self.known.first().map(|(_, since)| *since);
        let stalled = oldest.filter(|since| now.saturating_sub(*since) >= STALLED_AFTER);
        match (self.told, stalled) {
            (None, Some(since)) => {
                self.told = Some(since);
                let age = |since: &Duration| now.saturating_sub(*since);
                let known = self.known.iter();
                Some(Verdict::Stalled(
                    known.map(|(seen, since)| (*seen, age(since))).collect(),
                ))
            }
            (Some(since), None) => {
                self.told = None;
                Some(Verdict::GoesOn(now.saturating_sub(since)))
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// When the next look is due after that at `now`; `None` if there is nothing to look at.
    pub(super) fn next_look(&self, now: Duration) -> Option<Duration> {
        let (_, oldest) = self.known.first()?;
        let age = now.saturating_sub(self.told.unwrap_or(*oldest));
        Some(match self.told {
            Some(_) => (age / 8).clamp(LOOK_EVERY, LOOK_EVERY_MAX),
            None => LOOK_EVERY,
        })
    }

    /// Somebody is at a prompt, and may block whatever they like: the time until now does not
    /// count.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    const fn seen(number: u64, polls: u32, doing: Doing) -> Seen {
        Seen {
            number,
            polls,
            doing,
        }
    }

    const BLOCKS: Seen = seen(1, 1, Doing::Runs);
    const QUEUED: Seen = seen(2, 0, Doing::Waits);

    #[test]
    fn a_stall_is_told_once_with_all_who_wait_and_its_end_once() {
        let mut judge = Judge::new();
        assert_eq!(judge.look(s(1), &[BLOCKS]), None);
        for at in 2..6 {
            assert_eq!(judge.look(s(at), &[QUEUED, BLOCKS]), None);
            assert_eq!(judge.next_look(s(at)), Some(LOOK_EVERY));
        }
        let told = Verdict::Stalled(vec![(BLOCKS, s(5)), (QUEUED, s(4))]);
        assert_eq!(judge.look(s(6), &[QUEUED, BLOCKS]), Some(told));
        assert_eq!(judge.look(s(7), &[QUEUED, BLOCKS]), None);
        // The second has its turn, and goes on well.
        let second = seen(2, 1, Doing::Runs);
        assert_eq!(judge.look(s(8), &[second]), Some(Verdict::GoesOn(s(7))));
        assert_eq!(judge.look(s(9), &[]), None);
        assert_eq!(judge.next_look(s(9)), None, "nothing is looked at any more");
    }

    #[test]
    fn who_is_polled_again_and_again_is_not_stalled() {
        let mut judge = Judge::new();
        for at in 0..20 {
            let polls = u32::try_from(at).unwrap();
            let busy = seen(1, polls, Doing::Runs);
            let woken = seen(2, polls, Doing::Waits);
            assert_eq!(judge.look(s(at), &[busy, woken]), None);
        }
    }

    #[test]
    fn one_behind_another_is_one_stall() {
        let mut judge = Judge::new();
        let third = seen(3, 0, Doing::Waits);
        judge.look(s(0), &[BLOCKS, QUEUED, third]);
        assert!(judge.look(s(5), &[BLOCKS, QUEUED, third]).is_some());
        let second = seen(2, 1, Doing::Runs);
        assert_eq!(judge.look(s(8), &[second, third]), None);
        assert_eq!(judge.look(s(11), &[]), Some(Verdict::GoesOn(s(11))));
    }

    #[test]
    fn a_long_stall_is_looked_at_less_often() {
        let mut judge = Judge::new();
        judge.look(s(0), &[BLOCKS]);
        judge.look(s(5), &[BLOCKS]);
        for (now, next) in [(s(5), s(1)), (s(40), s(5)), (s(3600), s(10))] {
            assert_eq!(judge.next_look(now), Some(next));
        }
    }

    #[test]
    fn the_time_of_a_prompt_does_not_count() {
        let mut judge = Judge::new();
        judge.look(s(0), &[BLOCKS]);
        judge.forget();
        assert_eq!(judge.next_look(s(4)), None);
        assert_eq!(judge.look(s(5), &[BLOCKS]), None);
        assert!(judge.look(s(10), &[BLOCKS]).is_some());
    }
}
