//! [`Launcher`]: how a child's process comes to be, and how it is linked with us.
//!
//! Each starts it as a process of this machine with one end of a socket pair, the *boot pair*, as
//! descriptor 0. One launcher makes that pair the link; the other has the child connect back over
//! the network, as one would have to that is started on another machine.

// The link is inherited.
mod local;
// The link is made by the child.
mod connect_back;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tractor_core::process::{self, Process, Program, SpawnError, SpawnSpec, StdioSpec};
use tractor_core::{Actor, Error};
use tractor_ipc::{ActorId, Socket, TreeId};

pub(crate) use self::connect_back::ConnectBack;
pub(crate) use self::local::Local;
use crate::child::Child;
use crate::entry;
use crate::spec::ActorSpec;

/// How a child is linked with its parent, and how others reach the child.
///
/// # Examples
///
/// A far actor and one that it starts itself; neither is ever reached by a path:
///
/// ```
/// use tractor_nursery::{Options, Transport, open_nursery, run}; // `tractor::{..}`
/// # use tractor_core as tractor;
/// # use tractor_ipc::Address;
/// # use tractor_macros::rpc;
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// async fn start_another() -> Result<Option<Address>, tractor::Error> {
///     open_nursery(async |nursery| {
///         let below = nursery.start_actor("below").await?;
///         below.cancel_actor().await?;
///         Ok(below.contact().address.clone())
///     })
///     .await
/// }
///
/// fn main() -> Result<(), tractor::Error> {
///     run(Options::default(), async || {
///         open_nursery(async |nursery| {
///             let far = nursery.start_actor("far").transport(Transport::LoopbackTcp).await?;
///             let below = far.run(start_another()).await?;
///             for address in [far.contact().address.clone(), below] {
///                 assert!(matches!(address, Some(Address::Tcp(_))));
///             }
///             far.cancel_actor().await
///         })
///         .await
///     })
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// The link is a pair of sockets of which the child inherits one end. Others reach the child
    /// as they reach its parent: mostly by a socket in the tree's directory.
    #[default]
    Inherited,
    /// The child connects back by TCP over the loopback interface, where each of the two proves
    /// to the other who it is. It and all below it listen there as well, and so does the root for
    /// them.
    ///
    /// The child runs on this machine all the same, and the runtime makes use of that: for the
    /// child's death with its parent, the prompt of an actor that is struck by a signal, native
    /// debuggers, and the output that is kept apart from a prompt. Actors that are not below it
    /// keep their sockets in the tree's directory, by which it reaches them.
    LoopbackTcp,
}

/// What is to be launched.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) aid: ActorId,
    pub(crate) tree: TreeId,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) clear_env: bool,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdin: StdioSpec,
    pub(crate) stdout: StdioSpec,
    pub(crate) stderr: StdioSpec,
}

/// A process that runs, and our end of its boot pair.
pub(crate) struct Launched {
    pub(crate) process: Process,
    pub(crate) boot: Socket,
}

/// Starts children and links them with us.
pub(crate) trait Launcher: Sync {
    /// What waits for the link. Dropping it ends that.
    type Linking: Send;

    /// Changes what the actor is told, where it is reached otherwise than its parent.
    ///
    /// # Errors
    ///
    /// The root does not listen where the actor could reach it.
    fn direct(
        &self,
        actor: &Actor,
        spec: &mut ActorSpec,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Starts a process that is told the rest over its boot pair. Dropped, it leaves none behind,
    /// and drops `keep` when that is so.
    fn launch(
        &self,
        plan: Plan,
        keep: impl Send + 'static,
    ) -> impl Future<Output = Result<Launched, LaunchError>> + Send {
        start_here(plan, keep)
    }

    /// Gives the child its link, at once or when it has come, and over that link what it is to be.
    ///
    /// # Errors
    ///
    /// There are no descriptors left, or the child is told more than a frame holds.
    fn link(
        &self,
        actor: &Actor,
        child: &Arc<Child>,
        boot: Socket,
        spec: ActorSpec,
    ) -> io::Result<Self::Linking>;
}

/// Starts a process of this machine that runs the same file as we.
async fn start_here(plan: Plan, keep: impl Send + 'static) -> Result<Launched, LaunchError> {
    let args = entry::arguments().ok_or(LaunchError::NoEntry)?;
    let (boot, theirs) = Socket::pair().map_err(LaunchError::Link)?;
    process::lend_stdin(&boot, &plan.stdin).map_err(LaunchError::Stdin)?;
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
        boot,
    })
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
    /// The system hands its standard input over to nobody.
    #[error("hand its standard input over: {0}")]
    Stdin(io::Error),
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
