//! [`Accepting`]: the listener that peers connect to, served by the leader.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tractor_ipc::handshake::Handshake;
use tractor_ipc::{AcceptError, Address, CloseReason, Listener, Socket};

use super::awaiting::Door;
use super::shaking;
use crate::actor::current_actor;
use crate::io::link::Link;
use crate::io::{self as engine, Source, SourceKey, Watch};
use crate::timer::{self, Timer};

/// How long a listener that has run out of descriptors waits before it accepts again.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
/// How many connections are accepted before others are served; the next event brings the rest.
const ACCEPTS_MAX: usize = 16;
/// How many connections by TCP one listener may have that have not proved who they are: any program
/// of this machine can make one, and each costs a descriptor. Those by a Unix socket are our user's.
const UNPROVED_MAX: usize = 256;

/// Accepts connections on the leader's thread.
pub(super) struct Accepting {
    listener: Listener,
    guests: Guests,
    state: Mutex<Listening>,
    /// Those that have come and not yet proved who they are, the first to come first.
    unproved: Mutex<VecDeque<Weak<Link>>>,
}

/// Who may come in.
pub(super) enum Guests {
    /// All of the tree.
    Peers,
    /// The one for whom the listener was made.
    One(Arc<Door>),
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
    pub(super) fn start(listener: Listener, guests: Guests) -> io::Result<Arc<Self>> {
        let accepting = Arc::new(Self {
            listener,
            guests,
            state: Mutex::new(Listening::Stopped),
            unproved: Mutex::default(),
        });
        // Held until the key is known, because a connection may come at once.
        let mut state = accepting.lock();
        *state = Listening::Watched(engine::watch(accepting.clone())?);
        drop(state);
        Ok(accepting)
    }

    pub(super) fn address(&self) -> &Address {
        self.listener.address()
    }

    pub(super) fn stop(&self) {
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

    /// Begins a handshake. Of many who have not proved themselves the one that has had the longest
    /// time for it has to go.
    fn welcome(&self, socket: Socket) {
        let Ok(actor) = current_actor() else { return };
        let door = match &self.guests {
            Guests::Peers => None,
            Guests::One(door) => Some(door.clone()),
        };
        let handshake = Handshake::acceptor(actor.local());
        let link = match shaking::start(socket, handshake, (None, door)) {
            Ok(link) => link,
            Err(error) => return log::warn!("watch a connection: {error}"),
        };
        if matches!(self.address(), Address::Unix(_)) {
            return;
        }
        let oldest = {
            let mut unproved = self.unproved.lock().unwrap_or_else(PoisonError::into_inner);
            let is_unproved = |link: &Arc<Link>| !link.is_open() && !link.is_closed();
            unproved.retain(|link| link.upgrade().is_some_and(|link| is_unproved(&link)));
            unproved.push_back(Arc::downgrade(&link));
            let is_full = unproved.len() > UNPROVED_MAX;
            is_full.then(|| unproved.pop_front()).flatten()
        };
        if let Some(oldest) = oldest.and_then(|link| link.upgrade()) {
            let message = format!("{UNPROVED_MAX} others have connected and proved nothing");
            let kind = io::ErrorKind::QuotaExceeded;
            oldest.close(&CloseReason::Os { kind, message });
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
        for _ in 0..ACCEPTS_MAX {
            match self.listener.accept() {
                Ok(Some(socket)) => self.welcome(socket),
                Ok(None) => break,
                Err(error @ AcceptError::ForeignUser { .. }) => log::warn!("{error}"),
                Err(AcceptError::Io(error)) => {
                    log::warn!("accept a connection: {error}; trying again soon");
                    return self.pause();
                }
            }
        }
        Watch::Keep
    }
}
