//! [`Launcher`]: how a child's process comes to be and how its link is made.
//!
//! Here it is started on this machine and inherits its link. A launcher for another machine would
//! start it there and take the connection that it makes back.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::path::PathBuf;

use tractor_core::process::{self, Process, Program, SpawnError, SpawnSpec, StdioSpec};
use tractor_ipc::{ActorId, Socket, TreeId};

use crate::entry;

/// What is to be launched.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) aid: ActorId,
    pub(crate) tree: TreeId,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) clear_env: bool,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdout: StdioSpec,
    pub(crate) stderr: StdioSpec,
}

/// A process that runs, and our end of its link.
pub(crate) struct Launched {
    pub(crate) process: Process,
    pub(crate) socket: Socket,
}

/// Starts children.
pub(crate) trait Launcher {
    /// Starts a process that is told the rest over its link. Dropped, it leaves none behind, and
    /// drops `keep` when that is so.
    fn launch(
        &self,
        plan: Plan,
        keep: impl Send + 'static,
    ) -> impl Future<Output = Result<Launched, LaunchError>> + Send;
}

/// Starts children as processes of this machine that run the same file as we.
pub(crate) struct LocalLauncher;

impl Launcher for LocalLauncher {
    async fn launch(&self, plan: Plan, keep: impl Send + 'static) -> Result<Launched, LaunchError> {
        let args = entry::arguments().ok_or(LaunchError::NoEntry)?;
        let (socket, theirs) = Socket::pair().map_err(LaunchError::Link)?;
        let spec = SpawnSpec {
            name: plan.aid.name().to_owned(),
            program: Program::SelfExe,
            args,
            env: plan.env,
            clear_env: plan.clear_env,
            cwd: plan.cwd,
            tree: plan.tree,
            stdin_link: theirs,
            stdout: plan.stdout,
            stderr: plan.stderr,
        };
        let spawned = process::spawn_keeping(spec, keep).await?;
        Ok(Launched {
            process: spawned.process,
            socket,
        })
    }
}

/// Why a child was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// A child would run something else than the runtime's entry.
    #[error(
        "no way is known by which a child of this program would become an actor: actors are \
         started below `#[tractor::main]` or `tractor::run` on the main thread, or in a \
         `#[tractor::test]`"
    )]
    NoEntry,
    /// The system gives no socket pair.
    #[error("make its link: {0}")]
    Link(io::Error),
    /// The system does not start it.
    #[error("{}", with_source(.0))]
    Spawn(#[from] SpawnError),
}

fn with_source(error: &SpawnError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
