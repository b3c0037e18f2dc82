//! [`Complaints`]: which refused connections are worth a line in the log.
//!
//! Pure. Somebody who connects again and again by mistake must not fill it: a process gets a line
//! a minute, and so many processes get one each.

use std::time::{Duration, Instant};

/// For how long a process that was complained about is not again.
const QUIET: Duration = Duration::from_secs(60);
/// Most lines of such a time.
const LINES_MAX: usize = 32;

/// Whom was complained about lately.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    lately: Vec<(Option<i32>, Instant)>,
}

impl Complaints {
    pub(super) const fn new() -> Self {
        Self { lately: Vec::new() }
    }

    /// Whether a connection of the process `peer`, refused at `now`, is worth a line.
    pub(super) fn is_worth_a_line(&mut self, peer: Option<i32>, now: Instant) -> bool {
        self.lately
            .retain(|(_, at)| now.saturating_duration_since(*at) < QUIET);
        let known = self.lately.iter().any(|(other, _)| *other == peer);
        if known || self.lately.len() == LINES_MAX {
            return false;
        }
        self.lately.push((peer, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_gets_a_line_a_minute() {
        let (mut complaints, now) = (Complaints::new(), Instant::now());
        assert!(complaints.is_worth_a_line(Some(7), now));
        assert!(!complaints.is_worth_a_line(Some(7), now + QUIET / 2));
        assert!(complaints.is_worth_a_line(None, now + QUIET / 2));
        assert!(complaints.is_worth_a_line(Some(7), now + QUIET));
    }

    #[test]
    fn many_processes_get_only_so_many() {
        let (mut complaints, now) = (Complaints::new(), Instant::now());
        let lines = (0..1000).filter(|pid| complaints.is_worth_a_line(Some(*pid), now));
        assert_eq!(lines.count(), LINES_MAX);
    }
}
