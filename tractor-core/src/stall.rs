//! Stalls: user code that does not return from its poll takes a thread away from all other calls,
//! and the log says so.
//!
//! The runtime's own thread looks once a second, by a timer, at the calls that are polled or could
//! go on. There is no timer while there are none: it begins when a call is handed or woken to the
//! executor, or holds up the leader, and is not set again by a look that finds nothing. So a call
//! pays for one load of a flag, and an actor that rests does not wake up.
//!
//! What the program does beside calls, in its main or in tasks of its own, is not seen. If it
//! blocks the threads that poll calls, the calls that wait are.

// Whether it is one.
mod judge;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::judge::{Doing, Seen};
use self::judge::{Judge, LOOK_EVERY, Verdict};
use crate::actor::{current_actor, rpc_tasks};
use crate::invoke::RpcTask;
use crate::timer::{self, Timer};

/// Whether a look is planned.
static PLANNED: AtomicBool = AtomicBool::new(false);
/// How many prompts this actor has or waits for.
static PROMPTS: AtomicUsize = AtomicUsize::new(0);
static JUDGE: Mutex<Judge> = Mutex::new(Judge::new());

/// Calls that are named; there may be thousands.
const NAMED_MAX: usize = 4;

/// A call is to be polled by the executor, or has not returned from a poll for some time.
#[inline]
pub(crate) fn watch() {
    if !PLANNED.load(Ordering::SeqCst) {
        begin();
    }
}

#[cold]
fn begin() {
    if !PLANNED.swap(true, Ordering::SeqCst) {
        plan(LOOK_EVERY);
    }
}

fn plan(after: Duration) {
    Timer::forget(timer::schedule(Instant::now() + after, look));
}

/// While this is there, this actor has a prompt or waits for one: that blocks, and is no stall.
#[doc(hidden)]
#[derive(Debug)]
pub struct AtPrompt(());

impl AtPrompt {
    /// Begins. It only adds to an atomic, so that it is allowed where a signal is handled.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        PROMPTS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Ends where a signal is handled, by no more than an atomic: no look is planned.
    pub fn end_in_handler(self) {
        PROMPTS.fetch_sub(1, Ordering::SeqCst);
        std::mem::forget(self);
    }
}

impl Drop for AtPrompt {
    fn drop(&mut self) {
        PROMPTS.fetch_sub(1, Ordering::SeqCst);
        watch();
    }
}

fn look() {
    // First: whoever begins from now on either is seen here or plans a look.
    PLANNED.store(false, Ordering::SeqCst);
    let now = timer::running_time();
    let mut judge = JUDGE.lock().unwrap_or_else(PoisonError::into_inner);
    if PROMPTS.load(Ordering::SeqCst) > 0 {
        // The end of the prompt begins anew.
        judge.forget();
        return;
    }
    let tasks = rpc_tasks();
    let seen: Vec<_> = tasks.iter().filter_map(|task| task.seen()).collect();
    let verdict = judge.look(now, &seen);
    let next = judge.next_look(now);
    drop(judge);
    if let Some(after) = next.filter(|_| !PLANNED.swap(true, Ordering::SeqCst)) {
        plan(after);
    }
    if let Some(verdict) = verdict {
        tell(&verdict, &tasks);
    }
}

fn tell(verdict: &Verdict, tasks: &[Arc<RpcTask>]) {
    let name = current_actor().map_or("?", |actor| actor.name());
    match verdict {
        Verdict::GoesOn(after) => {
            log::warn!("the threads of actor '{name}' are free again, after {after:.1?}");
        }
        Verdict::Kept(calls) => {
            let (longest, described) = (longest(calls), described(calls, tasks));
            log::warn!("a call has kept a thread of actor '{name}' for {longest:.1?}: {described}");
        }
        Verdict::Stalled(calls) => {
            let (longest, described) = (longest(calls), described(calls, tasks));
            log::warn!("the executor of actor '{name}' has stalled for {longest:.1?}: {described}");
        }
    }
}

fn longest(calls: &[(Seen, Duration)]) -> Duration {
    calls.first().map_or(Duration::ZERO, |(_, age)| *age)
}

/// Who runs, and who waits for that.
fn described(calls: &[(Seen, Duration)], tasks: &[Arc<RpcTask>]) -> String {
    let mut text = String::new();
    let (running, waiting): (Vec<_>, Vec<_>) = calls
        .iter()
        .partition(|(seen, _)| seen.doing == Doing::Runs);
    if running.is_empty() {
        text.push_str("no call blocks it, so something else that the program runs does");
    }
    for (index, (calls, does)) in [(running, "has run"), (waiting, "has waited to be polled")]
        .iter()
        .enumerate()
    {
        for (seen, age) in calls.iter().take(NAMED_MAX) {
            let task = tasks.iter().find(|task| task.number() == seen.number);
            let Some(task) = task else { continue };
            let gap = if text.is_empty() { "" } else { "; " };
            // Nothing is written to anything that could fail.
            let _ = write!(text, "{gap}{} {does} for {age:.1?}", task.full_name());
        }
        if calls.len() > NAMED_MAX {
            let more = calls.len() - NAMED_MAX;
            let what = if index == 0 { "run" } else { "wait" };
            let _ = write!(text, "; {more} more {what}");
        }
    }
    text
}
