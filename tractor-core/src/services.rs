//! Services of the runtime itself: requests and reports that are handled where they are read,
//! without any user code, so that they work while user code blocks every thread.
//!
//! The layers above register what they serve by a [`ServiceId`]. Requests to the root travel up
//! the supervision links, so that they need neither an address nor a handshake and arrive after
//! every report that was sent before them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::Poll;

use tractor_ipc::{Kind, codec};

use crate::actor::{self, Actor, current_actor};
use crate::calls::{Reply, Slot, What};
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::io::link::Link;

/// Which service a request or report is for. The numbers are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u8);

impl ServiceId {
    /// Births and deaths of actors.
    pub const TREE: Self = Self(1);
    /// Names of actors.
    pub const REGISTRAR: Self = Self(2);
    /// The terminal and who wants it.
    pub const DEBUG: Self = Self(3);
}

/// Something that answers requests and takes reports, on a runtime thread: short, never waiting,
/// no user code.
pub trait Service: Send + Sync + 'static {
    /// A request came; the answer is given through `responder`, now or later.
    fn request(&self, payload: &[u8], responder: Responder);

    /// A report came over `from`, or from this very actor if that is `None`.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the link is then closed.
    fn report(&self, from: Option<&Arc<Link>>, payload: &[u8]) -> Result<(), String>;
}

/// The services of one actor.
#[derive(Default)]
pub(crate) struct Services {
    by_id: RwLock<BTreeMap<ServiceId, Arc<dyn Service>>>,
}

/// Where the answer to one request goes. Dropped without an answer it says that the actor is
/// closing.
#[derive(Debug)]
pub struct Responder {
    to: Option<Back>,
}

enum Back {
    Link(Arc<Link>, u64),
    Slot(Arc<Slot>),
}

impl std::fmt::Debug for Back {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(link, id) => write!(f, "{link:?} {id}"),
            Self::Slot(slot) => write!(f, "{slot:?}"),
        }
    }
}

impl Actor {
    /// Registers a service, in place of an earlier one of the same id.
    pub fn serve(&self, id: ServiceId, service: Arc<dyn Service>) {
        let mut by_id = self
            .services
            .by_id
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        by_id.insert(id, service);
    }

    /// Asks a service of the root. `what` names the request in reports.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: the answer is dropped.
    ///
    /// # Errors
    ///
    /// What the service answered; [`Ending::LinkLost`] or the death of an actor on the way;
    /// [`Refusal::Closing`] if the root ends.
    pub fn ask_root(
        &self,
        id: ServiceId,
        what: &'static str,
        payload: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, Error>> + Send + use<> {
        let slot = Slot::new(What::Service(what));
        let pending = match self.parent_link() {
            None => {
                let responder = Responder {
                    to: Some(Back::Slot(slot.clone())),
                };
                self.services.call(id, payload, responder);
                None
            }
            Some(link) => {
                let call = send_request(link, id, payload, slot.clone());
                Some(Pending {
                    link: link.clone(),
                    call,
                })
            }
        };
        answered(slot, pending)
    }

    /// As [`ask_root`](Self::ask_root), for whoever cannot wait: `done` is told on a runtime
    /// thread, so it is short and runs no user code.
    pub fn ask_root_then(
        &self,
        id: ServiceId,
        what: &'static str,
        payload: &[u8],
        done: impl FnOnce(Result<Vec<u8>, Error>) + Send + 'static,
    ) {
        match self.parent_link() {
            None => {
                let responder = Responder::to_callback(what, done);
                self.services.call(id, payload, responder);
            }
            Some(link) => {
                let slot = Slot::with_callback(What::Service(what), |reply| done(taken(reply)));
                send_request(link, id, payload, slot);
            }
        }
    }

    /// Tells a service of this actor and then those of all actors above it, up to the root.
    pub fn report(&self, id: ServiceId, payload: &[u8]) {
        let service = self.services.get(id);
        if let Some(Err(reason)) = service.map(|service| service.report(None, payload)) {
            log::error!("a report of our own is not understood: {reason}");
        }
        self.pass_up(id, payload);
    }

    /// Sends a report to the parent, if there is one.
    pub fn pass_up(&self, id: ServiceId, payload: &[u8]) {
        if let Some(link) = self.parent_link() {
            let mut report = Vec::with_capacity(1 + payload.len());
            report.push(id.0);
            report.extend_from_slice(payload);
            if let Err(error) = link.send(Kind::Report, 0, &report) {
                log::error!("{error}");
            }
        }
    }
}

impl Services {
    fn get(&self, id: ServiceId) -> Option<Arc<dyn Service>> {
        self.by_id
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    fn call(&self, id: ServiceId, payload: &[u8], responder: Responder) {
        match self.get(id) {
            Some(service) => service.request(payload, responder),
            None => responder.fail(Ending::Refused(Refusal::UnknownExport)),
        }
    }

    /// A request came over a link.
    pub(crate) fn request(
        &self,
        actor: &Actor,
        link: &Arc<Link>,
        call: u64,
        payload: &[u8],
    ) -> Result<(), String> {
        let [service, rest @ ..] = payload else {
            return Err("a request is shorter than its header".to_owned());
        };
        let (service, back) = (ServiceId(*service), link.clone());
        let responder = Responder {
            to: Some(Back::Link(back, call)),
        };
        match actor.parent_link() {
            Some(parent) => relay(parent, service, rest, responder),
            None => self.call(service, rest, responder),
        }
        Ok(())
    }

    /// A report came over a link. It goes on to the parent after it was heard here.
    pub(crate) fn report(&self, link: &Arc<Link>, payload: &[u8]) -> Result<(), String> {
        let [service, rest @ ..] = payload else {
            return Err("a report is empty".to_owned());
        };
        let id = ServiceId(*service);
        if let Some(service) = self.get(id) {
            service.report(Some(link), rest)?;
        }
        if let Ok(actor) = current_actor() {
            actor.pass_up(id, rest);
        }
        Ok(())
    }
}

impl Responder {
    /// One whose answer is told to `done` in this process. `done` is short and runs no user code.
    pub fn to_callback(
        what: &'static str,
        done: impl FnOnce(Result<Vec<u8>, Error>) + Send + 'static,
    ) -> Self {
        let slot = Slot::with_callback(What::Service(what), |reply| done(taken(reply)));
        Self {
            to: Some(Back::Slot(slot)),
        }
    }

    /// Whether nobody can take the answer any more.
    pub fn is_abandoned(&self) -> bool {
        matches!(&self.to, Some(Back::Link(link, _)) if link.is_closed())
    }

    /// Answers.
    pub fn answer(mut self, payload: &[u8]) {
        let mut reply = Vec::with_capacity(1 + payload.len());
        reply.push(OK);
        reply.extend_from_slice(payload);
        self.send(reply);
    }

    /// Answers that it cannot be done.
    pub fn fail(mut self, ending: Ending) {
        self.send(failure(&actor::local_error(ending, None)));
    }

    /// Passes on what another actor answered.
    fn pass_on(mut self, reply: Reply) {
        match reply {
            Reply::Returned(bytes) | Reply::ReturnedWith(bytes, _) => self.send(bytes),
            Reply::Failed(bytes) => self.send([&[FAILED], &bytes[..]].concat()),
            Reply::Lost(error) => self.send(failure(&error)),
        }
    }

    fn send(&mut self, reply: Vec<u8>) {
        match self.to.take() {
            Some(Back::Link(link, id)) => {
                if let Err(error) = link.send(Kind::Reply, id, &reply) {
                    log::error!("{error}");
                }
            }
            Some(Back::Slot(slot)) => {
                slot.fill(Reply::Returned(reply));
            }
            None => {}
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.to.is_some() {
            self.send(failure(&actor::local_error(
                Ending::Refused(Refusal::Closing),
                None,
            )));
        }
    }
}

/// The first byte of a reply.
const OK: u8 = 0;
const FAILED: u8 = 1;

fn failure(error: &Error) -> Vec<u8> {
    let mut reply = vec![FAILED];
    reply.extend_from_slice(&error.encode());
    reply
}

/// Takes a request out of its link's table when its asker is dropped.
struct Pending {
    link: Arc<Link>,
    call: u64,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.link.leave_call(self.call);
    }
}

/// Sends a request whose answer fills `slot`, and gives its id.
fn send_request(link: &Arc<Link>, service: ServiceId, payload: &[u8], slot: Arc<Slot>) -> u64 {
    let id = link.next_id();
    let mut request = Vec::with_capacity(1 + payload.len());
    request.extend_from_slice(&[service.0]);
    request.extend_from_slice(payload);
    if let Err(error) = link.enter_call(id, slot.clone()) {
        slot.fill(Reply::Lost(error));
    } else if let Err(error) = link.send(Kind::Request, id, &request) {
        link.leave_call(id);
        let refusal = Refusal::not_sent(link.peer(), &error);
        slot.fill(Reply::Lost(actor::local_error(
            Ending::Refused(refusal),
            None,
        )));
    }
    id
}

fn relay(parent: &Arc<Link>, service: ServiceId, payload: &[u8], responder: Responder) {
    let responder = Mutex::new(Some(responder));
    let slot = Slot::with_callback(What::Service("a request to the root"), move |reply| {
        let responder = responder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(responder) = responder {
            responder.pass_on(reply);
        }
    });
    send_request(parent, service, payload, slot);
}

async fn answered(slot: Arc<Slot>, pending: Option<Pending>) -> Result<Vec<u8>, Error> {
    let reply = std::future::poll_fn(|cx| match slot.take_or_wait(cx.waker()) {
        Some(reply) => Poll::Ready(reply),
        None => Poll::Pending,
    })
    .await;
    drop(pending);
    taken(reply)
}

/// What a reply says.
fn taken(reply: Reply) -> Result<Vec<u8>, Error> {
    let mut bytes = match reply {
        Reply::Returned(bytes) | Reply::ReturnedWith(bytes, _) => bytes,
        Reply::Failed(bytes) => return Err(decoded(&bytes)),
        Reply::Lost(error) => return Err(error),
    };
    match bytes.first() {
        Some(&OK) => {
            bytes.remove(0);
            Ok(bytes)
        }
        Some(_) => Err(decoded(&bytes[1..])),
        None => Err(bad_reply("it is empty".to_owned())),
    }
}

fn decoded(bytes: &[u8]) -> Error {
    Error::decode(bytes).unwrap_or_else(|error| bad_reply(error.to_string()))
}

fn bad_reply(reason: String) -> Error {
    actor::local_error(Ending::Refused(Refusal::BadResult(reason)), None)
}

/// Decodes what a service was sent, for the services of the layers above.
///
/// # Errors
///
/// The decoder's words.
pub fn decode<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    codec::decode(payload).map_err(|error| error.to_string())
}
