//! [`Actor`]: this process as a member of its tree.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tractor_ipc::{ActorId, Address, BuildId, TreeId, TreeSecret};

use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::exports::{self, Export};
use crate::invoke::{RpcTask, TaskStatistics};
use crate::io::engine;
use crate::io::link::{Link, LinkStatistics};
use crate::journal;
use crate::peers::Peers;
use crate::resource;
use crate::scope::{CancelReason, CancelScope, Cancellation};
use crate::services::Services;
use crate::stream::tie;

/// Who an actor is, and what it was told when it was started.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name and incarnation.
    pub aid: ActorId,
    /// Its parent; `None` for the root.
    pub parent: Option<ActorId>,
    /// How many actors stand above it; 0 for the root.
    pub depth: u32,
    /// Its tree.
    pub tree: TreeId,
    /// The build that all of the tree run.
    pub build: BuildId,
    /// What proves that it belongs to the tree.
    pub secret: TreeSecret,
    /// The root of the tree.
    pub root: Contact,
}

/// An actor and where it can be reached.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contact {
    /// Who it is.
    pub aid: ActorId,
    /// Its process.
    pub pid: u32,
    /// Where it listens; `None` if no place for a socket could be found.
    pub address: Option<Address>,
}

/// What the layer that owns processes does when the actor is cancelled.
pub trait Owner: Send + Sync + 'static {
    /// The actor is to end within `remaining`: begins to end everything that it owns. It runs on
    /// any thread, must be short and runs no user code. It may be called again with less time.
    fn cancel(&self, cancellation: &Cancellation, remaining: Duration);

    /// The link to a child of this actor, `None` if it has no such child.
    fn link_to_child(&self, aid: &ActorId) -> Option<Arc<Link>>;
}

/// This process as a member of its tree. There is one in a process; [`current_actor`] finds it.
pub struct Actor {
    identity: Identity,
    /// By number of the export; `None` if all are exposed.
    exposed: Option<Vec<bool>>,
    parent: OnceLock<Arc<Link>>,
    pub(crate) peers: Peers,
    pub(crate) services: Services,
    scope: CancelScope,
    owner: OnceLock<Box<dyn Owner>>,
    /// How much time the latest cancel gave.
    remaining: Mutex<Option<Duration>>,
}

static ACTOR: OnceLock<Actor> = OnceLock::new();

/// This process as an actor.
///
/// # Errors
///
/// [`Refusal::NotAnActor`] before `run` has begun.
pub fn current_actor() -> Result<&'static Actor, Error> {
    ACTOR.get().ok_or_else(not_an_actor)
}

/// The report of something that needs an actor where there is none.
#[cold]
pub(crate) fn not_an_actor() -> Error {
    Error::new(nobody(), Ending::Refused(Refusal::NotAnActor))
}

/// The report of something that its rules did not allow here.
pub(crate) fn misused(misuse: Misuse) -> Error {
    local_error(Ending::Refused(Refusal::Misused(misuse)), None)
}

/// The report of something that ended in this actor.
pub(crate) fn local_error(ending: Ending, export: Option<&'static Export>) -> Error {
    let aid = ACTOR.get().map_or_else(nobody, |actor| actor.aid().clone());
    let error = Error::new(aid.clone(), ending);
    if error.origin() != &aid {
        // A failure from below, passed on: it keeps its own circumstances.
        return error;
    }
    let error = error.with_pid(std::process::id());
    match export {
        Some(export) => error.in_call(export.path()),
        None => error,
    }
}

fn nobody() -> ActorId {
    ActorId::new("nobody", 0)
}

/// An actor in numbers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ActorStatistics {
    /// The RPC tasks that run here, oldest first.
    pub tasks: Vec<TaskStatistics>,
    /// The links to other actors.
    pub links: Vec<LinkStatistics>,
    /// Links that have ended inside a frame, or because their peer broke the rules of the protocol.
    /// Connections that were refused in their handshake are none.
    pub links_broken: u64,
    /// Frames that were not obeyed: starts of a call under a number that another call has, and
    /// answers to calls, requests and pings that were never made. An answer that comes after its
    /// call was given up is normal, and so is a second one; neither is counted.
    pub frames_ignored: u64,
}

impl Actor {
    /// Makes this process an actor.
    ///
    /// `exposed` names the functions that others may call, by path from the crate on
    /// (`my_app::jobs::load`), or what they stand in (`my_app::jobs`); `None` exposes all.
    ///
    /// # Errors
    ///
    /// `AlreadyAnActor`: there is one in a process, for as long as it lives.
    pub fn install(
        identity: Identity,
        exposed: Option<&[String]>,
    ) -> Result<&'static Self, AlreadyAnActor> {
        let actor = Self {
            exposed: exposed.map(exposed_numbers),
            identity,
            parent: OnceLock::new(),
            peers: Peers::default(),
            services: Services::default(),
            scope: CancelScope::new(),
            owner: OnceLock::new(),
            remaining: Mutex::new(None),
        };
        ACTOR.set(actor).map_err(|_| AlreadyAnActor)?;
        let actor = ACTOR.get().ok_or(AlreadyAnActor)?;
        journal::state(format_args!("actor"), format_args!("{:?}", actor.aid()));
        Ok(actor)
    }

    /// Who it is.
    pub fn aid(&self) -> &ActorId {
        &self.identity.aid
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.identity.aid.name()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// What it was told when it was started.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it is the root of its tree.
    pub fn is_root(&self) -> bool {
        self.identity.parent.is_none()
    }

    /// Where it listens, if it does.
    pub fn address(&self) -> Option<Address> {
        self.peers.address()
    }

    /// How to reach it.
    pub fn contact(&self) -> Contact {
        Contact {
            aid: self.aid().clone(),
            pid: self.pid(),
            address: self.address(),
        }
    }

    /// The link to the parent; `None` for the root.
    pub fn parent_link(&self) -> Option<&Arc<Link>> {
        self.parent.get()
    }

    /// Tells it the link to its parent, once.
    pub fn set_parent_link(&self, link: Arc<Link>) {
        // A second link to a parent does not exist: it is inherited.
        let _ = self.parent.set(link);
    }

    /// Tells it who owns its processes, once.
    pub fn set_owner(&self, owner: Box<dyn Owner>) {
        // One layer owns processes, and it does this when it starts the actor.
        let _ = self.owner.set(owner);
    }

    /// The scope around all of the actor's own work; cancelled when the actor is.
    pub fn scope(&self) -> &CancelScope {
        &self.scope
    }

    /// The inherited link to another actor: the parent, or a child.
    pub(crate) fn family_link(&self, aid: &ActorId) -> Option<Arc<Link>> {
        let parent = self.parent.get().filter(|link| link.peer() == Some(aid));
        let child = || self.owner.get()?.link_to_child(aid);
        parent.cloned().or_else(child)
    }

    pub(crate) fn may_call(&self, export: u32) -> bool {
        self.exposed
            .as_ref()
            .is_none_or(|exposed| exposed.get(export as usize) == Some(&true))
    }

    /// Cancels the actor: its tasks, everything it owns, and its own work, to be over within
    /// `remaining`. Asked again, only the time counts. Returns at once.
    pub fn cancel(&self, cancellation: Cancellation, remaining: Duration) {
        {
            let mut before = self
                .remaining
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *before = Some(before.unwrap_or(Duration::MAX).min(remaining));
        }
        for link in engine().links() {
            let tasks = link.tasks().all();
            for task in tasks {
                task.cancel(cancellation.reason, cancellation.by.clone());
            }
        }
        if let Some(owner) = self.owner.get() {
            owner.cancel(&cancellation, remaining);
        }
        self.scope.cancel_with(cancellation.reason, cancellation.by);
    }

    /// Why the actor is cancelled, if it is.
    pub(crate) fn cancelled_since(&self) -> Option<Cancellation> {
        self.cancel_remaining()?;
        let asked = Cancellation {
            by: None,
            reason: CancelReason::Asked,
        };
        Some(self.scope.cancelled_by().unwrap_or(asked))
    }

    /// Whether it is cancelled, and then how much time it was given, at the time of the cancel.
    pub fn cancel_remaining(&self) -> Option<Duration> {
        *self
            .remaining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no call of others runs here any more, but those that are cancelled and cannot
    /// be dropped: plain functions that have not returned; and until no resource of
    /// [`maybe_open_context`](crate::maybe_open_context) is kept any more; and until the last items
    /// of the streams that were closed here have arrived.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    pub async fn tasks_ended(&self) {
        std::future::poll_fn(|cx| engine().poll_idle(cx.waker())).await;
        resource::keepers_ended().await;
        tie::all_arrived().await;
    }

    /// Cancels the RPC task of this number, as log lines and statistics show it; tells whether
    /// there is one.
    pub fn cancel_task(&self, number: u64, reason: CancelReason) -> bool {
        let task = rpc_tasks().into_iter().find(|task| task.number() == number);
        if let Some(task) = &task {
            task.cancel(reason, Some(self.aid().clone()));
        }
        task.is_some()
    }

    /// What runs here and who it is connected with.
    pub fn statistics(&self) -> ActorStatistics {
        let links = engine().links();
        let mut tasks: Vec<_> = rpc_tasks().iter().map(|task| task.statistics()).collect();
        tasks.sort_by_key(|task| task.number);
        ActorStatistics {
            tasks,
            links: links.iter().filter_map(|link| link.statistics()).collect(),
            links_broken: engine().counts.links_broken(),
            frames_ignored: engine().counts.frames_ignored(),
        }
    }
}

/// The tasks of all links, also of those that have closed.
pub(crate) fn rpc_tasks() -> Vec<Arc<RpcTask>> {
    let (links, closed) = (engine().links(), engine().lingering());
    let links = links.iter().chain(&closed);
    links.flat_map(|link| link.tasks().all()).collect()
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// There is an actor in this process already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process is an actor already, and can be one only once")]
pub struct AlreadyAnActor;

fn exposed_numbers(exposed: &[String]) -> Vec<bool> {
    let is_exposed = |export: &Export| exposed.iter().any(|name| export.stands_in(name));
    (0..).map_while(exports::by_index).map(is_exposed).collect()
}
