//! [`Tree`]: births and deaths below this actor, reported up the supervision links.
//!
//! Every actor hears of everybody below it. The root, to which orphans come, looks after each of
//! them, so that a subtree is known to be gone also when its own parents can tell nobody any more.

// What is asked of it.
mod asking;
// Those whose parents may die.
mod orphans;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tractor_core::io::link::Link;
use tractor_core::process::Process;
use tractor_core::services::{Responder, ServiceId};
use tractor_core::{Actor, Cancellation, Contact, current_actor};
use tractor_discovery::{Entry, Registrar};
use tractor_ipc::{ActorId, codec};

pub(crate) use self::asking::TreeService;
use self::orphans::Watched;
use crate::descendants::Descendants;
use crate::strays::Strays;
use crate::{debugger, place};

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
        drop(state);
        empty && self.strays.has_no_actor(waker)
    }

    /// In the root: how many actors have died before anybody had told it of them.
    pub(crate) fn untold(&self) -> usize {
        self.strays.actors()
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
            Report::Gone { aid } => self.bury(Some(aid)),
        }
    }

    /// One is gone, as its parent has said, or as was seen before it could.
    fn gone(&self, aid: &ActorId, is_told: bool) {
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
        if is_told {
            state.below.gone(aid);
        } else {
            state.below.seen_gone(aid);
        }
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
        if let Some(watched) = watched {
            watched.unwatch();
        }
        for (_, responder) in told {
            self.strays.when_no_actor(move || responder.answer(&[]));
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
