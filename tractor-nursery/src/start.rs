//! [`StartActor`]: starting an actor, with its options.

use std::ffi::OsString;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures::channel::oneshot;
use serde::Serialize;
use tractor_core::exports;
use tractor_core::io as engine;
use tractor_core::process::StdioSpec;
use tractor_core::runtime_vars::{self, RuntimeVars, VarError};
use tractor_core::{
    Actor, CancelReason, Cancellation, Contact, Ending, Error, Portal, Refusal, current_actor,
    logging,
};
use tractor_ipc::ActorId;

use crate::child::{Child, ExitWatch, Role};
use crate::launcher::{ConnectBack, Launched, Launcher, Local, Plan, Transport};
use crate::nurseries;
use crate::nursery::{Inner, Nursery};
use crate::place::sibling_address;
use crate::runtime::runtime;
use crate::spec::ActorSpec;
use crate::tree::{Report, Tree};

/// An actor that is about to be started; awaiting it starts the process and gives the actor's
/// [`Portal`] when it serves calls.
///
/// # Cancellation
///
/// Dropping it while it starts kills the process and reaps it.
///
/// # Errors
///
/// [`Ending::NotSpawned`] if the system, a limit or an option refuses; [`Ending::DiedBeforeReady`] if the
/// process ends before it serves calls; [`Refusal::NurseryClosed`] if the nursery takes no more
/// children; [`Refusal::BadName`]; [`Ending::Cancelled`] if it is cancelled meanwhile.
#[must_use = "an actor is started when this is awaited"]
#[derive(Debug)]
pub struct StartActor {
    nursery: Nursery,
    options: ChildOptions,
}

/// What a child is given.
#[derive(Debug)]
pub(crate) struct ChildOptions {
    pub(crate) name: String,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) clear_env: bool,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdin: StdioSpec,
    pub(crate) stdout: StdioSpec,
    pub(crate) stderr: StdioSpec,
    pub(crate) log_level: Option<String>,
    pub(crate) vars: RuntimeVars,
    pub(crate) exposed: Option<Vec<String>>,
    pub(crate) threads: usize,
    pub(crate) transport: Transport,
    pub(crate) bad_var: Option<VarError>,
}

impl ChildOptions {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            env: Vec::new(),
            clear_env: false,
            cwd: None,
            stdin: StdioSpec::Null,
            stdout: StdioSpec::Inherit,
            stderr: StdioSpec::Inherit,
            log_level: None,
            vars: RuntimeVars::new(),
            exposed: None,
            threads: 1,
            transport: Transport::default(),
            bad_var: None,
        }
    }
}

/// The options of a child, for the builders that have some.
macro_rules! child_options {
    () => {
        /// Sets a variable of the child's environment.
        pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
            self.options.env.push((name.into(), Some(value.into())));
            self
        }

        /// Removes a variable from the child's environment.
        pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
            self.options.env.push((name.into(), None));
            self
        }

        /// Starts the child without our environment.
        pub fn env_clear(mut self) -> Self {
            self.options.clear_env = true;
            self
        }

        /// Starts the child in this directory instead of ours.
        pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
            self.options.cwd = Some(dir.into());
            self
        }

        /// Says what the child reads as its standard input. The default is nothing. For a pipe give
        /// it an end of one, as [`StdioSpec::Fd`]. Whoever reads a terminal reads it beside the
        /// shell and the debugger's prompts, which want the same keys.
        ///
        /// # Examples
        ///
        /// ```
        /// use std::io::{self, Write};
        /// use tractor_core::process::StdioSpec; // `tractor::StdioSpec`
        /// use tractor_nursery::{Options, open_nursery, run}; // `tractor::{..}`
        /// # use tractor_core as tractor;
        /// # use tractor_macros::rpc;
        ///
        /// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
        /// async fn count_lines() -> usize {
        ///     io::stdin().lines().count()
        /// }
        ///
        /// fn main() -> Result<(), tractor::Error> {
        ///     run(Options::default(), async || {
        ///         open_nursery(async |nursery| {
        ///             let (reader, mut writer) = io::pipe().expect("a descriptor is free");
        ///             let counter = nursery
        ///                 .run_in_actor("counter", count_lines())
        ///                 .stdin(StdioSpec::Fd(reader.into()))
        ///                 .await?;
        ///             writer.write_all(b"one\ntwo\n").expect("it is read");
        ///             drop(writer); // the end
        ///             assert_eq!(counter.result().await?, 2);
        ///             Ok(())
        ///         })
        ///         .await
        ///     })
        /// }
        /// ```
        pub fn stdin(mut self, stdin: StdioSpec) -> Self {
            self.options.stdin = stdin;
            self
        }

        /// Says where the child's standard output goes instead of ours. For a pipe give it an end of
        /// one, as [`StdioSpec::Fd`].
        pub fn stdout(mut self, stdout: StdioSpec) -> Self {
            self.options.stdout = stdout;
            self
        }

        /// Says where the child's standard error goes instead of ours. For a pipe give it an end of
        /// one, as [`StdioSpec::Fd`].
        pub fn stderr(mut self, stderr: StdioSpec) -> Self {
            self.options.stderr = stderr;
            self
        }

        /// Logs at this level in the child and below it, instead of the tree's.
        pub fn log_level(mut self, level: impl Into<String>) -> Self {
            self.options.log_level = Some(level.into());
            self
        }

        /// Gives the child, and everybody below it, another value of a runtime variable. A value
        /// that cannot be serialized, or a key that begins with `tractor.`, fails the start.
        pub fn var<V: Serialize + ?Sized>(mut self, key: &str, value: &V) -> Self {
            let inserted = self.options.vars.insert(key, value);
            self.options.bad_var = self.options.bad_var.or_else(|| inserted.err());
            self
        }

        /// Turns debug mode on or off for the child and everybody below it.
        pub fn debug_mode(mut self, on: bool) -> Self {
            let inserted = self.options.vars.insert_own(runtime_vars::DEBUG_MODE, &on);
            self.options.bad_var = self.options.bad_var.or_else(|| inserted.err());
            self
        }

        /// Lets others call only these functions of the child. The default is all. A call of any
        /// other is refused with [`Refusal::NotExposed`], also that of a one-shot.
        ///
        /// A name is a path from the crate on, as errors show it: that of a function, as
        /// `my_app::jobs::load` or, of a method, `my_app::jobs::Counter::add`; or that of what it
        /// stands in, for all that stands there: `my_app`, `my_app::jobs`, `my_app::jobs::Counter`.
        /// The path without its types, `my_app::largest`, is all instances of a generic function.
        /// The crate is that of the program or library that the function stands in, with `_` for
        /// `-`; the module is where it is written, as [`module_path!`] gives it there, not where it
        /// is used from. With a name that nothing has the start fails, and with none at all nothing is
        /// exposed.
        ///
        /// # Examples
        ///
        /// ```
        /// # use tractor_core as tractor;
        /// # use tractor_macros::rpc;
        /// use tractor_core::{Ending, Refusal}; // `tractor::{..}`
        /// use tractor_nursery::{Options, open_nursery, run}; // `tractor::{..}`
        ///
        /// mod jobs {
        /// #   use tractor_macros::rpc;
        ///     #[rpc(crate = tractor_core)]
        ///     pub fn double(n: u64) -> u64 {
        ///         2 * n
        ///     }
        /// }
        ///
        /// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
        /// fn secret() -> u64 {
        ///     7
        /// }
        ///
        /// fn main() -> Result<(), tractor::Error> {
        ///     run(Options::default(), async || {
        ///         open_nursery(async |nursery| {
        ///             // In a program `my_app`: "my_app::jobs", or "my_app::jobs::double".
        ///             let jobs = concat!(module_path!(), "::jobs");
        ///             let worker = nursery.start_actor("worker").expose([jobs]).await?;
        ///             assert_eq!(worker.run(jobs::double(4)).await?, 8);
        ///             let refused = worker.run(secret()).await.unwrap_err();
        ///             assert!(matches!(refused.ending(), Ending::Refused(Refusal::NotExposed)));
        ///             worker.cancel_actor().await
        ///         })
        ///         .await
        ///     })
        /// }
        /// ```
        pub fn expose<I: Into<String>>(mut self, names: impl IntoIterator<Item = I>) -> Self {
            self.options.exposed = Some(names.into_iter().map(Into::into).collect());
            self
        }

        /// Has so many threads poll the child's tasks. The default is 1: the process is the unit
        /// of parallelism.
        pub fn threads(mut self, threads: usize) -> Self {
            self.options.threads = threads.max(1);
            self
        }

        /// Says how the child is linked with us: see [`Transport`].
        pub fn transport(mut self, transport: Transport) -> Self {
            self.options.transport = transport;
            self
        }
    };
}
pub(crate) use child_options;

impl StartActor {
    pub(crate) fn new(nursery: Nursery, options: ChildOptions) -> Self {
        Self { nursery, options }
    }

    child_options!();
}

impl IntoFuture for StartActor {
    type Output = Result<Portal, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (portal, _) = start(self.nursery.inner, self.options, Role::Daemon).await?;
            Ok(portal)
        })
    }
}

fn check_stdio(options: &ChildOptions) -> Result<(), String> {
    let stdio = [&options.stdin, &options.stdout, &options.stderr];
    if stdio.iter().any(|spec| matches!(spec, StdioSpec::Pipe)) {
        let reason = "nobody would hold the other end of its pipe: make one, and give it an end";
        return Err(reason.to_owned());
    }
    Ok(())
}

fn check_exposed(options: &ChildOptions) -> Result<(), String> {
    let exposed = options.exposed.as_deref().unwrap_or_default();
    let Some((unknown, like)) = exports::first_unknown(exposed) else {
        return Ok(());
    };
    let mut reason = format!("it is to expose `{unknown}`, and no exported function has that path");
    if !like.is_empty() {
        reason.push_str(&format!(
            " or stands there; there is `{}`",
            like.join("`, `")
        ));
    }
    Err(reason)
}

/// Starts a child and waits until it serves calls.
pub(crate) async fn start(
    inner: Arc<Inner>,
    options: ChildOptions,
    role: Role,
) -> Result<(Portal, Arc<Child>), Error> {
    match options.transport {
        Transport::Inherited => launch(&Local, inner, options, role).await,
        Transport::LoopbackTcp => launch(&ConnectBack, inner, options, role).await,
    }
}

async fn launch<L: Launcher>(
    launcher: &L,
    inner: Arc<Inner>,
    mut options: ChildOptions,
    role: Role,
) -> Result<(Portal, Arc<Child>), Error> {
    let actor = current_actor()?;
    check_name(actor, &options.name)?;
    let aid = ActorId::fresh(options.name.clone());
    let not_spawned = |reason: String| Error::new(aid.clone(), Ending::NotSpawned { reason });
    if let Some(error) = options.bad_var.take() {
        return Err(not_spawned(error.to_string()));
    }
    check_stdio(&options).map_err(not_spawned)?;
    check_exposed(&options).map_err(not_spawned)?;
    check_limits(actor).map_err(not_spawned)?;
    inner.begin_start()?;
    // If this future is dropped while the process is being started, the start is not over before
    // the process is reaped.
    let starting = Arc::new(Starting(inner.clone()));
    let mut spec = spec(actor, &aid, &mut options).map_err(not_spawned)?;
    launcher.direct(actor, &mut spec).await?;
    let plan = Plan {
        aid: aid.clone(),
        tree: actor.identity().tree,
        env: options.env,
        clear_env: options.clear_env,
        cwd: options.cwd,
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr,
    };
    let Launched { process, boot } = launcher
        .launch(plan, starting.clone())
        .await
        .map_err(|error| not_spawned(error.to_string()))?;
    tractor_core::fault!("start.launched");
    let pid = process.pid();
    let (tell, told) = oneshot::channel();
    let tree = runtime()?.tree.clone();
    let address = spec.listen.clone();
    let owners = (Arc::downgrade(&inner), tree);
    let child = Child::new((aid.clone(), role), process, address, owners, tell);
    let booting = Booting(Some(child.clone()));
    // Before anything else of the child's can be heard.
    let parent = actor.aid().clone();
    Tree::report(
        actor,
        &Report::Spawned {
            aid: aid.clone(),
            pid,
            parent,
        },
    );
    let linking = launcher.link(actor, &child, boot, spec);
    // Before its end can be heard of, which takes it out again.
    inner.enter(&child);
    if let Err(error) = engine::watch(Arc::new(ExitWatch(child.clone()))) {
        // It is killed by the drop of `booting`, and stays the nursery's until it is reaped.
        child.poll_exit();
        return Err(not_spawned(error.to_string()));
    }
    drop(starting);
    let linking = linking.map_err(|error| not_spawned(error.to_string()))?;
    let contact: Contact = match told.await {
        Ok(ready) => ready?,
        Err(oneshot::Canceled) => return Err(inner.refused(Refusal::Closing)),
    };
    drop(linking);
    let Some(link) = child.link().cloned() else {
        unreachable!("a child says over its link that it is ready");
    };
    booting.succeeded();
    Ok((Portal::over(link, contact), child))
}

fn spec(actor: &Actor, aid: &ActorId, options: &mut ChildOptions) -> Result<ActorSpec, String> {
    let identity = actor.identity();
    let mut vars = runtime_vars::current().merged_with(&options.vars);
    let inherited = vars
        .get(runtime_vars::LOG_LEVEL)
        .map_err(|error| error.to_string())?;
    let log_filter = options
        .log_level
        .take()
        .or(inherited)
        .unwrap_or_else(|| logging::tree_filter(None));
    logging::check_filter(&log_filter).map_err(|error| error.to_string())?;
    vars.insert_own(runtime_vars::LOG_LEVEL, &log_filter)
        .map_err(|error| error.to_string())?;
    vars.insert_own(runtime_vars::IS_ROOT, &false)
        .map_err(|error| error.to_string())?;
    let is_debugged = vars
        .get::<bool>(runtime_vars::DEBUG_MODE)
        .map_err(|error| error.to_string())?
        .unwrap_or_default();
    let inherits_output = matches!(options.stdout, StdioSpec::Inherit);
    let output_to_stderr = crate::entry::is_noisy() && inherits_output;
    if output_to_stderr {
        options.stdout = StdioSpec::Null;
    }
    Ok(ActorSpec {
        aid: aid.clone(),
        parent: identity.aid.clone(),
        depth: identity.depth + 1,
        tree: identity.tree,
        build: identity.build,
        secret: Some(identity.secret.clone()),
        root: identity.root.clone(),
        listen: actor.address().and_then(|ours| sibling_address(&ours, aid)),
        vars,
        log_filter,
        threads: options.threads,
        exposed: options.exposed.take(),
        limits: runtime().map_err(|error| error.to_string())?.limits,
        output_to_stderr,
        fatal_pipe: is_debugged.then(crate::fatal::pipe).flatten(),
    })
}

fn check_name(actor: &Actor, name: &str) -> Result<(), Error> {
    ActorId::check_name(name).map_err(|error| {
        let refusal = Refusal::BadName {
            name: name.to_owned(),
            reason: error.to_string(),
        };
        Error::new(actor.aid().clone(), Ending::Refused(refusal))
    })
}

fn check_limits(actor: &Actor) -> Result<(), String> {
    let limits = runtime().map_err(|error| error.to_string())?.limits;
    if nurseries::population() >= limits.children_max as usize {
        Err(format!(
            "an actor may have {} children at a time (`max_children`)",
            limits.children_max
        ))
    } else if actor.identity().depth >= limits.depth_max {
        Err(format!(
            "actors may stand {} levels below the root (`max_depth`)",
            limits.depth_max
        ))
    } else {
        Ok(())
    }
}

/// Ends the announcement of a start.
struct Starting(Arc<Inner>);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.end_start();
    }
}

/// Kills a child whose start was given up.
struct Booting(Option<Arc<Child>>);

impl Booting {
    fn succeeded(mut self) {
        self.0 = None;
    }
}

impl Drop for Booting {
    fn drop(&mut self) {
        if let Some(child) = self.0.take() {
            child.kill(&Cancellation {
                by: None,
                reason: CancelReason::Dropped,
            });
        }
    }
}
