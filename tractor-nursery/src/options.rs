//! [`Options`]: how a tree is run.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tractor_core::Error;
use tractor_core::runtime_vars::{self, RuntimeVars, VarError};
use tractor_debug::{DebugOptions, Reentry};

/// How a tree of actors is run. Every option has a default that suits most programs.
///
/// # Examples
///
/// ```
/// use tractor_nursery::Options; // `tractor::Options`
///
/// let options = Options::default().name("root").threads(2).log_level("info");
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) log_level: Option<String>,
    pub(crate) vars: RuntimeVars,
    pub(crate) runtime_dir: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) bad_var: Option<VarError>,
    pub(crate) debug: DebugOptions,
}

/// What keeps a program that starts actors by mistake from taking the machine down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Limits {
    /// Children of one actor at a time.
    pub(crate) children_max: u32,
    /// Levels below the root.
    pub(crate) depth_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            children_max: 1024,
            depth_max: 32,
        }
    }
}

/// What a nursery waits for, at most, when its block has ended and daemons still run, before it
/// says so in the log: 5 s.
pub const DAEMON_NOTICE_AFTER: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "root".to_owned(),
            threads: 1,
            log_level: None,
            vars: RuntimeVars::new(),
            runtime_dir: None,
            limits: Limits::default(),
            bad_var: None,
            debug: DebugOptions::default(),
        }
    }
}

impl Options {
    /// Names the root. The default is `root`. In `ps` its process keeps the name of the program, as
    /// whoever has started it expects; only the actors below have theirs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Has so many threads poll the root's tasks. The default is 1: the process is the unit of
    /// parallelism.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Logs at this level in the whole tree, in the syntax of env_logger (`info`,
    /// `warn,my_crate=debug`). The environment variable `TRACTOR_LOG` of the root wins over it, an
    /// actor's own level wins over both; the default is `warn`. A filter that is not understood
    /// fails the run. A logger that the program sets before the runtime starts stays in use.
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = Some(level.into());
        self
    }

    /// Turns debug mode on or off for the tree: the runtime variable that debuggers ask. The
    /// default is off.
    pub fn debug_mode(mut self, on: bool) -> Self {
        let inserted = self.vars.insert_own(runtime_vars::DEBUG_MODE, &on);
        self.bad_var = self.bad_var.or_else(|| inserted.err());
        self
    }

    /// In debug mode, opens a prompt by itself only for failures of which this is true. Without a
    /// filter these are all that are not merely the effect of a cancel; `pm!` and `post_mortem`
    /// ask nobody.
    ///
    /// It holds in every actor: each is this program, which comes by here on its way to `run`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tractor_nursery::Options; // `tractor::Options`
    ///
    /// let options = Options::default().debug_mode(true).debug_filter(|error| error.is_panic());
    /// # let _ = options;
    /// ```
    pub fn debug_filter(mut self, filter: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.debug.set_filter(filter);
        self
    }

    /// Calls this right before each prompt of an actor, in that actor, with the terminal given to
    /// it, and drops what it returned when the prompt is over: for programs that own the screen.
    /// `None` skips the prompt; whoever paused goes on.
    ///
    /// It holds in every actor: each is this program, which comes by here on its way to `run`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tractor_nursery::Options; // `tractor::Options`
    ///
    /// /// Leaves the program's own screen until it is dropped.
    /// struct LeftScreen;
    ///
    /// let options = Options::default().repl_fixture(|| Some(LeftScreen));
    /// # let _ = options;
    /// ```
    pub fn repl_fixture<G: Send + 'static>(
        mut self,
        fixture: impl Fn() -> Option<G> + Send + Sync + 'static,
    ) -> Self {
        self.debug.set_fixture(fixture);
        self
    }

    /// Decides what becomes of a task that reaches a breakpoint while another task of its actor is
    /// at a prompt. By default it goes on, with a line in the log.
    ///
    /// It holds in every actor: each is this program, which comes by here on its way to `run`.
    pub fn reentry(mut self, reentry: Reentry) -> Self {
        self.debug.set_reentry(reentry);
        self
    }

    /// Hands a value down the tree, to be read anywhere with
    /// [`runtime_var`](tractor_core::runtime_vars::runtime_var). A value that cannot be
    /// serialized, or a key that begins with `tractor.`, fails the run.
    pub fn var<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Self {
        let inserted = self.vars.insert(key, value);
        self.bad_var = self.bad_var.or_else(|| inserted.err());
        self
    }

    /// Puts the tree's sockets into a directory of its own below this one, instead of the first
    /// usable of `XDG_RUNTIME_DIR`, `TMPDIR`, `/dev/shm` and `/tmp`.
    pub fn runtime_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.runtime_dir = Some(dir.into());
        self
    }

    /// Lets one actor have at most so many children at a time. The default is 1024.
    pub fn max_children(mut self, children: u32) -> Self {
        self.limits.children_max = children;
        self
    }

    /// Lets actors stand at most so many levels below the root. The default is 32.
    pub fn max_depth(mut self, levels: u32) -> Self {
        self.limits.depth_max = levels;
        self
    }
}
