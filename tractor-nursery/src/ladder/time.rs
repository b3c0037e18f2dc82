//! [`Clock`] and [`Plan`]: the ladder's own time, and when each rung ends on it.

use std::time::Duration;

use super::Rungs;

/// Time as the ladder counts it: without the spells during which something was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    /// The sum of all finished spells.
    stood: Duration,
    /// Since when it stands, as seen from outside.
    standing: Option<Duration>,
}

impl Clock {
    /// What this clock shows at `now`.
    pub(super) fn inside(&self, now: Duration) -> Duration {
        self.standing.unwrap_or(now).saturating_sub(self.stood)
    }

    /// When a time on this clock will come, `None` while that cannot be said.
    pub(super) fn outside(&self, time: Duration) -> Option<Duration> {
        match self.standing {
            None => time.checked_add(self.stood).filter(|&at| at < NEVER),
            Some(_) => None,
        }
    }

    pub(super) fn is_standing(&self) -> bool {
        self.standing.is_some()
    }

    pub(super) fn stand(&mut self, now: Duration) {
        self.standing.get_or_insert(now);
    }

    pub(super) fn go(&mut self, now: Duration) {
        if let Some(since) = self.standing.take() {
            self.stood += now.saturating_sub(since);
        }
    }
}

/// When each rung ends, on the ladder's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    /// The end of waiting for an answer.
    pub(super) ack_at: Duration,
    /// The end that the child is told.
    pub(super) child_at: Duration,
    /// When SIGTERM is due.
    pub(super) term_at: Duration,
    /// From SIGTERM, whenever it is sent, to SIGKILL.
    pub(super) term: Duration,
}

impl Plan {
    /// Shares out what the rungs allow from `time` on, or `remaining` if that is less.
    pub(super) fn new(rungs: Rungs, remaining: Duration, time: Duration) -> Self {
        let whole = rungs.ack.saturating_add(rungs.grace);
        let whole = whole.saturating_add(rungs.term).min(remaining);
        // Of a short time most goes to the child's own clean-up, which a signal would spoil.
        let term = rungs.term.min(whole / 4);
        let polite = whole - term;
        let term_at = time.saturating_add(polite);
        Self {
            ack_at: time.saturating_add(rungs.ack).min(term_at),
            // The last eighth is for the child's report to arrive and its process to exit.
            child_at: time.saturating_add(polite - polite / 8),
            term_at,
            term,
        }
    }

    /// This plan, or if `other` ends sooner what is earlier of both in everything: a new plan has
    /// shorter shares counted from a later time, and nothing that is due may be put off by it.
    pub(super) fn min(self, other: Self) -> Self {
        if other.end() < self.end() {
            Self {
                ack_at: self.ack_at.min(other.ack_at),
                child_at: self.child_at.min(other.child_at),
                term_at: self.term_at.min(other.term_at),
                term: self.term.min(other.term),
            }
        } else {
            self
        }
    }

    /// How long the child may still take for itself at `time`, in whole milliseconds as the wire
    /// carries them, and rounded down so that nothing is gained on the way.
    pub(super) fn child_has(&self, time: Duration) -> Duration {
        let left = self.child_at.saturating_sub(time);
        Duration::new(left.as_secs(), left.subsec_millis() * 1_000_000)
    }

    /// When SIGKILL is due at the latest.
    fn end(&self) -> Duration {
        self.term_at.saturating_add(self.term)
    }
}

/// A time after which no wake-up is asked for: 136 years. Timers cannot always take what a
/// `Duration` can, and whoever sets a rung to `Duration::MAX` wants to wait for ever.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);
