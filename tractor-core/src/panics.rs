//! Where a panic happened, for the report that goes to the caller.
//!
//! A panic's payload does not tell its place; only the hook sees it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::crash::{self, DebuggerQuit};
use crate::ending::Ending;

thread_local! {
    /// Whether a panic on this thread will be caught by [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the latest such panic happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic becomes [`Ending::Panicked`]. The panic hook has run by then, so the panic
/// stands on the standard error of this process as always.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Ending> {
    let result = panic::catch_unwind(AssertUnwindSafe(|| during(f)));
    result.map_err(|payload| {
        if payload.is::<DebuggerQuit>() {
            return DebuggerQuit::ending();
        }
        Ending::Panicked {
            message: message(&*payload),
            location: PLACE.take(),
        }
    })
}

/// Runs `f`, whose panics somebody will catch: the hook notes their place, and has the crash watch
/// look at them.
pub(crate) fn during<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CATCHING.set(self.0);
        }
    }
    install_hook();
    crash::forget_seen();
    let _restore = Restore(CATCHING.replace(true));
    __rust_begin_short_backtrace(f)
}

/// Where a backtrace that is not a full one ends: what is below it is the runtime's business. The
/// standard library knows the place by this name.
#[inline(never)]
fn __rust_begin_short_backtrace<R>(f: impl FnOnce() -> R) -> R {
    let result = f();
    // Not by a jump, which would leave no frame of this function.
    std::hint::black_box(());
    result
}

/// Notes the place of panics that [`catch`] will catch. If the user replaces the hook later, the
/// place is unknown and nothing else is lost.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                PLACE.set(info.location().map(ToString::to_string));
            }
            previous(info);
            if CATCHING.get() {
                let location = info.location().map(ToString::to_string);
                crash::look(&message(info.payload()), location);
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "(the panic's value is not a text)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_its_text_and_place() {
        let ending = catch(|| panic!("no {}", "tea")).unwrap_err();
        let Ending::Panicked { message, location } = ending else {
            panic!("{ending:?}")
        };
        assert_eq!(message, "no tea");
        assert!(location.unwrap().contains("panics.rs:"));
    }

    #[test]
    fn other_values_are_panics_too() {
        let ending = catch(|| panic::panic_any(7_u8)).unwrap_err();
        assert!(
            matches!(ending, Ending::Panicked { message, .. } if message.contains("not a text"))
        );
    }
}
