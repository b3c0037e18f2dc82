//! [`Peers`]: links to actors that are neither parent nor child, made by address and kept as long
//! as somebody uses them.

// Where peers connect to.
mod listening;
// A listener for one actor.
mod awaiting;
// The handshake, and the link after it.
mod shaking;
// Which refusals are logged.
mod complaints;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tractor_ipc::handshake::{Local, fresh_nonce};
use tractor_ipc::{ActorId, Address, CloseReason, Listener};

pub use self::awaiting::{Admitted, Awaiting, Expected};
use self::listening::{Accepting, Guests};
use self::shaking::dial;
use crate::actor::{Actor, Contact};
use crate::ending::Ending;
use crate::error::Error;
use crate::io as engine;
use crate::io::link::Link;

/// The links to peers, and where this actor listens for them.
#[derive(Default)]
pub(crate) struct Peers {
    by_id: Mutex<HashMap<ActorId, Weak<Hold>>>,
    listening: Mutex<Vec<Arc<Accepting>>>,
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

    /// Whether the link ends with its last user.
    pub(crate) fn closes(&self) -> bool {
        self.closes
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
    /// Where this actor listens, and has for the longest.
    pub(crate) fn address(&self) -> Option<Address> {
        let listening = self.listening();
        Some(listening.first()?.address().clone())
    }

    fn listening(&self) -> MutexGuard<'_, Vec<Arc<Accepting>>> {
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
    /// Listens for other actors of the tree at `address`, besides where it listens already.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`: the directory is missing or read-only, the address is in use.
    pub fn listen(&self, address: &Address) -> io::Result<()> {
        let listener = Listener::bind(address)?;
        let accepting = Accepting::start(listener, Guests::Peers)?;
        self.peers.listening().push(accepting);
        Ok(())
    }

    /// The TCP address of the loopback interface where this actor listens; from now on, if it did
    /// not before.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`.
    pub fn listen_on_loopback(&self) -> io::Result<Address> {
        // Held until it listens: of two who ask at once the second finds what the first has made.
        let mut listening = self.peers.listening();
        let mut addresses = listening.iter().map(|accepting| accepting.address());
        if let Some(address) = addresses.find(|it| matches!(it, Address::Tcp(_))) {
            return Ok(address.clone());
        }
        let listener = Listener::bind(&Address::LOOPBACK)?;
        let accepting = Accepting::start(listener, Guests::Peers)?;
        let address = accepting.address().clone();
        listening.push(accepting);
        Ok(address)
    }

    /// Listens at `address` for one actor of the tree, which is to be linked with this one for as
    /// long as it lives. Whoever else connects there is refused, and keeps nobody waiting. Dropping
    /// what it gives ends it.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`.
    pub fn await_at(&self, address: &Address, expected: Box<dyn Expected>) -> io::Result<Awaiting> {
        Awaiting::start(Listener::bind(address)?, expected)
    }

    /// Stops listening, and removes the socket's path.
    pub fn stop_listening(&self) {
        let listening = std::mem::take(&mut *self.peers.listening());
        for accepting in listening {
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
        hold.link.set_hold(&hold);
        if peer.aid != contact.aid {
            return Err(lost(format!("{:?} answered in its place", peer.aid)));
        }
        let mut by_id = self.peers.by_id();
        by_id.retain(|_, hold| hold.strong_count() > 0);
        by_id.insert(peer.aid, Arc::downgrade(&hold));
        Ok(hold)
    }

    /// What it says of itself in a handshake.
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

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.link)
    }
}
