//! Whether a process that died of SIGKILL was killed by the kernel for its memory, as far as its
//! control group tells.
//!
//! The group counts such kills, but does not say of whom. So the count is read before each process
//! is started, and after each death by that signal: what it has grown by since is taken for deaths
//! that are dealt with at about that time. Somebody else's, of a grandchild for one, may be among
//! it, so what is said is likely and not certain.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::os;

/// What the control group of a process that died of SIGKILL says of out-of-memory kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OutOfMemory {
    /// It has counted one more since the parent looked last: when it last started a process, unless
    /// that was less than two seconds ago, or at an earlier death by that signal. Most likely this
    /// one.
    Counted,
    /// It has counted some, this one perhaps among them: the group is another than that of the
    /// parent, who has not looked at it before.
    Possible,
}

/// Asks that before the process is reaped, and only of one that has died of SIGKILL which nobody
/// here has sent. `None` if nothing was counted, or nobody counts.
pub fn out_of_memory(pid: u32) -> Option<OutOfMemory> {
    // Of one that has exited some kernels do not tell it; it began in our own group.
    let file = os::memory_events(Some(pid)).or_else(|| os::memory_events(None))?;
    // Read while nobody else does, so that no older count comes after a newer one.
    let mut counts = counts();
    let kills = os::oom_kills(&file)?;
    let now = START.elapsed();
    match counts.get_mut(&file) {
        Some(count) => count.died(kills, now).then_some(OutOfMemory::Counted),
        None => {
            counts.insert(file, Count::new(kills));
            (kills > 0).then_some(OutOfMemory::Possible)
        }
    }
}

/// Reads how many there are; for who is about to start a process.
pub(super) fn remember() {
    static OURS: LazyLock<Option<PathBuf>> = LazyLock::new(|| os::memory_events(None));
    let mut counts = counts();
    let kills = OURS.as_deref().and_then(os::oom_kills);
    if let (Some(file), Some(kills)) = (&*OURS, kills) {
        match counts.get_mut(file) {
            Some(count) => count.look(kills, START.elapsed()),
            None => drop(counts.insert(file.clone(), Count::new(kills))),
        }
    }
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static COUNTS: LazyLock<Mutex<HashMap<PathBuf, Count>>> = LazyLock::new(Mutex::default);

fn counts() -> MutexGuard<'static, HashMap<PathBuf, Count>> {
    // Its changes are single calls of the map.
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For how long a count that has grown by more than one is left to other deaths: those of processes
/// that were killed together are dealt with within this.
const TOGETHER: Duration = Duration::from_secs(2);

/// What is known of the count of one group. Times are durations since any fixed start.
#[derive(Debug)]
struct Count {
    seen: u64,
    /// Kills that were seen and have no death of ours yet.
    left: u64,
    grown: Duration,
}

impl Count {
    fn new(seen: u64) -> Self {
        Self {
            seen,
            left: 0,
            grown: Duration::ZERO,
        }
    }

    /// It has counted so many kills.
    fn look(&mut self, kills: u64, now: Duration) {
        if now.saturating_sub(self.grown) > TOGETHER {
            self.left = 0;
        }
        let more = kills.saturating_sub(self.seen);
        if more > 0 {
            self.left += more;
            self.grown = now;
        }
        self.seen = kills;
    }

    /// A process of the group has died of SIGKILL, and it has counted so many kills: tells whether
    /// one of them may be this one's.
    fn died(&mut self, kills: u64, now: Duration) -> bool {
        self.look(kills, now);
        let is_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn an_old_count_is_not_taken_for_a_new_death() {
        let mut count = Count::new(3);
        assert!(!count.died(3, s(10)), "killed by somebody");
        assert!(count.died(4, s(20)));
        assert!(!count.died(4, s(20)), "the next one was not");
        assert!(count.died(5, s(21)));
    }

    #[test]
    fn what_was_seen_at_a_start_is_left_to_deaths_of_that_time() {
        let mut count = Count::new(0);
        count.look(1, s(10));
        assert!(
            count.died(1, s(11)),
            "it had died before another was started"
        );
        count.look(2, s(20));
        assert!(!count.died(2, s(60)), "that was none of ours");
    }

    #[test]
    fn those_that_are_killed_together_are_told_together() {
        let mut count = Count::new(0);
        assert!(count.died(2, s(5)));
        assert!(count.died(2, s(6)));
        assert!(!count.died(2, s(6)));
        assert!(count.died(5, s(7)));
        assert!(!count.died(5, s(60)), "the others were none of ours");
    }
}
