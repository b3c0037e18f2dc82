//! Timers: the runtime's alarm clock, without a thread and without a tick of its own.
//!
//! `TimerQueue` is pure; [`schedule`] hands it to the I/O threads, which sleep until the next
//! one is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::io::{self, engine};

/// A process that finds its alarm this late was not running: it was stopped, or its machine
/// slept. Schedulers are late by milliseconds, tens of them under heavy load.
const STOPPED_MIN: Duration = Duration::from_millis(250);

/// What is done when the time has come.
pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

/// Has `f` run at `at` on the runtime's I/O thread; it must be short and run no user code.
/// Dropping the timer before then prevents it.
///
/// Times during which this process was stopped do not count: what was due in two seconds before
/// a stop of an hour is due two seconds after it. How long a short stop was cannot be told exactly;
/// then there is more time rather than less.
pub fn schedule(at: Instant, f: impl FnOnce() + Send + 'static) -> Timer {
    Timer {
        key: engine().schedule(at, Box::new(f)),
    }
}

/// The time for which this process has been running: the time since its runtime started, without
/// the spells during which it was stopped.
pub fn running_time() -> Duration {
    engine().running_time()
}

/// Stops the clock of timers while `f` runs, which stops this process: none goes off meanwhile.
pub fn without_running(f: impl FnOnce()) {
    engine().freeze();
    f();
    engine().thaw();
}

/// A moment of the clock as one that stops do not move.
pub(crate) fn without_stops(at: Instant) -> Instant {
    at.checked_sub(io::stopped_time()).unwrap_or(at)
}

/// What [`without_stops`] was made of, moved by all stops since then.
pub(crate) fn with_stops(at: Instant) -> Instant {
    at.checked_add(io::stopped_time()).unwrap_or(at)
}

/// A timer that has not necessarily gone off.
#[derive(Debug)]
#[must_use = "dropping a timer prevents it"]
pub struct Timer {
    key: TimerKey,
}

impl Timer {
    /// Lets it go off without anybody holding it.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        engine().unschedule(self.key);
    }
}

/// Order is by time, then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    /// In running time.
    at: Duration,
    number: u64,
}

/// All timers of a process. It counts *running time*: time since any fixed start, without the
/// spells during which the process was stopped.
#[derive(Default)]
pub(crate) struct TimerQueue {
    alarms: BTreeMap<TimerKey, Alarm>,
    numbers: u64,
    stopped: Duration,
    sleep: Option<Sleep>,
    /// Since when the process is being stopped on purpose.
    frozen: Option<Duration>,
}

/// The sleep that the owner of the queue announced, in times that the clock shows.
struct Sleep {
    /// When the process is known to have been running.
    seen: Duration,
    until: Duration,
}

impl TimerQueue {
    /// Adds an alarm at `at`, and tells whether the owner of the queue has to wake earlier than
    /// it meant to.
    pub(crate) fn insert(&mut self, at: Duration, alarm: Alarm) -> (TimerKey, bool) {
        self.numbers += 1;
        let key = TimerKey {
            at: at.saturating_sub(self.stopped),
            number: self.numbers,
        };
        let first = self
            .alarms
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        self.alarms.insert(key, alarm);
        (key, first)
    }

    /// Takes an alarm out again, unless it has gone off.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Alarm> {
        self.alarms.remove(&key)
    }

    /// The running time at `now`.
    pub(crate) fn running(&mut self, now: Duration) -> Duration {
        now.saturating_sub(self.stopped(now))
    }

    /// The process is about to be stopped: nothing is due until it goes on.
    pub(crate) fn freeze(&mut self, now: Duration) {
        self.woke(now);
        self.frozen = Some(now);
    }

    /// It goes on.
    pub(crate) fn thaw(&mut self, now: Duration) {
        self.stopped = self.stopped(now);
        self.frozen = None;
    }

    /// For how long the process was stopped, as far as anybody can tell at `now`.
    pub(crate) fn stopped(&mut self, now: Duration) -> Duration {
        if let Some(since) = self.frozen {
            return self.stopped + now.saturating_sub(since);
        }
        let overslept = |sleep: &mut Sleep| {
            let late = now.saturating_sub(sleep.until);
            let was_stopped = late >= STOPPED_MIN;
            if !was_stopped {
                sleep.seen = sleep.seen.max(now);
            }
            was_stopped
        };
        if let Some(sleep) = self.sleep.take_if(overslept) {
            let late = now.saturating_sub(sleep.until);
            // It began somewhere in the sleep. As much of that as the sleep was too long is
            // given back: all of it after a stop of hours, little where the machine is just busy.
            self.stopped += late + late.min(sleep.until.saturating_sub(sleep.seen));
        }
        self.stopped
    }

    /// How long the owner may sleep from `now`, `None` if nothing is due ever.
    pub(crate) fn sleep(&mut self, now: Duration) -> Option<Duration> {
        if self.frozen.is_some() {
            return None;
        }
        let at = self
            .alarms
            .first_key_value()
            .map(|(key, _)| key.at + self.stopped);
        // What is overdue already says nothing about the sleep.
        self.sleep = at.map(|at| Sleep {
            seen: now,
            until: at.max(now),
        });
        at.map(|at| at.saturating_sub(now))
    }

    /// The owner woke at `now`. A sleep that lasted far too long moves all alarms.
    pub(crate) fn woke(&mut self, now: Duration) {
        self.stopped(now);
        self.sleep = None;
    }

    /// Takes the first alarm that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Alarm> {
        let first = self
            .alarms
            .first_entry()
            .filter(|_| self.frozen.is_none())?;
        (first.key().at + self.stopped <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn due(queue: &mut TimerQueue, now: Duration) -> usize {
        std::iter::from_fn(|| queue.pop_due(now))
            .map(|alarm| alarm())
            .count()
    }

    #[test]
    fn alarms_go_off_in_order_and_only_once() {
        let (mut queue, log) = (TimerQueue::default(), Arc::new(AtomicU32::new(0)));
        for (at, digit) in [(30, 3), (10, 1), (20, 2)] {
            let log = log.clone();
            let alarm = move || {
                let so_far = log.load(Ordering::Relaxed);
                log.store(so_far * 10 + digit, Ordering::Relaxed);
            };
            queue.insert(ms(at), Box::new(alarm));
        }
        assert_eq!(queue.sleep(ms(4)), Some(ms(6)));
        assert_eq!(due(&mut queue, ms(9)), 0);
        assert_eq!(due(&mut queue, ms(25)), 2);
        assert_eq!(due(&mut queue, ms(30)), 1);
        assert_eq!(log.load(Ordering::Relaxed), 123);
        assert_eq!(queue.sleep(ms(40)), None);
    }

    #[test]
    fn only_a_new_first_alarm_wakes_the_owner() {
        let mut queue = TimerQueue::default();
        let (first, wakes) = queue.insert(ms(20), Box::new(|| ()));
        assert!(wakes);
        assert!(!queue.insert(ms(30), Box::new(|| ())).1);
        assert!(queue.insert(ms(10), Box::new(|| ())).1);
        assert!(queue.remove(first).is_some());
        assert!(queue.remove(first).is_none());
        assert_eq!(due(&mut queue, ms(100)), 2);
    }

    #[test]
    fn a_stopped_process_finds_as_much_time_left_as_before() {
        let mut queue = TimerQueue::default();
        queue.insert(ms(1000), Box::new(|| ()));
        queue.insert(ms(3000), Box::new(|| ()));
        queue.sleep(ms(900));
        queue.woke(ms(60_900));
        assert_eq!(due(&mut queue, ms(60_900)), 0);
        assert_eq!(queue.sleep(ms(60_900)), Some(ms(100)));
        assert_eq!(due(&mut queue, ms(61_000)), 1);
        assert_eq!(queue.sleep(ms(61_000)), Some(ms(2000)));
        let (_, first) = queue.insert(ms(61_100), Box::new(|| ()));
        assert!(first, "new alarms count from now");
    }

    #[test]
    fn whoever_asks_first_notices_the_stop() {
        let mut queue = TimerQueue::default();
        queue.insert(ms(1000), Box::new(|| ()));
        queue.sleep(ms(0));
        assert_eq!(queue.running(ms(400)), ms(400));
        // 300 ms too late. As much may have passed before its time came.
        assert_eq!(queue.running(ms(1300)), ms(700));
        queue.woke(ms(1310));
        assert_eq!(queue.running(ms(1310)), ms(710));
        assert_eq!(queue.sleep(ms(1310)), Some(ms(290)));
    }

    #[test]
    fn while_the_process_is_stopped_on_purpose_nothing_is_due() {
        let mut queue = TimerQueue::default();
        queue.insert(ms(100), Box::new(|| ()));
        queue.freeze(ms(90));
        assert_eq!(queue.running(ms(95)), ms(90));
        assert_eq!(queue.sleep(ms(95)), None);
        queue.woke(ms(300));
        assert_eq!(due(&mut queue, ms(300)), 0);
        // However short it was.
        queue.thaw(ms(300));
        assert_eq!(queue.running(ms(300)), ms(90));
        assert_eq!(queue.sleep(ms(300)), Some(ms(10)));
        queue.woke(ms(310));
        assert_eq!(due(&mut queue, ms(310)), 1);
    }

    #[test]
    fn running_time_never_goes_back() {
        let mut queue = TimerQueue::default();
        queue.insert(ms(1000), Box::new(|| ()));
        queue.sleep(ms(0));
        assert_eq!(queue.running(ms(900)), ms(900));
        assert_eq!(queue.running(ms(5000)), ms(900));
    }

    #[test]
    fn ordinary_lateness_moves_nothing() {
        let mut queue = TimerQueue::default();
        queue.insert(ms(10), Box::new(|| ()));
        queue.insert(ms(100), Box::new(|| ()));
        queue.sleep(ms(0));
        queue.woke(ms(150));
        assert_eq!(due(&mut queue, ms(150)), 2);
    }
}
