//! [`Tree`]: births and deaths below this actor, reported up the supervision links.
//!
//! Every actor hears of everybody below it. The root, to which orphans come, watches each of them
//! by descriptor and reaps those that it inherits, so that a subtree is known to be gone also
//! when its own parents can tell nobody any more.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tractor_core::io::link::Link;
use tractor_core::io::{self as engine, Source, SourceKey, Watch};
use tractor_core::process::{Adoption, ExitStatus, Process};
use tractor_core::services::{self, Responder, Service, ServiceId};
use tractor_core::timer::{self, Timer};
use tractor_core::{Actor, Cancellation, Contact, Ending, Error, Refusal, current_actor};
use tractor_discovery::{Entry, Registrar};
use tractor_ipc::{ActorId, Address, codec};

use crate::descendants::Descendants;
use crate::strays::Strays;
use crate::{debugger, dump, place};

/// What is reported up the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// A process was started; it has run no user code yet.
    Spawned {
        aid: ActorId,
        pid: u32,
        parent: ActorId,
    },
    /// An actor serves calls.
    Ready { contact: Contact, parent: ActorId },
    /// An actor is cancelling itself, because its parent or somebody else asked.
    Cancelling {
        aid: ActorId,
        cancellation: Cancellation,
        remaining: Duration,
    },
    /// A process has ended and is reaped.
    Gone { aid: ActorId },
}

/// What is asked of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Request {
    /// Tell when none of these is there any more.
    AwaitGone(Vec<ActorId>),
    /// Tell on standard error what everybody is doing.
    Dump,
    /// Listen on the loopback interface, and tell where.
    ListenOnLoopback,
}

/// The root's answer to [`Request::ListenOnLoopback`]: where, or why not.
#[derive(Debug, Serialize, Deserialize)]
struct Listening(Result<Address, String>);

/// Births and deaths below this actor.
pub(crate) struct Tree {
    state: Mutex<State>,
    /// In the root only.
    registrar: Option<Arc<Registrar>>,
    /// In the root: orphans that it was not told of.
    strays: Arc<Strays>,
}

#[derive(Default)]
struct State {
    below: Descendants,
    /// Processes of others' children, watched by the root.
    watched: BTreeMap<ActorId, Arc<Watched>>,
    waiting: Vec<(Vec<ActorId>, Responder)>,
    /// Woken when nobody is left.
    wakers: Vec<Waker>,
}

impl Tree {
    pub(crate) fn new(registrar: Option<Arc<Registrar>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            registrar,
            strays: Arc::default(),
        })
    }

    /// Tells this actor and all above it.
    pub(crate) fn report(actor: &Actor, report: &Report) {
        let payload = codec::encode(report).expect("names and numbers always encode");
        actor.report(ServiceId::TREE, &payload);
    }

    /// Calls `done` when everything that the dead `aid` had started is gone too.
    pub(crate) fn when_subtree_gone(
        self: &Arc<Self>,
        actor: &'static Actor,
        aid: &ActorId,
        done: impl FnOnce() + Send + 'static,
    ) {
        self.reap_orphans();
        let below = self.lock().below.below(aid);
        if below.is_empty() {
            return done();
        }
        let request = Request::AwaitGone(below.clone());
        let request = codec::encode(&request).expect("names always encode");
        actor.ask_root_then(
            ServiceId::TREE,
            "the end of a subtree",
            &request,
            move |answer| {
                if let Err(error) = answer {
                    log::debug!("the end of a subtree is not known: {error}");
                }
                // Their own parents cannot say it any more.
                for aid in below {
                    Self::report(actor, &Report::Gone { aid });
                }
                done();
            },
        );
    }

    /// Has the root, and everybody below it, tell what it is doing.
    pub(crate) fn ask_for_dump(actor: &Actor) {
        let request = codec::encode(&Request::Dump).expect("a number always encodes");
        actor.ask_root_then(ServiceId::TREE, "a dump of the tree", &request, |answer| {
            if let Err(error) = answer {
                log::warn!("no dump of the tree: {error}");
            }
        });
    }

    /// How the root is reached by TCP, whether or not it was so far.
    pub(crate) async fn root_on_loopback(actor: &Actor) -> Result<Contact, Error> {
        let root = actor.identity().root.clone();
        if matches!(root.address, Some(Address::Tcp(_))) {
            return Ok(root);
        }
        let request = codec::encode(&Request::ListenOnLoopback).expect("a number always encodes");
        let what = "an address of the root";
        let answer = actor.ask_root(ServiceId::TREE, what, &request).await?;
        let failed = |ending| Error::new(root.aid.clone(), ending);
        let Listening(address) = services::decode(&answer)
            .map_err(|reason| failed(Ending::Refused(Refusal::BadResult(reason))))?;
        let address = address.map_err(|reason| failed(Ending::LinkLost { reason }))?;
        Ok(Contact {
            address: Some(address),
            ..root
        })
    }

    /// Everybody, each on a line of its own, below who started it: name, pid, what the process
    /// does, and what `note` has to say.
    pub(crate) fn draw(&self, note: &dyn Fn(&ActorId) -> Option<String>) -> String {
        let Ok(actor) = current_actor() else {
            return String::new();
        };
        let line = |aid: &ActorId, pid: u32| {
            let note = note(aid).map(|note| format!(", {note}"));
            let (name, doing) = (aid.name(), what_it_does(pid));
            format!("{name} (pid {pid}) {doing}{}", note.unwrap_or_default())
        };
        let mut drawn = line(actor.aid(), std::process::id()) + "\n";
        let state = self.lock();
        state.below.draw_below(actor.aid(), 2, &line, &mut drawn);
        drawn
    }

    /// What the process of an actor below does, if there is one.
    pub(crate) fn look_at(&self, aid: &ActorId) -> Option<&'static str> {
        let pid = self.lock().below.pid_of(aid)?;
        Some(what_it_does(pid))
    }

    /// Whether nobody is below; otherwise `waker` is woken when that may have changed.
    pub(crate) fn is_empty(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let empty = state.below.is_empty();
        if !empty {
            state.wakers.push(waker.clone());
        }
        empty
    }

    /// In the root: looks after everybody whose parent may have died since they ended.
    fn reap_orphans(self: &Arc<Self>) {
        // Until a pass reaps nobody: who was asked before its parent was reaped was not ours yet.
        let mut any = true;
        while std::mem::take(&mut any) {
            let ended: Vec<_> = {
                let state = self.lock();
                let ended = state
                    .watched
                    .iter()
                    .filter(|(_, watched)| watched.has_ended());
                ended
                    .map(|(aid, watched)| (aid.clone(), watched.clone()))
                    .collect()
            };
            for (aid, watched) in ended {
                if watched.is_reaped() {
                    self.gone(&aid);
                    any = true;
                }
            }
        }
        self.kill_orphans();
        self.adopt_strays();
    }

    /// In the root: no actor outlives its parent, not even one that was stopped before it could ask
    /// the kernel for that.
    fn kill_orphans(&self) {
        let watched: Vec<_> = self.lock().watched.values().cloned().collect();
        for orphan in watched.iter().filter(|own| own.is_orphan()) {
            if let Err(error) = orphan.process.kill_group() {
                log::warn!("kill the orphan {}: {error}", orphan.aid);
            }
        }
    }

    /// In the root: looks after orphans whose parent has died before it could tell of them.
    pub(crate) fn adopt_strays(self: &Arc<Self>) {
        let Some(actor) = current_actor().ok().filter(|_| self.registrar.is_some()) else {
            return;
        };
        let known = self
            .lock()
            .watched
            .values()
            .map(|own| own.process.pid())
            .collect();
        let tree = actor.identity().tree.to_string();
        self.strays.adopt(&tree, &known, self);
    }

    fn handle(self: &Arc<Self>, from: Option<&Arc<Link>>, report: Report) {
        match report {
            Report::Spawned { aid, pid, parent } => {
                self.lock().below.spawned(aid.clone(), pid, parent);
                // Our own children have owners here that watch them.
                if from.is_some() && self.registrar.is_some() {
                    self.watch(aid, pid);
                }
            }
            Report::Ready { contact, parent } => {
                let Some(registrar) = &self.registrar else {
                    return;
                };
                let Contact { aid, pid, address } = contact;
                let entry = Entry {
                    aid,
                    address,
                    pid,
                    parent: Some(parent),
                };
                if let Err(error) = registrar.register(entry) {
                    log::debug!("register an actor: {error}");
                }
            }
            Report::Cancelling {
                aid,
                cancellation,
                remaining,
            } => {
                // Nobody finds it any more: it refuses calls.
                if let Some(registrar) = &self.registrar {
                    registrar.leaving(&aid);
                }
                // Its parent sees to it that it ends; the others only hear of it.
                if let Some(link) = from.filter(|link| link.peer() == Some(&aid)) {
                    link.peer_is_cancelling(&cancellation, remaining);
                }
            }
            Report::Gone { aid } => {
                self.gone(&aid);
                self.reap_orphans();
            }
        }
    }

    fn gone(&self, aid: &ActorId) {
        if let Some(registrar) = &self.registrar {
            registrar.gone(aid);
            // Mostly its parent has done it; that of an orphan could not.
            let ours = current_actor().ok().and_then(|actor| actor.address());
            if let Some(address) = ours.and_then(|ours| place::sibling_address(&ours, aid)) {
                place::remove_socket(&address);
            }
        }
        debugger::actor_gone(aid);
        let mut state = self.lock();
        state.below.gone(aid);
        let watched = state.watched.remove(aid);
        for (who, _) in &mut state.waiting {
            who.retain(|other| other != aid);
        }
        let waiting = std::mem::take(&mut state.waiting);
        let (told, waiting): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(who, _)| who.is_empty());
        state.waiting = waiting;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        if let Some(key) = watched.and_then(|watched| watched.key.get().copied()) {
            engine::unwatch(key);
        }
        for (_, responder) in told {
            responder.answer(&[]);
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn watch(self: &Arc<Self>, aid: ActorId, pid: u32) {
        let watched = Process::open(pid).and_then(|process| {
            let (tree, key) = (Arc::downgrade(self), OnceLock::new());
            let watched = Arc::new(Watched {
                aid: aid.clone(),
                process,
                tree,
                key,
            });
            // It is known before it can be told about.
            self.lock().watched.insert(aid.clone(), watched.clone());
            let key = engine::watch(watched.clone())?;
            // Nobody else sets it.
            let _ = watched.key.set(key);
            Ok(())
        });
        match watched {
            Ok(()) => {}
            // Its parent has reaped it already, and says so next, unless it dies before.
            Err(error) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => self.gone(&aid),
            Err(error) => {
                log::warn!("watch the process of {aid}: {error}; trying again soon");
                let tree = self.clone();
                Timer::forget(timer::schedule(Instant::now() + WATCH_AGAIN, move || {
                    if tree.lock().below.contains(&aid) {
                        tree.watch(aid, pid);
                    }
                }));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen_on_loopback() -> Result<Address, String> {
    let actor = current_actor().map_err(|error| error.to_string())?;
    let listening = actor.listen_on_loopback();
    listening.map_err(|error| format!("the root cannot listen on the loopback interface: {error}"))
}

/// What a process does, by the system's letter for it.
fn what_it_does(pid: u32) -> &'static str {
    let state = Process::open(pid).ok().and_then(|process| process.state());
    match state {
        Some('T') => "is stopped",
        Some('t') => "is stopped by a debugger",
        Some('D') => "waits for a device",
        Some('Z' | 'X') | None => "has exited",
        Some(_) => "is running",
    }
}

/// ESRCH.
const NO_SUCH_PROCESS: i32 = 3;
/// How long the root waits when it has no descriptor for a process that it has to watch.
const WATCH_AGAIN: Duration = Duration::from_millis(100);

/// A service is called by reference, the tree hands itself on: this joins the two.
pub(crate) struct TreeService(pub(crate) Arc<Tree>);

impl Service for TreeService {
    fn request(&self, payload: &[u8], responder: Responder) {
        match services::decode(payload) {
            Ok(Request::AwaitGone(mut who)) => {
                self.0.reap_orphans();
                let mut state = self.0.lock();
                who.retain(|aid| state.below.contains(aid));
                if who.is_empty() {
                    drop(state);
                    responder.answer(&[]);
                } else {
                    state.waiting.push((who, responder));
                }
            }
            Ok(Request::Dump) => {
                dump::begin();
                responder.answer(&[]);
            }
            Ok(Request::ListenOnLoopback) => {
                let listening = Listening(listen_on_loopback());
                let answer = codec::encode(&listening).expect("an address always encodes");
                responder.answer(&answer);
            }
            Err(reason) => responder.fail(Ending::Refused(Refusal::BadArguments(reason))),
        }
    }

    fn report(&self, from: Option<&Arc<Link>>, payload: &[u8]) -> Result<(), String> {
        self.0.handle(from, services::decode(payload)?);
        Ok(())
    }
}

/// A process of somebody else's child.
struct Watched {
    aid: ActorId,
    process: Process,
    tree: std::sync::Weak<Tree>,
    key: OnceLock<SourceKey>,
}

impl Watched {
    fn has_ended(&self) -> bool {
        self.process.has_exited()
    }

    /// Whether it runs although its parent is gone, and is our child now.
    fn is_orphan(&self) -> bool {
        matches!(self.process.peek_exited(), Ok(None))
    }

    /// Whether it is reaped now, by us if it was ours to reap.
    fn is_reaped(&self) -> bool {
        // As with our own children, what it started in its group goes with it, while the group's
        // number is its own. Its parent, if there is one, does that itself.
        let orphaned = self.process.peek_exited().ok().flatten();
        if orphaned.is_some_and(|status| status != ExitStatus::Lost)
            && let Err(error) = self.process.kill_group()
        {
            log::warn!("end the process group of {}: {error}", self.aid);
        }
        match self.process.try_reap_adopted() {
            Ok(Adoption::Ended(status)) => {
                log::debug!("the orphan {} {status}", self.aid);
                true
            }
            Ok(Adoption::Running) => false,
            // Its parent is there and will reap it, or has.
            Ok(Adoption::NotOurs) => self.has_ended() && self.process.state().is_none(),
            Err(error) => {
                log::error!("reap {}: {error}", self.aid);
                false
            }
        }
    }
}

impl Source for Watched {
    fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        if let Some(tree) = self.tree.upgrade() {
            // With it may have come those whose parent it was, and who had ended before it: no
            // event is left that would tell of them.
            tree.reap_orphans();
            if matches!(self.process.try_reap_adopted(), Ok(Adoption::Running)) {
                // Exited and not to be reaped: a debugger sees it first.
                Timer::forget(timer::schedule(Instant::now() + WATCH_AGAIN, move || {
                    self.ready();
                }));
            }
        }
        Watch::End
    }
}
