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
    // One that is missed here, because the last look is just being made, is seen when it or
    // another is woken next.
    if !PLANNED.load(Ordering::Relaxed) {
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
    /// Begins.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        PROMPTS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for AtPrompt {
    fn drop(&mut self) {
        PROMPTS.fetch_sub(1, Ordering::SeqCst);
        watch();
    }
}

fn look() {
    let now = timer::running_time();
    let tasks = rpc_tasks();
    let mut judge = JUDGE.lock().unwrap_or_else(PoisonError::into_inner);
    if PROMPTS.load(Ordering::SeqCst) > 0 {
        // The end of the prompt begins anew.
        judge.forget();
        PLANNED.store(false, Ordering::SeqCst);
        return;
    }
    let seen: Vec<_> = tasks.iter().filter_map(|task| task.seen()).collect();
    let verdict = judge.look(now, &seen);
    let next = judge.next_look(now);
    drop(judge);
    match next {
        Some(after) => plan(after),
        None => PLANNED.store(false, Ordering::SeqCst),
    }
    if let Some(verdict) = verdict {
        tell(&verdict, &tasks);
    }
}

fn tell(verdict: &Verdict, tasks: &[Arc<RpcTask>]) {
    let name = current_actor().map_or("?", |actor| actor.name());
    match verdict {
        Verdict::GoesOn(after) => {
            log::warn!("the executor of actor '{name}' goes on, after {after:.1?}");
        }
        Verdict::Stalled(calls) => {
            let longest = calls.first().map_or(Duration::ZERO, |(_, age)| *age);
            let calls = described(calls, tasks);
            log::warn!("the executor of actor '{name}' has stalled for {longest:.1?}: {calls}");
        }
    }
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
