//! [`Judge`]: whether user code has taken a thread away that polls calls, from looks now and then.
//!
//! Pure; times are durations since any fixed start, without the spells during which the process was
//! stopped.

use std::cmp::Reverse;
use std::collections::BTreeMap;
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
    /// A call has kept its thread for too long: what all calls do, the longest first, each with its
    /// time.
    Kept(Vec<(Seen, Duration)>),
    /// The same while another waits behind it and none goes on, or one has waited for too long.
    Stalled(Vec<(Seen, Duration)>),
    /// It is over, after this time.
    GoesOn(Duration),
}

/// What the looks so far have found.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// What the latest look found, by task, and when it was first found like that.
    known: BTreeMap<u64, (Seen, Duration)>,
    /// When a look last found that a call had gone on.
    moved: Duration,
    /// Since when there is the stall that was told.
    told: Option<Duration>,
}

impl Judge {
    pub(super) const fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            moved: Duration::ZERO,
            told: None,
        }
    }

    /// A look at `now` finds these.
    pub(super) fn look(&mut self, now: Duration, seen: &[Seen]) -> Option<Verdict> {
        let before = std::mem::take(&mut self.known);
        let since = |seen: &Seen| {
            let known = before.get(&seen.number);
            let known = known.filter(|(known, _)| known == seen);
            known.map_or(now, |(_, since)| *since)
        };
        let with_times = seen.iter().map(|seen| (seen.number, (*seen, since(seen))));
        self.known = with_times.collect();
        if self.has_moved(&before) {
            self.moved = now;
        }
        match self.told {
            None => {
                let since = self.stalled_since(now)?;
                self.told = Some(since);
                let begun = if self.holds_up(now) {
                    Verdict::Stalled
                } else {
                    Verdict::Kept
                };
                Some(begun(self.ages(now)))
            }
            // Who still waits for as long belongs to the same stall.
            Some(_) if self.oldest(|_| true, now).is_some() => None,
            Some(since) => {
                self.told = None;
                Some(Verdict::GoesOn(now.saturating_sub(since)))
            }
        }
    }

    /// Whether one of those that were known then has been polled since, or is not at work any more:
    /// a call that is given up before it was polled at all is taken for one that has ended.
    fn has_moved(&self, before: &BTreeMap<u64, (Seen, Duration)>) -> bool {
        before.iter().any(|(number, (seen, _))| {
            let now = self.known.get(number);
            now.is_none_or(|(now, _)| now.polls != seen.polls)
        })
    }

    /// Since when there is a stall: a call is polled for too long, or one waits for too long while
    /// no other goes on. Those at the end of a long queue only wait.
    fn stalled_since(&self, now: Duration) -> Option<Duration> {
        let is_still = now.saturating_sub(self.moved) >= STALLED_AFTER;
        self.oldest(|doing| doing == Doing::Runs || is_still, now)
    }

    /// Whether one waits, and no call has gone on, since an earlier look. One that was just woken
    /// waits as well, mostly for no more than a thread to come.
    fn holds_up(&self, now: Duration) -> bool {
        let mut known = self.known.values();
        self.moved < now && known.any(|(seen, since)| seen.doing == Doing::Waits && *since < now)
    }

    /// The longest that one of these does the same, if that is too long.
    fn oldest(&self, counts: impl Fn(Doing) -> bool, now: Duration) -> Option<Duration> {
        let known = self.known.values();
        let times = known.filter(|(seen, _)| counts(seen.doing));
        let oldest = times.map(|(_, since)| *since).min()?;
        (now.saturating_sub(oldest) >= STALLED_AFTER).then_some(oldest)
    }

    fn ages(&self, now: Duration) -> Vec<(Seen, Duration)> {
        let known = self.known.values();
        let ages = known.map(|(seen, since)| (*seen, now.saturating_sub(*since)));
        let mut ages: Vec<_> = ages.collect();
        ages.sort_by_key(|(_, age)| Reverse(*age));
        ages
    }

    /// When the next look is due after that at `now`; `None` if there is nothing to look at.
    pub(super) fn next_look(&self, now: Duration) -> Option<Duration> {
        match self.told {
            Some(since) => {
                let age = now.saturating_sub(since);
                Some((age / 8).clamp(LOOK_EVERY, LOOK_EVERY_MAX))
            }
            None => (!self.known.is_empty()).then_some(LOOK_EVERY),
        }
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
    fn who_waits_at_the_end_of_a_queue_that_moves_is_not_stalled() {
        let mut judge = Judge::new();
        for at in 0..20 {
            let running = seen(at, 1, Doing::Runs);
            let behind = (at + 1..30).map(|number| seen(number, 0, Doing::Waits));
            let all: Vec<_> = std::iter::once(running).chain(behind).collect();
            assert_eq!(judge.look(s(at), &all), None);
        }
        // Now it does not move any more.
        let all = [seen(19, 1, Doing::Runs), seen(20, 0, Doing::Waits)];
        assert_eq!(judge.look(s(23), &all), None);
        assert!(judge.look(s(24), &all).is_some());
    }

    #[test]
    fn who_waits_while_no_call_goes_on_is_stalled() {
        let mut judge = Judge::new();
        for at in 1..6 {
            assert_eq!(judge.look(s(at), &[QUEUED]), None);
        }
        let told = Verdict::Stalled(vec![(QUEUED, s(5))]);
        assert_eq!(judge.look(s(6), &[QUEUED]), Some(told));
    }

    #[test]
    fn a_thread_that_is_kept_while_others_go_on_is_no_stall_of_all() {
        let mut judge = Judge::new();
        judge.look(s(0), &[BLOCKS]);
        let woken = Verdict::Kept(vec![(BLOCKS, s(5)), (QUEUED, s(0))]);
        assert_eq!(judge.look(s(5), &[BLOCKS, QUEUED]), Some(woken));

        let mut judge = Judge::new();
        let other = |polls| seen(3, polls, Doing::Waits);
        judge.look(s(0), &[BLOCKS, QUEUED, other(0)]);
        judge.look(s(3), &[BLOCKS, QUEUED, other(0)]);
        let behind = vec![(BLOCKS, s(5)), (QUEUED, s(5)), (other(1), s(0))];
        let told = judge.look(s(5), &[BLOCKS, QUEUED, other(1)]);
        assert_eq!(told, Some(Verdict::Kept(behind)));
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
