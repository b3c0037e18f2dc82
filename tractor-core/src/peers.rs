//! [`Peers`]: links to actors that are neither parent nor child, made by address and kept as long
//! as somebody uses them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use tractor_ipc::handshake::{Handshake, Local, Step, fresh_nonce};
use tractor_ipc::limits::{HANDSHAKE_FRAME_BYTES_MAX, HANDSHAKE_MS_MAX};
use tractor_ipc::{
    AcceptError, ActorId, Address, CloseReason, FrameDecoder, Kind, Listener, Peer, Socket,
};

use crate::actor::{Actor, Contact, current_actor};
use crate::ending::Ending;
use crate::error::Error;
use crate::io::link::{Link, LinkOwner};
use crate::io::{self as engine, Source, SourceKey, Watch};
use crate::stop;
use crate::timer::{self, Timer};

/// How long a listener that has run out of descriptors waits before it accepts again.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// The links to peers, and where this actor listens for them.
#[derive(Default)]
pub(crate) struct Peers {
    by_id: Mutex<HashMap<ActorId, Weak<Hold>>>,
    listening: Mutex<Option<Arc<Accepting>>>,
}

/// Keeps a link to a peer open; the last one closes it.
pub(crate) struct Hold {
    pub(crate) link: Arc<Link>,
    /// Whether the link was made for its users and ends with them.
    closes: bool,
}

impl Hold {
    /// Keeps hold of a link that somebody else ends.
    pub(crate) fn borrowed(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self {
            link,
            closes: false,
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.closes {
            let link = self.link.clone();
            // By the leader, because the last user may be anywhere, also inside a handler that
            // holds the right to read this very link.
            engine::run_soon(move || link.close(&CloseReason::PeerClosed));
        }
    }
}

impl Peers {
    /// Where this actor listens.
    pub(crate) fn address(&self) -> Option<Address> {
        self.listening()
            .as_ref()
            .map(|accepting| accepting.listener.address().clone())
    }

    fn listening(&self) -> MutexGuard<'_, Option<Arc<Accepting>>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<ActorId, Weak<Hold>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, aid: &ActorId) -> Option<Arc<Hold>> {
        let hold = self.by_id().get(aid)?.upgrade()?;
        (!hold.link.is_closed()).then_some(hold)
    }
}

impl Actor {
    /// Listens for other actors of the tree at `address`.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`: the directory is missing or read-only, the address is in use.
    pub fn listen(&self, address: &Address) -> io::Result<()> {
        let listener = Listener::bind(address)?;
        *self.peers.listening() = Some(Accepting::start(listener)?);
        Ok(())
    }

    /// Stops listening, and removes the socket's path.
    pub fn stop_listening(&self) {
        let accepting = self.peers.listening().take();
        if let Some(accepting) = accepting {
            accepting.stop();
        }
    }

    /// A link to another actor of the tree: an existing one, or a new one by its address.
    ///
    /// # Errors
    ///
    /// [`Ending::LinkLost`] if the actor has no address or does not answer there.
    pub(crate) async fn link_to(&self, contact: &Contact) -> Result<Arc<Hold>, Error> {
        if let Some(hold) = self.peers.cached(&contact.aid) {
            return Ok(hold);
        }
        let lost = |reason: String| Error::new(contact.aid.clone(), Ending::LinkLost { reason });
        let Some(address) = &contact.address else {
            return Err(lost("it listens nowhere".to_owned()));
        };
        let (link, peer) = dial(self, address).await.map_err(lost)?;
        let hold = Arc::new(Hold { link, closes: true });
        if peer.aid != contact.aid {
            return Err(lost(format!("{:?} answered in its place", peer.aid)));
        }
        let mut by_id = self.peers.by_id();
        by_id.retain(|_, hold| hold.strong_count() > 0);
        by_id.insert(peer.aid, Arc::downgrade(&hold));
        Ok(hold)
    }

    fn local(&self) -> Local {
        let identity = self.identity();
        Local {
            secret: identity.secret.clone(),
            tree: identity.tree,
            build: identity.build,
            aid: identity.aid.clone(),
            address: self.address(),
            nonce: fresh_nonce(),
        }
    }
}

/// Connects to an actor and proves and checks that both belong to one tree.
fn dial(
    actor: &Actor,
    address: &Address,
) -> impl Future<Output = Result<(Arc<Link>, Peer), String>> + use<> {
    let socket = Socket::connect(address).map_err(|error| error.to_string());
    let started = socket.and_then(|socket| {
        let (tell, told) = oneshot::channel();
        let handshake = Handshake::initiator(actor.local());
        let link = start(socket, handshake, Some(tell)).map_err(|error| error.to_string())?;
        Ok((link, told))
    });
    async move {
        let (link, told) = started?;
        let close = CloseOnDrop(Some(link));
        match told.await {
            Ok(Ok(peer)) => Ok((close.keep(), peer)),
            Ok(Err(reason)) => Err(reason),
            Err(oneshot::Canceled) => Err("the peer closed the channel".to_owned()),
        }
    }
}

/// Closes a link whose handshake nobody waits for any more.
struct CloseOnDrop(Option<Arc<Link>>);

impl CloseOnDrop {
    fn keep(mut self) -> Arc<Link> {
        self.0.take().expect("it is taken only here")
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(link) = self.0.take() {
            engine::run_soon(move || link.close(&CloseReason::PeerClosed));
        }
    }
}

type Tell = oneshot::Sender<Result<Peer, String>>;

/// Puts a fresh connection into the runtime's care; its handshake has [`HANDSHAKE_MS_MAX`].
fn start(socket: Socket, handshake: Handshake, tell: Option<Tell>) -> io::Result<Arc<Link>> {
    let opening = handshake.opening();
    let shaking = Arc::new(Mutex::new(Some(Shaking {
        handshake,
        tell,
        limit: None,
    })));
    let decoder = FrameDecoder::new(HANDSHAKE_FRAME_BYTES_MAX);
    let owner = Box::new(PeerOwner {
        shaking: shaking.clone(),
    });
    let link = Link::start(socket, decoder, None, owner)?;
    if let Some((kind, payload)) = opening {
        // A hello is far smaller than a frame may be.
        let _ = link.send(kind, 0, &payload);
    }
    let weak = Arc::downgrade(&link);
    let limit = timer::schedule(
        Instant::now() + Duration::from_millis(HANDSHAKE_MS_MAX),
        move || {
            if let Some(link) = weak.upgrade() {
                let message = "the peer did not shake hands in time".to_owned();
                link.close(&CloseReason::Os {
                    kind: io::ErrorKind::TimedOut,
                    message,
                });
            }
        },
    );
    if let Some(shaking) = &mut *shaking.lock().unwrap_or_else(PoisonError::into_inner) {
        shaking.limit = Some(limit);
    }
    Ok(link)
}

/// A handshake that is not over.
struct Shaking {
    handshake: Handshake,
    tell: Option<Tell>,
    limit: Option<Timer>,
}

/// Owns a link to a peer, from the handshake to the end.
struct PeerOwner {
    shaking: Arc<Mutex<Option<Shaking>>>,
}

impl LinkOwner for PeerOwner {
    fn frame(&self, link: &Arc<Link>, kind: Kind, id: u64, payload: &[u8]) -> Result<(), String> {
        if link.is_open() {
            return match kind {
                Kind::Stop => stop::received(link, id, payload),
                kind => Err(format!(
                    "a {kind:?} frame comes from a parent or a child only"
                )),
            };
        }
        let mut guard = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(shaking) = &mut *guard else {
            return Err("the handshake has failed".to_owned());
        };
        match shaking.handshake.handle(kind, payload) {
            Ok(Step::Send(kind, payload)) => {
                // Messages of the handshake are far smaller than a frame may be.
                let _ = link.send(kind, 0, &payload);
            }
            Ok(Step::SendAndDone(kind, payload, peer)) => {
                let _ = link.send(kind, 0, &payload);
                link.open(peer.aid.clone());
                Shaking::end(guard, Ok(peer));
            }
            Ok(Step::Done(peer)) => {
                link.open(peer.aid.clone());
                Shaking::end(guard, Ok(peer));
            }
            Err(error) => {
                if let Some((kind, payload)) = shaking.handshake.farewell() {
                    let _ = link.send(kind, 0, &payload);
                }
                Shaking::end(guard, Err(error.to_string()));
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    fn closed(&self, link: &Arc<Link>, reason: &CloseReason) {
        let guard = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        Shaking::end(guard, Err(reason.to_string()));
        if let Some(peer) = link.peer() {
            log::debug!("the link to {peer} ended: {reason}");
            let reason = reason.to_string();
            link.lose_calls(Error::new(peer.clone(), Ending::LinkLost { reason }));
        } else {
            log::warn!("a connection was refused: {reason}");
        }
    }
}

impl Shaking {
    /// Ends it, if it is not over. What it tells wakes a user's task, so the lock is given back
    /// first.
    fn end(mut guard: MutexGuard<'_, Option<Self>>, result: Result<Peer, String>) {
        let over = guard.take();
        drop(guard);
        if let Some(Self {
            tell: Some(tell), ..
        }) = over
        {
            // Whoever wanted the link may have been cancelled; then the link is closed.
            let _ = tell.send(result);
        }
    }
}

/// Accepts connections on the leader's thread.
struct Accepting {
    listener: Listener,
    state: Mutex<Listening>,
}

/// What the leader does with a listener.
enum Listening {
    /// It watches it.
    Watched(SourceKey),
    /// It will again in a moment: descriptors are short.
    Paused { _until: Timer },
    /// Nothing, from now on.
    Stopped,
}

impl Accepting {
    fn start(listener: Listener) -> io::Result<Arc<Self>> {
        let accepting = Arc::new(Self {
            listener,
            state: Mutex::new(Listening::Stopped),
        });
        // Held until the key is known, because a connection may come at once.
        let mut state = accepting.lock();
        *state = Listening::Watched(engine::watch(accepting.clone())?);
        drop(state);
        Ok(accepting)
    }

    fn stop(&self) {
        let before = std::mem::replace(&mut *self.lock(), Listening::Stopped);
        if let Listening::Watched(key) = before {
            engine::unwatch(key);
        }
    }

    /// Watching on would spin: the listener stays ready as long as the connection waits.
    fn pause(self: &Arc<Self>) -> Watch {
        let weak = Arc::downgrade(self);
        let timer = timer::schedule(Instant::now() + ACCEPT_BACK_OFF, move || {
            if let Some(accepting) = weak.upgrade() {
                accepting.resume();
            }
        });
        let mut state = self.lock();
        if matches!(*state, Listening::Watched(_)) {
            *state = Listening::Paused { _until: timer };
        }
        Watch::End
    }

    fn resume(self: &Arc<Self>) {
        let mut state = self.lock();
        if let Listening::Paused { .. } = *state {
            match engine::watch(self.clone()) {
                Ok(key) => *state = Listening::Watched(key),
                Err(error) => log::error!("listen again: {error}"),
            }
        }
    }

    fn welcome(&self, socket: Socket) {
        let Ok(actor) = current_actor() else { return };
        if let Err(error) = start(socket, Handshake::acceptor(actor.local()), None) {
            log::warn!("watch a connection: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Listening> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Accepting {
    fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        loop {
            match self.listener.accept() {
                Ok(Some(socket)) => self.welcome(socket),
                Ok(None) => return Watch::Keep,
                Err(error @ AcceptError::ForeignUser { .. }) => log::warn!("{error}"),
                Err(AcceptError::Io(error)) => {
                    log::warn!("accept a connection: {error}; trying again soon");
                    return self.pause();
                }
            }
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.link)
    }
}
