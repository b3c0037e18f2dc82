//! What `#[main]` and `#[test]` make of a body that returns anything a program may return.

use std::fmt;
use std::io::{self, Write};

use tractor_core::Error;

use crate::child_main::leave;
use crate::options::Options;
use crate::root::run;

/// What the body of `#[main]` or `#[test]` may return: nothing, or a `Result` whose error takes
/// up those of the runtime.
pub trait Outcome: Sized {
    /// The runtime failed, so that the body did not run or did not end.
    fn failed(error: Error) -> Self;

    /// What there is to say about it, if it is a failure.
    fn failure(&self) -> Option<String>;
}

impl Outcome for () {
    fn failed(error: Error) {
        // As a program would whose main returns the error.
        let _ = writeln!(io::stderr(), "Error: {error}");
        leave(1)
    }

    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T, E: From<Error> + fmt::Debug> Outcome for Result<T, E> {
    fn failed(error: Error) -> Self {
        Err(E::from(error))
    }

    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}

/// What `#[main]` expands to.
pub fn main<R: Outcome, F: AsyncFnOnce() -> R>(options: Options, body: F) -> R {
    match run(options, async || Ok::<R, Error>(body().await)) {
        Ok(outcome) => outcome,
        Err(error) => R::failed(error),
    }
}
