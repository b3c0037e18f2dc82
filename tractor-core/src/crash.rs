//! [`CrashWatch`]: what looks at a task that has failed, before anybody else hears of it; and
//! [`Running::quit`], by which the one who looks ends a task.
//!
//! A debugger is one. Without a watch, which is the rule, nothing here costs anything.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;

use crate::actor::{Actor, current_actor};
use crate::ending::{Ending, UserError};
use crate::error::Error;
use crate::invoke;
use crate::panics;
use crate::scope::{CancelReason, CancelScope, Cancellation};

/// Looks at tasks that have failed.
pub trait CrashWatch: Send + Sync + 'static {
    /// A task has failed with this error. It is answered when the future is over; until then it
    /// can be cancelled, which drops the future.
    fn failed(&self, task: String, error: Error) -> BoxFuture<'static, ()>;

    /// This thread is panicking, in a task, and has not begun to unwind. Returns when the panic
    /// may go on.
    fn panicking(&self, task: Option<String>, message: String, location: Option<String>);
}

static WATCH: OnceLock<Arc<dyn CrashWatch>> = OnceLock::new();

/// Begins to watch this process; it cannot be undone. Of several the first stays.
pub fn watch(watch: Arc<dyn CrashWatch>) {
    let _ = WATCH.set(watch);
}

pub(crate) fn watcher() -> Option<&'static Arc<dyn CrashWatch>> {
    WATCH.get()
}

/// The error with which a task ends that was quit at a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the debugger was quit here")]
pub struct DebuggerQuit;

impl DebuggerQuit {
    /// It as the ending of a task.
    pub(crate) fn ending() -> Ending {
        let name = std::any::type_name::<Self>();
        Ending::Failed(Box::new(UserError::describe(name, &Self)))
    }
}

/// Whether an error is, here and not somewhere below, that a prompt was quit.
pub fn is_quit(error: &Error) -> bool {
    let name = std::any::type_name::<DebuggerQuit>();
    let is_ours = current_actor().is_ok_and(|actor| actor.aid() == error.origin());
    is_ours && matches!(error.ending(), Ending::Failed(failed) if failed.type_name() == name)
}

/// How what was cancelled has ended: for a quit it is that.
pub(crate) fn ending_of(cancellation: Cancellation) -> Ending {
    let Cancellation { by, reason } = cancellation;
    match reason {
        CancelReason::DebuggerQuit => DebuggerQuit::ending(),
        _ => Ending::Cancelled { by, reason },
    }
}

/// The error of what was cancelled here: for a quit it is that.
pub fn cancelled_error(actor: &Actor, cancellation: Cancellation) -> Error {
    Error::new(actor.aid().clone(), ending_of(cancellation))
}

/// The task that runs on this thread, so that it can be named, and quit, from elsewhere.
#[derive(Debug, Clone)]
pub struct Running {
    number: Option<u64>,
    name: Option<String>,
    scope: Option<CancelScope>,
}

impl Running {
    /// The task of this thread: of a peer's call, or else whatever runs in the root's main.
    pub fn here() -> Self {
        let scope = current_actor().ok().map(|actor| actor.scope().clone());
        Self {
            number: invoke::current_number(),
            name: invoke::current_name(),
            scope: scope.filter(|_| invoke::current_number().is_none()),
        }
    }

    /// Its name and number, as log lines show them; `None` outside of calls.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Ends it: as a cancel does, but it fails with [`DebuggerQuit`]. Returns at once; a task
    /// that has asked for it may wait for its own end.
    pub fn quit(&self) {
        let Ok(actor) = current_actor() else { return };
        let by = Some(actor.aid().clone());
        if let Some(number) = self.number {
            actor.cancel_task(number, CancelReason::DebuggerQuit);
        }
        if let Some(scope) = &self.scope {
            scope.cancel_with(CancelReason::DebuggerQuit, by);
        }
    }
}

thread_local! {
    /// Whether the watch has seen a panic since the runtime last began to run something here.
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Has the watch look at a panic; for the panic hook.
///
/// It sees each, because nobody can tell whether an earlier one still unwinds this thread or was
/// caught by the user's own code.
pub(crate) fn look(message: &str, location: Option<String>) {
    let Some(watch) = watcher() else { return };
    if AFTERMATHS.contains(&message) {
        return;
    }
    watch.panicking(invoke::current_name(), message.to_owned(), location);
    SEEN.set(true);
}

/// What the language says when it gives up because of a panic, which the watch has seen already.
const AFTERMATHS: [&str; 2] = [
    "panic in a destructor during cleanup",
    "panic in a function that cannot unwind",
];

/// Something begins to run here: a panic that was seen before has ended.
pub(crate) fn forget_seen() {
    SEEN.set(false);
}

/// Whether the watch has seen the panic that was just caught on this thread.
pub(crate) fn take_seen() -> bool {
    SEEN.take()
}

/// Runs the root's main: the watch sees a panic of it before it unwinds.
///
/// # Panics
///
/// If `f` does.
pub fn watched<R>(f: impl FnOnce() -> R) -> R {
    panics::during(f)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use super::*;

    /// Notes the panics of one test; those of others in this process have other texts.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl CrashWatch for Notes {
        fn failed(&self, _: String, _: Error) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }

        fn panicking(&self, _: Option<String>, message: String, _: Option<String>) {
            if message.starts_with("noted ") {
                self.0.lock().unwrap().push(message);
            }
        }
    }

    #[test]
    fn a_panic_after_one_that_the_user_caught_is_seen_too() {
        let notes = Arc::new(Notes::default());
        watch(notes.clone());
        let caught = panics::catch(|| {
            let first = catch_unwind(|| panic!("noted first"));
            assert!(first.is_err());
            panic!("noted second");
        });
        assert!(caught.is_err() && take_seen());
        assert_eq!(*notes.0.lock().unwrap(), ["noted first", "noted second"]);
        // What comes next has nothing to do with those.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            panics::during(|| panic!("noted third"))
        }));
        let resumed = panics::catch(|| std::panic::resume_unwind(Box::new("of another thread")));
        assert!(resumed.is_err() && !take_seen());
    }
}
