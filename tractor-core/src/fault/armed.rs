//! Faults that happen: what [`fault!`](crate::fault!) becomes under the feature `__faults`.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;

use rustix::process::{self, Signal};

use super::plan::{self, Action, Rule};

/// Where the plan stands.
pub(super) const VARIABLE: &str = "TRACTOR_FAULTS";

/// Reads the plan, so that a bad one is known before anything runs.
///
/// # Panics
///
/// If it cannot be read, with the rule and the reason.
pub fn start() {
    LazyLock::force(&PLAN);
}

/// Says which actor this process is, for rules with `#NAME`.
pub fn set_actor_name(name: &str) {
    *ACTOR.write().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
}

/// Reaches a point where nothing can fail.
///
/// # Panics
///
/// If the plan asks for an error or a short write here.
pub fn hit(point: &str) {
    if let Some(action) = reach(point) {
        panic!("the fault point {point} cannot do {action:?}");
    }
}

/// Reaches a point where an operation can fail.
///
/// # Panics
///
/// If the plan asks for a short write here.
pub fn error(point: &str) -> Option<io::Error> {
    match reach(point)? {
        Action::Error(error) => Some(error.into()),
        action => panic!("the fault point {point} cannot do {action:?}"),
    }
}

/// Reaches a point where bytes are taken, and tells how many to take.
///
/// # Panics
///
/// If the plan asks for an error here.
pub fn short(point: &str, len: usize) -> usize {
    match reach(point) {
        None => len,
        Some(Action::Short(bytes)) => bytes.min(len),
        Some(action) => panic!("the fault point {point} cannot do {action:?}"),
    }
}

static PLAN: LazyLock<Vec<(Rule, AtomicU64)>> = LazyLock::new(|| {
    let plan = std::env::var(VARIABLE).unwrap_or_default();
    let rules = plan::parse(&plan).unwrap_or_else(|error| panic!("{error}"));
    rules
        .into_iter()
        .map(|rule| (rule, AtomicU64::new(0)))
        .collect()
});

static ACTOR: RwLock<Option<String>> = RwLock::new(None);

/// Counts, does what a process can do to itself, and gives what is left to the caller to do.
fn reach(point: &str) -> Option<Action> {
    let mut left = None;
    for (rule, reached) in PLAN.iter().filter(|(rule, _)| rule.point == point) {
        if rule.actor.as_ref().is_some_and(|actor| !is_actor(actor)) {
            continue;
        }
        let time = reached.fetch_add(1, Ordering::Relaxed) + 1;
        if rule.hit.is_due(time) {
            log::warn!("fault at {point}, time {time}: {:?}", rule.action);
            // The first rule wins, but all of them act.
            let more = perform(rule.action);
            left = left.or(more);
        }
    }
    left
}

#[expect(
    clippy::disallowed_methods,
    reason = "an exit and a lag are what was asked for"
)]
fn perform(action: Action) -> Option<Action> {
    match action {
        Action::Kill => send_self(Signal::KILL),
        Action::Stop => {
            send_self(Signal::STOP);
            // Another thread may take the signal first; this one must not get further meanwhile.
            std::thread::sleep(STOPS_WITHIN);
        }
        Action::Abort => std::process::abort(),
        Action::Exit(code) => std::process::exit(code),
        Action::Delay(time) => std::thread::sleep(time),
        Action::Error(_) | Action::Short(_) => return Some(action),
    }
    None
}

/// How long the kernel may take to stop all threads of a process.
const STOPS_WITHIN: Duration = Duration::from_millis(100);

fn send_self(signal: Signal) {
    process::kill_process(process::getpid(), signal).expect("a process may signal itself");
}

fn is_actor(name: &str) -> bool {
    let actor = ACTOR.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(actor) = &*actor {
        return actor == name;
    }
    // A child is started under its actor's name; a root by the path of its program.
    let zero = std::env::args_os().next().unwrap_or_default();
    zero == name
        || Path::new(&zero)
            .file_name()
            .is_some_and(|file| file == name)
}
