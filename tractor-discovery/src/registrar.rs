//! [`Registrar`]: the root's service that knows every ready actor of the tree by name.
//!
//! Requests arrive over the supervision links, behind every report that was sent before them, so
//! an actor that was reported ready is found and one that was reported gone is not.

mod table;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tractor_core::services::{self, Responder, Service};
use tractor_core::{Contact, Ending, Refusal};
use tractor_ipc::{ActorId, codec};

pub use table::{Closed, Entry, RegisterError, Table};

/// The root's service that knows every ready actor of the tree by name.
#[derive(Debug, Default)]
pub struct Registrar {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    table: Table,
    waiting: BTreeMap<u64, Responder>,
    waiters: u64,
}

/// What is asked of the registrar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The newest actor of a name, if there is one.
    Find(String),
    /// All actors of a name.
    Query(String),
    /// The newest actor of a name, as soon as there is one.
    Wait(String),
    /// The actor does not answer and its process is gone: forget it.
    Forget(ActorId),
}

/// What the registrar answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found(pub(crate) Vec<Contact>);

impl Registrar {
    /// A registrar that knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// An actor is ready; whoever waits for its name is told.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]: the actor was reported gone before, or the tree is ending.
    pub fn register(&self, entry: Entry) -> Result<(), RegisterError> {
        let mut state = self.lock();
        let contact = contact(&entry);
        let waiters = state.table.register(entry)?;
        let told: Vec<_> = waiters
            .iter()
            .filter_map(|waiter| state.waiting.remove(waiter))
            .collect();
        drop(state);
        for responder in told {
            answer(responder, vec![contact.clone()]);
        }
        Ok(())
    }

    /// An actor is about to end: it is not handed out any more.
    pub fn leaving(&self, aid: &ActorId) {
        self.lock().table.unregister(aid);
    }

    /// An actor has ended: it is never handed out again.
    pub fn gone(&self, aid: &ActorId) {
        self.lock().table.actor_gone(aid);
    }

    /// The tree ends: nobody registers any more, and whoever waits is refused.
    pub fn close(&self) {
        let mut state = self.lock();
        state.table.close();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Dropped responders say that the actor is closing.
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The table checks itself before it changes, so a panic leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, name: &str, responder: Responder) {
        let mut state = self.lock();
        state.waiters += 1;
        let waiter = state.waiters;
        match state.table.wait(name, waiter) {
            Ok(Some(entry)) => {
                drop(state);
                answer(responder, vec![contact(&entry)]);
            }
            Ok(None) => {
                state.waiting.insert(waiter, responder);
                let left: Vec<_> = state
                    .waiting
                    .iter()
                    .filter(|(_, responder)| responder.is_abandoned())
                    .map(|(waiter, _)| *waiter)
                    .collect();
                let mut abandoned = Vec::new();
                for waiter in left {
                    state.table.abandon_waiter(waiter);
                    abandoned.extend(state.waiting.remove(&waiter));
                }
                drop(state);
                drop(abandoned);
            }
            Err(Closed) => {
                // What it tells wakes a user's task.
                drop(state);
                responder.fail(Ending::Refused(Refusal::Closing));
            }
        }
    }
}

impl Service for Registrar {
    fn request(&self, payload: &[u8], responder: Responder) {
        match services::decode(payload) {
            Ok(Request::Find(name)) => {
                let found = self.lock().table.find(&name).map(contact);
                answer(responder, found.into_iter().collect());
            }
            Ok(Request::Query(name)) => {
                let found = self.lock().table.query(&name);
                answer(responder, found.iter().map(contact).collect());
            }
            Ok(Request::Wait(name)) => self.wait(&name, responder),
            Ok(Request::Forget(aid)) => {
                self.lock().table.unregister(&aid);
                answer(responder, Vec::new());
            }
            Err(reason) => responder.fail(Ending::Refused(Refusal::BadArguments(reason))),
        }
    }

    fn report(
        &self,
        _from: Option<&std::sync::Arc<tractor_core::io::link::Link>>,
        _payload: &[u8],
    ) -> Result<(), String> {
        Err("the registrar takes requests only".to_owned())
    }
}

fn contact(entry: &Entry) -> Contact {
    Contact {
        aid: entry.aid.clone(),
        pid: entry.pid,
        address: entry.address.clone(),
    }
}

fn answer(responder: Responder, found: Vec<Contact>) {
    match codec::encode(&Found(found)) {
        Ok(payload) => responder.answer(&payload),
        Err(error) => responder.fail(Ending::Refused(Refusal::BadResult(error.to_string()))),
    }
}
