//! The rounds of the thread that leads: wait for events, serve them, do the jobs, ring the alarms.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::look::LookScore;
use super::role::{self, Role, user_code};
use super::serve::serve;
use super::{Engine, Entry, Job, SourceKey, Watch, looking, unwatch};
use crate::os::Ready;
use crate::process::parent_death;
use crate::rt;

/// Leads until the role is lost, or is better kept in other surroundings.
pub(super) fn lead(engine: &'static Engine) {
    let mut ready = Vec::new();
    // Frames that the previous leader had read but not handled raise no event.
    for link in engine.links() {
        // Answers that the previous leader had gathered.
        link.flush();
        if serve(engine, &link, &mut Round::default()) == Role::Lost {
            return;
        }
    }
    let mut look = Look::default();
    loop {
        if !look.finds(engine, &mut ready) {
            let timeout = engine.timers().sleep(engine.now());
            let timeout = if engine.has_jobs() {
                Some(Duration::ZERO)
            } else {
                timeout
            };
            parent_death::check();
            engine.poller.wait(&mut ready, timeout);
            engine.timers().woke(engine.now());
            look.waited();
        }
        let mut round = Round::default();
        for &event in &ready {
            if handle(engine, event, &mut round) == Role::Lost {
                return;
            }
        }
        // After the events: what arrived before a timer went off counts as having come in time.
        if run_jobs(engine, &mut round) == Role::Lost {
            return;
        }
        ring(engine);
        if role::wants_surroundings() {
            return;
        }
        look.after(engine, &round);
    }
}

/// What one round of the leader has done so far.
#[derive(Default)]
pub(super) struct Round {
    /// The time that user code has taken.
    pub(super) user: Duration,
    /// Calls that were answered.
    pub(super) answered: u32,
    /// Somebody else has something to do now.
    pub(super) woke: bool,
}

impl Round {
    /// Whether it did nothing but answer: that peer's next call is likely to follow at once.
    fn only_answered(&self, engine: &Engine) -> bool {
        self.answered > 0 && !self.woke && engine.tasks_in.load(Ordering::Relaxed) == 0
    }
}

/// The leader's own looking: waiting for the next event without going to sleep.
#[derive(Default)]
struct Look {
    score: LookScore,
    wanted: bool,
    /// Since when the leader waits in a case in which it might have looked.
    since: Option<Instant>,
}

impl Look {
    fn after(&mut self, engine: &Engine, round: &Round) {
        let candidate = !engine.has_jobs() && round.only_answered(engine) && !engine.is_one_core();
        self.since = candidate.then(Instant::now);
        self.wanted = candidate && self.score.worthwhile();
    }

    fn finds(&mut self, engine: &Engine, ready: &mut Vec<Ready>) -> bool {
        if !std::mem::take(&mut self.wanted) {
            return false;
        }
        let mut woken = false;
        let spun = looking::spin(self.score.is_probing(), || {
            woken = engine.poller.wait(ready, Some(Duration::ZERO));
            woken
        });
        self.since = None;
        match spun {
            Some(true) if !ready.is_empty() => self.score.hit(),
            // Somebody had work for the leader, which says nothing about the peer.
            Some(true) => {}
            Some(false) => self.score.miss(),
            None => self.score.disturbed(),
        }
        woken
    }

    fn waited(&mut self) {
        if let Some(since) = self.since.take() {
            self.score.waited(since.elapsed());
        }
    }
}

fn handle(engine: &'static Engine, event: Ready, round: &mut Round) -> Role {
    match engine.entry(event.key) {
        Some(Entry::Link(link)) => {
            if event.writable {
                link.on_writable();
            }
            if event.readable {
                serve(engine, &link, round)
            } else {
                Role::Kept
            }
        }
        Some(Entry::Source(source)) => {
            if source.clone().ready() == Watch::End {
                unwatch(SourceKey(event.key));
            }
            Role::Kept
        }
        // It was removed by the handling of an earlier event of the same round.
        None => Role::Kept,
    }
}

fn run_jobs(engine: &'static Engine, round: &mut Round) -> Role {
    while let Some(job) = engine.pop() {
        let role = match job {
            Job::Serve(link) => serve(engine, &link, round),
            Job::Flush(link) => {
                link.flush();
                Role::Kept
            }
            Job::Drop(task) if engine.lead.has_spare() => user_code(engine, || task.drop_body()).1,
            Job::Drop(task) => {
                // A destructor that blocks could not be got out of the way.
                rt::spawn_blocking(move || task.drop_body());
                Role::Kept
            }
            Job::Run(f) => {
                f();
                Role::Kept
            }
        };
        if role == Role::Lost {
            // The queue is not empty or will be filled by somebody who found it so: either way
            // the next leader looks into it before it sleeps.
            return Role::Lost;
        }
    }
    Role::Kept
}

fn ring(engine: &Engine) {
    let now = engine.now();
    loop {
        // Bound to a name, so that the lock is released before the alarm goes off.
        let alarm = engine.timers().pop_due(now);
        let Some(alarm) = alarm else { return };
        alarm();
    }
}

impl Engine {
    fn has_jobs(&self) -> bool {
        !self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}
