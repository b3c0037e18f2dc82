//! [`run`]: the root of a tree, from its first actor to the last one reaped.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tractor_core::actor::{AlreadyAnActor, Identity};
use tractor_core::io as engine;
use tractor_core::io::gather::Gathering;
use tractor_core::logging::{self, LogSettings};
use tractor_core::portal::CANCEL_WITHIN;
use tractor_core::process::{self, build_id};
use tractor_core::services::ServiceId;
use tractor_core::{
    Actor, CancelReason, Cancellation, Contact, Ending, Error, crash, exports, fault, rt,
    runtime_vars, scope,
};
use tractor_discovery::Registrar;
use tractor_ipc::{ActorId, TreeId, TreeSecret};

use crate::options::Options;
use crate::place::Place;
use crate::tree::Tree;
use crate::{child_main, debugger, entry, runtime, signals};

/// Runs `body` as the root of a tree of actors, and returns when every process of the tree is
/// reaped.
///
/// In a child process it does not return: there it is where the actor lives. So whatever stands
/// before it in `main` runs in each child too, with the arguments of this process.
///
/// SIGINT, SIGTERM and SIGHUP (unless it is ignored, as `nohup` has it) cancel the tree; when it is
/// over the signal takes its usual effect on this process. A second one shortens the time that the
/// tree is given, a third kills it, and this process with it, whatever `body` does. SIGTSTP stops
/// the tree and then this process. To hear of a signal, await
/// [`CancelScope::cancelled`](tractor_core::CancelScope::cancelled) of the actor's scope; its
/// reason is [`CancelReason::Signal`].
///
/// # What it changes in the process
///
/// The root handles these signals, SIGINT by way of the crate `ctrlc`, and becomes a subreaper: it
/// inherits processes whose parents have died. Every actor, the root too, handles SIGUSR1
/// ([`dump_tree`](crate::dump_tree)); the others handle signal 61 as well, by which they are known,
/// and in debug mode the five signals of crashes. An actor has `/dev/null` as standard input,
/// unless it is started with another; it has no controlling terminal, a process group of its own,
/// and in its environment `TRACTOR_TREE` and `TRACTOR_CHILD_OF`.
///
/// # Errors
///
/// What `body` returns; [`Ending::NotSpawned`] if the system refuses what the runtime needs, the
/// program has set a handler with the crate `ctrlc` already, or this process has been an actor
/// before; [`Ending::Cancelled`] if the body was cancelled.
///
/// # Panics
///
/// When `body` panics, after the tree is reaped.
pub fn run<T, E, F>(options: Options, body: F) -> Result<T, E>
where
    F: AsyncFnOnce() -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // In a child too: its own children come the same way.
    entry::note_main();
    tractor_debug::be_editor_if_asked();
    options.debug.clone().install();
    if let Some(boot) = process::detect() {
        let begun = child_main::begin(boot);
        child_main::fail(&format!(
            "{} is a test's tree, and this is no test",
            begun.tree
        ));
    }
    run_root(options, TreeId::fresh(), body)
}

/// As [`run`], in a process that is known to be the root.
pub(crate) fn run_root<T, E, F>(options: Options, tree: TreeId, body: F) -> Result<T, E>
where
    F: AsyncFnOnce() -> Result<T, E>,
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let root = Root::start(options, tree)?;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        crash::watched(|| {
            let body = debugger::watched(body());
            rt::block_on(Gathering::new(root.actor.scope().run(body)))
        })
    }));
    root.end();
    match result {
        Ok(Ok(result)) => result,
        Ok(Err(cancelled)) => {
            let cancellation = cancelled.into_cancellation();
            Err(E::from(crash::cancelled_error(root.actor, cancellation)))
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What the root of a tree keeps beside what every actor does.
struct Root {
    actor: &'static Actor,
    registrar: Arc<Registrar>,
}

impl Root {
    fn start(options: Options, tree: TreeId) -> Result<Self, Error> {
        fault::start();
        fault::set_actor_name(&options.name);
        let refused =
            |reason: String| Error::new(ActorId::new("root", 0), Ending::NotSpawned { reason });
        ActorId::check_name(&options.name).map_err(|error| refused(error.to_string()))?;
        if tractor_core::current_actor().is_ok() {
            return Err(refused(AlreadyAnActor.to_string()));
        }
        let aid = ActorId::fresh(options.name.clone());
        let filter = logging::tree_filter(options.log_level.as_deref());
        let settings = LogSettings {
            filter: Some(filter.clone()),
            actor: aid.clone(),
        };
        logging::init(settings).map_err(|error| refused(error.to_string()))?;
        let place = Place::make(options.runtime_dir.as_deref(), tree);
        let place = place
            .inspect_err(|error| {
                log::warn!(
                    "no place for sockets ({error}): actors reach each other only along the \
                     links between parent and child"
                );
            })
            .ok();
        let address = place.as_ref().map(|place| place.address_of(&aid));
        let build = build_id(exports::digest()).map_err(|error| refused(error.to_string()))?;
        let pid = std::process::id();
        let root = Contact {
            aid: aid.clone(),
            pid,
            address: address.clone(),
        };
        let identity = Identity {
            aid,
            parent: None,
            depth: 0,
            tree,
            build,
            secret: TreeSecret::fresh(),
            root: root.clone(),
        };
        install_vars(&options, &filter, &root).map_err(refused)?;
        let actor = Actor::install(identity, None).map_err(|error| refused(error.to_string()))?;
        let registrar = Arc::new(Registrar::new());
        actor.serve(ServiceId::REGISTRAR, registrar.clone());
        runtime::install(actor, Tree::new(Some(registrar.clone())), options.limits);
        begin(actor, options.threads).map_err(|error| refused(error.to_string()))?;
        if let Some(address) = &address {
            actor
                .listen(address)
                .map_err(|error| refused(format!("listen: {error}")))?;
        }
        *sockets() = place;
        debugger::begin();
        Ok(Self { actor, registrar })
    }

    /// Ends everything that is left, and waits for it.
    fn end(&self) {
        let by = Some(self.actor.aid().clone());
        let cancellation = Cancellation {
            by,
            reason: CancelReason::Asked,
        };
        self.actor.cancel(cancellation, CANCEL_WITHIN);
        rt::block_on(async {
            runtime::everybody_gone().await;
            // A function of ours that another actor called and that blocks must not keep us.
            if !debugger::within(CANCEL_WITHIN, runtime::tasks_ended()).await {
                log::warn!("the root leaves although not every call in it has ended");
            }
            // Their clean-up may have started others.
            runtime::everybody_gone().await;
        });
        self.registrar.close();
        self.actor.stop_listening();
        if let Some(place) = sockets().take() {
            let left = place.sockets();
            // That of an actor of which nobody knew goes with the directory.
            if left.len() > runtime::untold() {
                *left_sockets() = left;
            }
        }
        let signal = signals::first();
        debugger::close(signal.map(|_| debugger::SHOWN_WITHIN));
        if let Some(signal) = signal {
            signals::raise_again(signal);
        }
    }
}

/// Where the tree's sockets are: whoever ends the tree removes them.
static SOCKETS: Mutex<Option<Place>> = Mutex::new(None);

fn sockets() -> MutexGuard<'static, Option<Place>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sockets that actors had not removed when the tree had ended, if they are more than actors that
/// died before anybody could tell the root of them.
static LEFT_SOCKETS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The same; they are removed now.
pub(crate) fn left_sockets() -> MutexGuard<'static, Vec<PathBuf>> {
    LEFT_SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends this process by the signal, whatever its own code does, when everybody below is killed.
pub(crate) fn end_by_force(signal: i32) {
    // On a thread of its own, because this one may be the one that reaps.
    let ending = thread::Builder::new().name("tractor-end".to_owned());
    let ending = ending.spawn(move || {
        let gone = scope::timeout(FORCE_WITHIN, runtime::nobody_below());
        // Whoever is left dies with us. No task of the user's is polled here: it may block.
        let _ = futures::executor::block_on(gone);
        drop(sockets().take());
        debugger::close(Some(debugger::SHOWN_WITHIN));
        signals::raise_again(signal);
    });
    if ending.is_err() {
        signals::raise_again(signal);
    }
}

/// How long everybody below may take to be gone after they were killed.
const FORCE_WITHIN: Duration = Duration::from_secs(2);

fn begin(actor: &Actor, threads: usize) -> io::Result<()> {
    process::become_subreaper()?;
    engine::start_threads(threads)?;
    signals::listen()?;
    signals::listen_as_root()?;
    log::debug!(
        "{} is the root of tree {}",
        actor.aid(),
        actor.identity().tree
    );
    Ok(())
}

fn install_vars(options: &Options, filter: &str, root: &Contact) -> Result<(), String> {
    if let Some(error) = &options.bad_var {
        return Err(error.to_string());
    }
    let mut vars = options.vars.clone();
    let words = |error: runtime_vars::VarError| error.to_string();
    if vars
        .get::<bool>(runtime_vars::DEBUG_MODE)
        .map_err(words)?
        .is_none()
    {
        vars.insert_own(runtime_vars::DEBUG_MODE, &false)
            .map_err(words)?;
    }
    vars.insert_own(runtime_vars::IS_ROOT, &true)
        .map_err(words)?;
    vars.insert_own(runtime_vars::LOG_LEVEL, filter)
        .map_err(words)?;
    if let Some(address) = &root.address {
        vars.insert_own(runtime_vars::ROOT_ADDRESS, address)
            .map_err(words)?;
        vars.insert_own(runtime_vars::REGISTRAR, address)
            .map_err(words)?;
    }
    runtime_vars::install(vars);
    Ok(())
}
