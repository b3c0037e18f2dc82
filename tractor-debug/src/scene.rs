//! [`Scene`]: where a task stands, why, and what a prompt can show of it.

use tractor_core::Error;
use tractor_ipc::ActorId;

/// What a prompt can show.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The actor.
    pub actor: ActorId,
    /// Its process.
    pub pid: u32,
    /// The task, as log lines show it; `None` for the root's main and for threads of the user.
    pub task: Option<String>,
    /// Why there is a prompt.
    pub why: Why,
    /// Where in the source, if that is known.
    pub place: Option<Place>,
    /// What was captured there, in the order in which it was given.
    pub captures: Vec<Capture>,
    /// What went wrong, of a crash.
    pub error: Option<Error>,
    /// The frames of the thread, innermost first, as the standard library prints them.
    pub backtrace: Option<String>,
}

/// Why there is a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The code asked for it: a breakpoint, or an error that was handed over.
    Pause,
    /// A task failed or panicked.
    Crash,
}

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as `file!()` gives it: relative to where the compiler ran.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The module, as `module_path!()` gives it.
    pub module: String,
    /// The directory of its crate's manifest, if the place is the user's own.
    pub manifest_dir: Option<String>,
}

/// A value that was captured, as text: nothing of the paused task is touched any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// What stood in the macro, such as `order.id`.
    pub name: String,
    /// The full name of its type.
    pub type_name: String,
    /// What `{:?}` gives, cut at 64 KiB.
    pub debug: String,
    /// What `{:#?}` gives, cut at 64 KiB.
    pub pretty: String,
}
