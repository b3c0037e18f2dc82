//! [`DebugOptions`]: what the program itself has to say about its prompts.
//!
//! Functions cannot travel to other actors. But every actor is the same program, which runs its
//! `main` up to the runtime's entry, and so comes by the same options.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tractor_core::Error;

/// Which crashes have a prompt by themselves, and what is to be done around prompts.
#[derive(Clone, Default)]
pub struct DebugOptions {
    filter: Option<Arc<Filter>>,
    fixture: Option<Arc<Fixture>>,
    reentry: Reentry,
}

/// What becomes of a task that reaches a breakpoint while another task of its actor is at a prompt
/// or waits for one. A crash waits for its turn in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reentry {
    /// It goes on, with a line in the log.
    #[default]
    Pass,
    /// It waits for its turn.
    Queue,
    /// It panics: at most one task of an actor is meant to be there.
    Refuse,
}

type Filter = dyn Fn(&Error) -> bool + Send + Sync;
type Fixture = dyn Fn() -> Option<Guard> + Send + Sync;

/// What a fixture gave, to be dropped when the prompt is over.
pub(crate) struct Guard(
    #[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Any + Send>,
);

thread_local! {
    /// Whether one of the functions runs on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

static INSTALLED: OnceLock<DebugOptions> = OnceLock::new();

impl DebugOptions {
    /// Opens a prompt by itself only for crashes of which this is true.
    pub fn set_filter(&mut self, filter: impl Fn(&Error) -> bool + Send + Sync + 'static) {
        self.filter = Some(Arc::new(filter));
    }

    /// Calls this before each prompt, and drops what it gave after it. `None` skips the prompt.
    pub fn set_fixture<G: Send + 'static>(
        &mut self,
        fixture: impl Fn() -> Option<G> + Send + Sync + 'static,
    ) {
        self.fixture = Some(Arc::new(move || Some(Guard(Box::new(fixture()?)))));
    }

    /// Sets what becomes of a second breakpoint.
    pub fn set_reentry(&mut self, reentry: Reentry) {
        self.reentry = reentry;
    }

    /// Has them hold in this process. Of several the first stay.
    pub fn install(self) {
        let _ = INSTALLED.set(self);
    }

    /// Whether a crash is to have a prompt by itself. Runs user code.
    fn wants(&self, error: &Error) -> bool {
        match &self.filter {
            // What is only the effect of a cancel is seen where the cancel began.
            None => !error.is_of_cancel(),
            Some(filter) => called("filter", || filter(error)).unwrap_or(true),
        }
    }

    /// Begins a prompt; `None` if there is to be none. Runs user code.
    fn enter(&self) -> Option<Option<Guard>> {
        match &self.fixture {
            None => Some(None),
            Some(fixture) => match called("fixture", || fixture()) {
                Some(guard) => guard.map(Some),
                None => Some(None),
            },
        }
    }
}

/// What the user's function gives, `None` if it panicked.
fn called<R>(what: &str, function: impl FnOnce() -> R) -> Option<R> {
    let before = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(function));
    INSIDE.set(before);
    result
        .inspect_err(|_| log::error!("the debugger's {what} panicked: there is a prompt"))
        .ok()
}

impl fmt::Debug for DebugOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugOptions")
            .field("filter", &self.filter.is_some())
            .field("fixture", &self.fixture.is_some())
            .field("reentry", &self.reentry)
            .finish()
    }
}

fn installed() -> &'static DebugOptions {
    INSTALLED.get_or_init(DebugOptions::default)
}

/// What becomes of a second breakpoint. One of the functions above would wait for itself.
pub(crate) fn reentry() -> Reentry {
    match INSIDE.get() {
        true => Reentry::Pass,
        false => installed().reentry,
    }
}

/// Whether a crash is to have a prompt by itself in this process. Runs user code.
pub(crate) fn wants(error: &Error) -> bool {
    installed().wants(error)
}

/// Begins a prompt of this process, to be over when what this gives is dropped; `None` if there is
/// to be no prompt. Runs user code.
pub(crate) fn enter() -> Option<Option<Guard>> {
    installed().enter()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tractor_core::{CancelReason, Ending};
    use tractor_ipc::ActorId;

    use super::*;

    fn error(ending: Ending) -> Error {
        Error::new(ActorId::new("worker", 1), ending)
    }

    fn panicked(message: &str) -> Error {
        error(Ending::Panicked {
            message: message.to_owned(),
            location: None,
        })
    }

    fn cancelled() -> Error {
        error(Ending::Cancelled {
            by: None,
            reason: CancelReason::Asked,
        })
    }

    #[test]
    fn effects_of_a_cancel_have_no_prompt_unless_the_filter_says_so() {
        let mut options = DebugOptions::default();
        assert!(options.wants(&panicked("x")));
        assert!(!options.wants(&cancelled()));
        options.set_filter(Error::is_cancelled);
        assert!(!options.wants(&panicked("x")));
        assert!(options.wants(&cancelled()));
    }

    #[test]
    fn a_function_that_panics_hides_nothing() {
        let mut options = DebugOptions::default();
        options.set_filter(|_| panic!("on purpose"));
        options.set_fixture(|| -> Option<()> { panic!("on purpose") });
        assert!(options.wants(&panicked("x")));
        assert!(options.enter().is_some());
    }

    #[test]
    fn a_fixture_skips_a_prompt_or_is_there_until_its_end() {
        struct Note(Arc<AtomicBool>);
        impl Drop for Note {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let mut options = DebugOptions::default();
        let note = is_over.clone();
        options.set_fixture(move || Some(Note(note.clone())));
        let guard = options.enter().expect("a prompt");
        assert!(guard.is_some() && !is_over.load(Ordering::SeqCst));
        drop(guard);
        assert!(is_over.load(Ordering::SeqCst));

        options.set_fixture(|| None::<()>);
        assert!(options.enter().is_none());
    }
}
