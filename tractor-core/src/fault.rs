//! Fault points: places where a test can make this process die, stop, lag or fail.
//!
//! They exist only under the feature `__faults`; without it [`fault!`](crate::fault!) leaves
//! nothing in the program. A plan is taken from the environment variable `TRACTOR_FAULTS`, which
//! children inherit:
//!
//! ```text
//! TRACTOR_FAULTS="boot.entered#worker=kill; link.write@3=short:5; spawn.exec@*=error:EMFILE"
//! ```
//!
//! Rules are separated by `;`. Each is the name of a point, then, if wanted, `@N` for the Nth time
//! that the point is reached (`@1` if not given, `@*` for every time), then `#NAME` for the actor
//! of that name only, then `=` and what happens:
//!
//! | action | effect |
//! |---|---|
//! | `kill`, `stop`, `abort` | SIGKILL, SIGSTOP or SIGABRT to this process |
//! | `exit:CODE` | leaves by `exit` |
//! | `delay:200ms`, `delay:2s` | the thread sleeps |
//! | `error:EMFILE`, `error:24` | the operation fails with this error |
//! | `short:BYTES` | only that many bytes are taken |
//!
//! Each rule counts for itself, in each process. An actor's name is its argument zero until
//! [`set_actor_name`] is called.

#[cfg(feature = "__faults")]
mod armed;
#[cfg(feature = "__faults")]
mod plan;

#[cfg(feature = "__faults")]
pub use armed::{error, hit, set_actor_name, short, start};

/// The variables that a child needs for its plan.
#[cfg(feature = "__faults")]
pub(crate) const VARIABLES: &[&str] = &[armed::VARIABLE];

/// The variables that a child needs for its plan.
#[cfg(not(feature = "__faults"))]
pub(crate) const VARIABLES: &[&str] = &[];

/// Reads the plan; without the feature there is none.
#[cfg(not(feature = "__faults"))]
#[inline(always)]
pub fn start() {}

/// Says which actor this process is; without the feature nobody asks.
#[cfg(not(feature = "__faults"))]
#[inline(always)]
pub fn set_actor_name(_name: &str) {}

/// A place where a test can make things go wrong; see [`fault`](mod@crate::fault).
///
/// `fault!("name")` is a statement: the process may die, stop or lag there.
/// `fault!("name", error)` is an `Option<std::io::Error>` with which the operation should fail.
/// `fault!("name", short, len)` is a `usize`, how many of `len` bytes to write.
#[cfg(feature = "__faults")]
#[macro_export]
macro_rules! fault {
    ($name:literal) => {
        $crate::fault::hit($name)
    };
    ($name:literal, error) => {
        $crate::fault::error($name)
    };
    ($name:literal, short, $len:expr) => {
        $crate::fault::short($name, $len)
    };
}

/// A place where a test can make things go wrong; see [`fault`](mod@crate::fault).
///
/// `fault!("name")` is a statement: the process may die, stop or lag there.
/// `fault!("name", error)` is an `Option<std::io::Error>` with which the operation should fail.
/// `fault!("name", short, len)` is a `usize`, how many of `len` bytes to write.
#[cfg(not(feature = "__faults"))]
#[macro_export]
macro_rules! fault {
    ($name:literal) => {
        ()
    };
    ($name:literal, error) => {
        ::core::option::Option::<::std::io::Error>::None
    };
    ($name:literal, short, $len:expr) => {
        $len
    };
}

#[cfg(all(test, not(feature = "__faults")))]
mod tests {
    #[test]
    fn without_the_feature_nothing_happens() {
        crate::fault!("test.nothing");
        assert!(crate::fault!("test.nothing", error).is_none());
        assert_eq!(crate::fault!("test.nothing", short, 10), 10);
    }
}
