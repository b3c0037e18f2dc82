//! How a child of this program gets to the place where actors begin.
//!
//! A child runs the program's `main` from its start. Where that would do something else than
//! reach the runtime's entry, starting one would run the program twice by accident (a plain
//! `#[test]` would run the whole suite again, in every child); so without a known entry nothing
//! is started.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::thread;

/// How a child gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `main` leads there: a child gets our own arguments.
    Main(Vec<OsString>),
    /// A test leads there: a child gets the harness's arguments that run this one.
    Test(String),
}

static ENTRY: OnceLock<Entry> = OnceLock::new();

/// Notes that `main` leads to the runtime, if it can be seen that it does.
pub(crate) fn note_main() {
    if thread::current().name() == Some("main") && !is_test_harness() {
        // A test's entry, noted before, stays.
        let _ = ENTRY.set(Entry::Main(std::env::args_os().skip(1).collect()));
    }
}

/// Notes that the test of this name leads to the runtime.
pub(crate) fn note_test(name: &str) {
    // There is one per process.
    let _ = ENTRY.set(Entry::Test(name.to_owned()));
}

/// The arguments of a child; `None` if no entry is known.
pub(crate) fn arguments() -> Option<Vec<OsString>> {
    ENTRY.get().map(Entry::arguments)
}

/// Whether a child's standard output is written to before it gets here.
pub(crate) fn is_noisy() -> bool {
    matches!(ENTRY.get(), Some(Entry::Test(_)))
}

impl Entry {
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Main(args) => args.clone(),
            Self::Test(name) => {
                let flags = [
                    "--exact",
                    "--nocapture",
                    "--test-threads=1",
                    "--include-ignored",
                    "-q",
                ];
                let name = std::iter::once(name.as_str());
                name.chain(flags).map(OsString::from).collect()
            }
        }
    }
}

/// Whether a test harness called us on the main thread, as it does when told to use one thread.
fn is_test_harness() -> bool {
    let one = |value: &str| value == "1";
    let mut args = std::env::args().skip(1);
    let by_argument = args
        .any(|arg| arg.strip_prefix("--test-threads=").is_some_and(one) || arg == "--test-threads");
    by_argument || std::env::var("RUST_TEST_THREADS").as_deref().is_ok_and(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_reached_by_its_exact_name() {
        let args = Entry::Test("a::b".to_owned()).arguments();
        assert_eq!(args[..2], ["a::b", "--exact"]);
        assert!(args.contains(&"--include-ignored".into()));
    }

    #[test]
    fn a_plain_test_is_no_entry() {
        note_main();
        assert_eq!(arguments(), None);
    }
}
