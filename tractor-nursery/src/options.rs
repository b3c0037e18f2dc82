//! [`Options`]: how a tree is run.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tractor_core::runtime_vars::{self, RuntimeVars, VarError};

/// How a tree of actors is run. Every option has a default that suits most programs.
///
/// # Examples
///
/// ```
/// use tractor_nursery::Options;
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
        }
    }
}

impl Options {
    /// Names the root. The default is `root`.
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
    /// `warn,my_crate=debug`). The environment variable `TRACTOR_LOG` wins over it; the default
    /// is `warn`.
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

    /// Hands a value down the tree, to be read anywhere with
    /// [`runtime_var`](tractor_core::runtime_vars::runtime_var). A value that cannot be
    /// serialized, or a key that begins with `tractor.`, fails the run.
    pub fn var<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Self {
        let inserted = self.vars.insert(key, value);
        self.bad_var = self.bad_var.or_else(|| inserted.err());
        self
    }

    /// Puts the tree's sockets into a directory of its own below this one, instead of the first
    /// usable of `XDG_RUNTIME_DIR`, `TMPDIR` and `/tmp`.
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
