//! [`Skips`]: the breakpoints at which an actor does not stop any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::repl::Skip;

/// The breakpoints at which an actor does not stop.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    everywhere: bool,
    sites: HashMap<(String, u32), Times>,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Always,
    More(u64),
}

impl Skips {
    /// Does not stop there any more.
    pub(crate) fn add(&mut self, skip: Skip) {
        match skip {
            Skip::Actor => self.everywhere = true,
            Skip::Site { file, line, times } => {
                let times = times.map_or(Times::Always, Times::More);
                self.sites.insert((file, line), times);
            }
        }
    }

    /// A breakpoint is reached; tells whether it is passed by.
    pub(crate) fn passes(&mut self, file: &str, line: u32) -> bool {
        if self.everywhere {
            return true;
        }
        let site = (file.to_owned(), line);
        match self.sites.get_mut(&site) {
            None => false,
            Some(Times::Always) => true,
            Some(Times::More(0)) => {
                self.sites.remove(&site);
                false
            }
            Some(Times::More(times)) => {
                *times -= 1;
                true
            }
        }
    }
}

/// What is skipped in this process.
pub(crate) fn here<R>(look: impl FnOnce(&mut Skips) -> R) -> R {
    static HERE: Mutex<Option<Skips>> = Mutex::new(None);
    // Its changes are single calls of a collection.
    let mut here = HERE.lock().unwrap_or_else(PoisonError::into_inner);
    look(here.get_or_insert_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of the next passes of a line it stops.
    fn stops(skips: &mut Skips, line: u32, passes: u64) -> Vec<u64> {
        (1..=passes)
            .filter(|_| !skips.passes("main.rs", line))
            .collect()
    }

    fn site(times: Option<u64>) -> Skip {
        Skip::Site {
            file: "main.rs".to_owned(),
            line: 7,
            times,
        }
    }

    #[test]
    fn a_site_is_passed_always_or_so_many_times() {
        let mut skips = Skips::default();
        assert_eq!(stops(&mut skips, 7, 3), [1, 2, 3]);
        skips.add(site(Some(2)));
        assert_eq!(stops(&mut skips, 8, 1), [1], "another line");
        assert_eq!(stops(&mut skips, 7, 4), [3, 4]);
        skips.add(site(None));
        assert_eq!(stops(&mut skips, 7, 9), []);
        assert!(!skips.passes("lib.rs", 7), "another file");
    }

    #[test]
    fn an_actor_that_skips_everything_stops_nowhere() {
        let mut skips = Skips::default();
        skips.add(Skip::Actor);
        assert_eq!(stops(&mut skips, 7, 3), []);
    }
}
