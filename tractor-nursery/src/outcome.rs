//! What `#[main]` and `#[test]` make of a body that returns anything a program may return.

use std::any::Any;
use std::error::Error as StdError;
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

    /// The failure as an error of the tree, for a prompt.
    fn error(&self) -> Option<Error>;
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

    fn error(&self) -> Option<Error> {
        None
    }
}

impl<T, E: From<Error> + fmt::Debug + 'static> Outcome for Result<T, E> {
    fn failed(error: Error) -> Self {
        Err(E::from(error))
    }

    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }

    fn error(&self) -> Option<Error> {
        let error = self.as_ref().err()?;
        let ours = of_the_tree(error).cloned();
        Some(ours.unwrap_or_else(|| tractor_debug::described(&Shown(format!("{error:?}")))))
    }
}

/// An error of the tree, also in one of the boxes that programs put all errors in.
fn of_the_tree(error: &dyn Any) -> Option<&Error> {
    type Shared = Box<dyn StdError + Send + Sync>;
    let shared = || error.downcast_ref::<Shared>()?.downcast_ref();
    let plain = || error.downcast_ref::<Box<dyn StdError>>()?.downcast_ref();
    error.downcast_ref().or_else(shared).or_else(plain)
}

/// An error of which nothing is known but what its `Debug` says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shown(String);

/// What `#[main]` expands to.
pub fn main<R: Outcome, F: AsyncFnOnce() -> R>(options: Options, body: F) -> R {
    let watched = async || {
        let outcome = body().await;
        if tractor_debug::is_armed()
            && let Some(error) = outcome.error()
        {
            tractor_debug::main_failed(&error).await;
        }
        Ok::<R, Error>(outcome)
    };
    match run(options, watched) {
        Ok(outcome) => outcome,
        Err(error) => R::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use tractor_core::{Ending, Refusal};
    use tractor_ipc::ActorId;

    use super::*;

    #[test]
    fn an_error_of_the_tree_is_found_in_a_box() {
        let error = Error::new(
            ActorId::new("worker", 1),
            Ending::Refused(Refusal::NotAnActor),
        );
        let shared: Result<(), Box<dyn StdError + Send + Sync>> = Err(error.clone().into());
        let plain: Result<(), Box<dyn StdError>> = Err(error.clone().into());
        for found in [shared.error(), plain.error()] {
            assert_eq!(found.map(|found| found.id()), Some(error.id()));
        }
        let other: Result<(), Box<dyn StdError>> = Err("another".into());
        assert_ne!(other.error().map(|other| other.id()), Some(error.id()));
    }
}
