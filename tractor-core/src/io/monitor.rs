//! [`Monitor`]: the thread that sees to it that somebody leads.
//!
//! It sleeps as long as nothing happens, so that an idle actor makes no wake-up at all.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::link::Link;
use super::{Engine, Job, engine, rest, role};
use crate::panics;
use crate::stall;

/// How long user code may hold up the leader: between one and two of these. Half of it costs
/// tail latency, because a preempted leader looks like a blocked one.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without any change after which the monitor goes to sleep.
///
/// Calls that come every few milliseconds would otherwise pay for waking it each time.
const QUIET_TICKS: u32 = 16;
/// How long it is left at that when the system has refused the thread.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How the others reach the monitor.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    awake: AtomicBool,
    /// Links with a planned flush, for which the monitor is the backstop.
    planned: AtomicUsize,
    /// Links that rest: each is counted before its rest begins, and until after its end.
    resting: AtomicUsize,
    thread: OnceLock<Thread>,
    /// Whether the thread was started, or is being started.
    starting: AtomicBool,
    /// When the system refused it last.
    refused: Mutex<Option<Instant>>,
}

impl Monitor {
    /// Has the monitor watch, if it does not already; tells whether there is one.
    pub(crate) fn wake(&self) -> bool {
        if self.awake.load(Ordering::SeqCst) || self.awake.swap(true, Ordering::SeqCst) {
            return true;
        }
        match self.thread.get() {
            Some(thread) => {
                thread.unpark();
                true
            }
            None => self.start(),
        }
    }

    /// Starts the monitor's thread, the first time that there is something to watch.
    #[cold]
    fn start(&self) -> bool {
        if self.starting.swap(true, Ordering::SeqCst) {
            // It is on its way, and finds that it is to be awake.
            return true;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_some_and(|at| at.elapsed() < START_AGAIN_AFTER) {
            self.starting.store(false, Ordering::SeqCst);
            self.awake.store(false, Ordering::SeqCst);
            return false;
        }
        let started = thread::Builder::new()
            .name("tractor-monitor".to_owned())
            .spawn(|| run(engine()));
        let Err(error) = started else { return true };
        // Without a monitor there is no spare, and without a spare nothing is polled inline, so the
        // leader cannot be held up; and no link rests. Later traffic tries again.
        log::warn!("start the monitor's thread: {error}");
        *refused = Some(Instant::now());
        self.starting.store(false, Ordering::SeqCst);
        self.awake.store(false, Ordering::SeqCst);
        false
    }

    /// A flush was planned; the monitor makes it if nobody else does.
    pub(crate) fn flush_planned(&self) {
        self.planned.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// A planned flush was made.
    pub(crate) fn flush_made(&self) {
        self.planned.fetch_sub(1, Ordering::SeqCst);
    }

    /// A link is about to rest; the monitor has it watched if nobody else does. Tells whether there
    /// is one.
    pub(crate) fn rest_began(&self) -> bool {
        self.resting.fetch_add(1, Ordering::SeqCst);
        self.wake()
    }

    /// It does not any more.
    pub(crate) fn rest_ended(&self) {
        self.resting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether there is something for which the monitor is the backstop.
    fn is_needed(&self) -> bool {
        self.planned.load(Ordering::SeqCst) > 0 || self.resting.load(Ordering::SeqCst) > 0
    }
}

fn run(engine: &'static Engine) {
    // Set before the first sleep, so that whoever wakes the monitor from now on finds it.
    let _ = engine.monitor.thread.set(thread::current());
    loop {
        while !engine.monitor.awake.load(Ordering::SeqCst) {
            thread::park();
        }
        // What it logs goes through a logger of the user's, whose panic the hook has told. It goes
        // on: nobody else does its work.
        let _ = panics::catch(|| watch(engine));
    }
}

/// Watches until nothing happens any more.
fn watch(engine: &'static Engine) {
    let (mut before, mut quiet, mut overdue) = (engine.lead.observe(), 0, Vec::new());
    while quiet < QUIET_TICKS {
        tick();
        let now = engine.lead.observe();
        let in_user_code = now.0 & 1 == 1;
        if in_user_code && now == before && engine.lead.take_away(now.0) {
            stall::watch();
        }
        if engine.lead.wants_thread()
            && let Err(error) = role::start_thread(engine)
        {
            // Without a spare nothing is polled inline, so the leader cannot be held up.
            log::warn!("start another I/O thread: {error}");
        }
        let pending = engine.monitor.is_needed();
        if pending || !overdue.is_empty() {
            let links = engine.links();
            overdue = flush_overdue(engine, &links, &overdue);
            rest::tick(&links);
        }
        quiet = if now == before && !in_user_code && !pending {
            quiet + 1
        } else {
            0
        };
        before = now;
    }
    engine.monitor.awake.store(false, Ordering::SeqCst);
    // Whoever entered user code just before found the monitor awake and did not wake it.
    let now = engine.lead.observe();
    if now != before || now.0 & 1 == 1 || engine.monitor.is_needed() {
        engine.monitor.awake.store(true, Ordering::SeqCst);
    }
}

/// Lets a tick pass. Nobody has reason to shorten it: two observations that lie closer together
/// would take a leader for stuck that is not.
#[expect(
    clippy::disallowed_methods,
    reason = "the passing of time is the event"
)]
fn tick() {
    thread::sleep(TICK);
}

/// Has those links flushed that were waiting at the previous tick already, and gives those that
/// wait now.
fn flush_overdue(engine: &Engine, links: &[Arc<Link>], waiting_before: &[u64]) -> Vec<u64> {
    let mut waiting = Vec::new();
    for link in links {
        if !link.is_flush_planned() {
            continue;
        }
        if !waiting_before.contains(&link.key()) {
            waiting.push(link.key());
        } else if link.unplan_flush() {
            engine.monitor.flush_made();
            engine.push(Job::Flush(link.clone()));
        }
    }
    waiting
}
