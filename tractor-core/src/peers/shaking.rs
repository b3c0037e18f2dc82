//! Links to peers from the first message of the handshake to their end.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use tractor_ipc::handshake::{Handshake, Step};
use tractor_ipc::limits::{HANDSHAKE_FRAME_BYTES_MAX, HANDSHAKE_MS_MAX};
use tractor_ipc::{Address, CloseReason, FrameDecoder, Kind, Peer, Socket};

use super::awaiting::{Admitted, Door, Opened};
use super::complaints::Complaints;
use crate::actor::Actor;
use crate::ending::Ending;
use crate::error::Error;
use crate::io as engine;
use crate::io::link::{Link, LinkOwner};
use crate::scope::Cancellation;
use crate::stop;
use crate::timer::{self, Timer};

/// What was logged of refused connections.
static COMPLAINTS: Mutex<Complaints> = Mutex::new(Complaints::new());

/// Connects to an actor and proves and checks that both belong to one tree.
pub(super) fn dial(
    actor: &Actor,
    address: &Address,
) -> impl Future<Output = Result<(Arc<Link>, Peer), String>> + use<> {
    let socket = Socket::connect(address).map_err(|error| error.to_string());
    let started = socket.and_then(|socket| {
        let (tell, told) = oneshot::channel();
        let handshake = Handshake::initiator(actor.local());
        let link =
            start(socket, handshake, (Some(tell), None)).map_err(|error| error.to_string())?;
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

/// Puts a fresh connection into the runtime's care; its handshake has [`HANDSHAKE_MS_MAX`]. What
/// comes of it is told; through a door only one comes in.
pub(super) fn start(
    socket: Socket,
    handshake: Handshake,
    (tell, door): (Option<Tell>, Option<Arc<Door>>),
) -> io::Result<Arc<Link>> {
    let opening = handshake.opening();
    let shaking = Arc::new(Mutex::new(Some(Shaking {
        handshake,
        tell,
        limit: None,
    })));
    let decoder = FrameDecoder::new(HANDSHAKE_FRAME_BYTES_MAX);
    let owner = Box::new(PeerOwner {
        shaking: shaking.clone(),
        door,
        next: OnceLock::new(),
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

/// Owns a link to a peer, from the handshake to the end, or until it has another owner.
struct PeerOwner {
    shaking: Arc<Mutex<Option<Shaking>>>,
    door: Option<Arc<Door>>,
    /// Who owns it once the one has come in for whom there is a door.
    next: OnceLock<Box<dyn LinkOwner>>,
}

impl LinkOwner for PeerOwner {
    fn frame(&self, link: &Arc<Link>, kind: Kind, id: u64, payload: &[u8]) -> Result<(), String> {
        if let Some(next) = self.next.get() {
            return next.frame(link, kind, id, payload);
        }
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
                let opened = self.admit(&peer)?;
                let _ = link.send(kind, 0, &payload);
                link.open(peer.aid.clone());
                Shaking::end(guard, Ok(peer));
                if let Some(opened) = opened {
                    opened(link);
                }
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
        if let Some(next) = self.next.get() {
            return next.closed(link, reason);
        }
        let guard = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        Shaking::end(guard, Err(reason.to_string()));
        if let Some(peer) = link.peer() {
            log::debug!("the link to {peer} ended: {reason}");
            let reason = reason.to_string();
            link.lose_calls(Error::new(peer.clone(), Ending::LinkLost { reason }));
        } else {
            let peer = link.socket.peer_pid();
            let mut complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            let level = match complaints.is_worth_a_line(peer, Instant::now()) {
                true => log::Level::Warn,
                false => log::Level::Debug,
            };
            drop(complaints);
            log::log!(level, "a connection was refused: {reason}");
        }
    }

    fn will_cancel(&self, cancellation: &Cancellation) {
        if let Some(next) = self.next.get() {
            next.will_cancel(cancellation);
        }
    }

    fn cancel(&self, cancellation: &Cancellation, remaining: Duration) {
        if let Some(next) = self.next.get() {
            next.cancel(cancellation, remaining);
        }
    }

    fn is_cancelling(&self, cancellation: &Cancellation, remaining: Duration) {
        if let Some(next) = self.next.get() {
            next.is_cancelling(cancellation, remaining);
        }
    }
}

impl PeerOwner {
    /// Lets a peer in that has proved who it is, unless it is the wrong one.
    fn admit(&self, peer: &Peer) -> Result<Option<Opened>, String> {
        let Some(door) = &self.door else {
            return Ok(None);
        };
        let Admitted { owner, opened } = door.admit(&peer.aid)?;
        // A handshake is over once.
        let _ = self.next.set(owner);
        Ok(Some(opened))
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
