//! [`CrashHandler`]: a prompt for what goes wrong in a stretch of plain code, with no runtime.

use std::any::{Any, type_name};
use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tractor_core::{Ending, Error, UserError, crash};

use crate::editor::be_editor_if_asked;
use crate::pause::{described, see_crash, this_actor, watch};

/// Opens a prompt for an error or a panic of `body`, and then gives both their usual course: the
/// error is returned, the panic goes on.
///
/// It needs no runtime; [`CrashHandler`] has the choices, and says what else holds.
///
/// # Errors
///
/// What `body` returns.
///
/// # Panics
///
/// When `body` does.
///
/// # Examples
///
/// ```
/// use tractor_debug::open_crash_handler; // `tractor::open_crash_handler`
///
/// fn main() -> Result<(), std::num::ParseIntError> {
///     let sum = open_crash_handler(|| Ok("3".parse::<u32>()? + "4".parse::<u32>()?))?;
///     assert_eq!(sum, 7);
///     Ok(())
/// }
/// ```
pub fn open_crash_handler<T, E>(body: impl FnOnce() -> Result<T, E>) -> Result<T, E>
where
    E: Debug + Display + 'static,
{
    CrashHandler::new().open(body)
}

/// Opens a prompt for what goes wrong in a stretch of plain code.
///
/// The prompt is on the terminal of this process; in an actor it is on that of the root, in its
/// turn. A panic has its prompt before it unwinds. Without a terminal the report is printed
/// instead.
///
/// The line editor is this program once more, up to here: so `main` should come to its first
/// handler, or to `tractor_debug::be_editor_if_asked`, before it does anything else, and with the
/// same arguments.
///
/// # Examples
///
/// ```
/// use tractor_debug::{Crash, CrashHandler}; // `tractor::{..}`
///
/// let handler = CrashHandler::new().catch(|error: &std::fmt::Error| error.to_string() != "");
/// let caught = handler.panics(false).contain(|| -> Result<(), _> { panic!("no prompt") });
/// assert!(matches!(caught, Err(Crash::Panicked(message)) if message == "no prompt"));
/// ```
#[must_use]
pub struct CrashHandler<E> {
    is_on: bool,
    panics: bool,
    catch: Box<dyn Fn(&E) -> bool>,
}

/// What ended a stretch of code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Crash<E> {
    /// It returned this.
    #[error("{0}")]
    Failed(E),
    /// It panicked, with this text.
    #[error("panicked: {0}")]
    Panicked(String),
}

thread_local! {
    /// Whether a panic of this thread is to have a prompt, whatever else is debugged.
    static AWAITED: Cell<bool> = const { Cell::new(false) };
    /// Whether the latest one had it.
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

impl<E: Debug + Display + 'static> CrashHandler<E> {
    /// A handler of all errors and panics.
    pub fn new() -> Self {
        Self {
            is_on: true,
            panics: true,
            catch: Box::new(|_| true),
        }
    }

    /// Opens prompts only if this holds: for a program's own `--debug`. Nothing else changes.
    pub fn when(self, is_on: bool) -> Self {
        Self { is_on, ..self }
    }

    /// Opens prompts only for errors of which this is true.
    pub fn catch(self, catch: impl Fn(&E) -> bool + 'static) -> Self {
        Self {
            catch: Box::new(catch),
            ..self
        }
    }

    /// Whether panics have prompts; they do by default.
    pub fn panics(self, panics: bool) -> Self {
        Self { panics, ..self }
    }

    /// Runs `body`, and raises again what ended it when the prompt is over.
    ///
    /// # Errors
    ///
    /// What `body` returns.
    ///
    /// # Panics
    ///
    /// When `body` does.
    pub fn open<T>(self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.run(body)
            .unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Runs `body`, and raises nothing: what ended it is a value.
    ///
    /// # Errors
    ///
    /// What ended it.
    pub fn contain<T>(self, body: impl FnOnce() -> Result<T, E>) -> Result<T, Crash<E>> {
        match self.run(body) {
            Ok(result) => result.map_err(Crash::Failed),
            Err(payload) => {
                // It goes no further, and the next one is another.
                crash::take_seen();
                Err(Crash::Panicked(message(&*payload)))
            }
        }
    }

    fn run<T>(
        &self,
        body: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>, Box<dyn Any + Send>> {
        be_editor_if_asked();
        watch();
        let panics = self.is_on && self.panics;
        let before = AWAITED.replace(panics);
        SEEN.set(false);
        crash::take_seen();
        let ended = catch_unwind(AssertUnwindSafe(|| crash::watched(body)));
        AWAITED.set(before);
        match &ended {
            Ok(Err(error)) if self.is_on && (self.catch)(error) => {
                see_crash(told(error));
            }
            // The program has replaced the panic hook.
            Err(payload) if panics && !SEEN.get() => {
                let ending = Ending::Panicked {
                    message: message(&**payload),
                    location: None,
                };
                see_crash(Error::new(this_actor(), ending));
            }
            _ => {}
        }
        ended
    }
}

impl<E: Debug + Display + 'static> Default for CrashHandler<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Debug for CrashHandler<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrashHandler")
            .field("is_on", &self.is_on)
            .field("panics", &self.panics)
            .finish_non_exhaustive()
    }
}

/// Whether a handler waits for the panic of this thread, which is about to have its prompt.
pub(crate) fn take_awaited() -> bool {
    let is_awaited = AWAITED.get();
    SEEN.set(is_awaited);
    is_awaited
}

/// An error of any type as one of the tree's, as far as its type is known.
fn told<E: Debug + Display + 'static>(error: &E) -> Error {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<Error>() {
        return error.clone();
    }
    if let Some(error) = any.downcast_ref::<Box<dyn StdError + Send + Sync>>() {
        return described(&**error);
    }
    let told = Told {
        // The causes too, with the types that show them so.
        text: format!("{error:#}"),
        debug: format!("{error:?}"),
    };
    let described = UserError::describe(type_name::<E>(), &told);
    Error::new(this_actor(), Ending::Failed(Box::new(described)))
}

/// What an error says of itself.
#[derive(thiserror::Error)]
#[error("{text}")]
struct Told {
    text: String,
    debug: String,
}

impl Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.debug)
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(the panic's value is not a text)")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Off, so that the tests open no prompts.
    fn off<E: Debug + Display + 'static>() -> CrashHandler<E> {
        CrashHandler::new().when(false)
    }

    #[test]
    fn what_is_contained_is_a_value() {
        assert_eq!(off::<String>().contain(|| Ok(7)), Ok(7));
        let failed = off().contain(|| Err::<(), _>("tea".to_owned()));
        assert_eq!(failed, Err(Crash::Failed("tea".to_owned())));
        let panicked = off::<String>().contain(|| -> Result<(), _> { panic!("no {}", "tea") });
        assert_eq!(panicked, Err(Crash::Panicked("no tea".to_owned())));
    }

    #[test]
    fn what_is_not_contained_is_raised() {
        assert_eq!(
            off().open(|| Err::<(), _>("tea".to_owned())),
            Err("tea".to_owned())
        );
        let raised = catch_unwind(|| off::<String>().open(|| -> Result<(), _> { panic!("tea") }));
        assert_eq!(message(&*raised.unwrap_err()), "tea");
    }

    #[test]
    fn an_error_tells_what_its_type_can_tell() {
        let boxed: Box<dyn StdError + Send + Sync> = "tea".into();
        assert!(told(&boxed).to_string().contains("tea"));
        let again = told(&told(&boxed)).to_string();
        assert_eq!(again, told(&boxed).to_string());
        let number = "x".parse::<u8>().unwrap_err();
        assert!(told(&number).to_string().contains("invalid digit"));
    }
}
