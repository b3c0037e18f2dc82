//! [`Awaiting`]: a listener that was made for one actor, which owns its link otherwise than a peer
//! does.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tractor_ipc::{ActorId, Address, Listener};

use super::listening::{Accepting, Guests};
use crate::io::link::{Link, LinkOwner};

/// Whom a listener was made for.
///
/// Its functions run on a runtime thread. They are short, never wait and run no user code.
pub trait Expected: Send + Sync + 'static {
    /// Who it is.
    fn aid(&self) -> &ActorId;

    /// It has come, and has proved who it is. `None` if it came before, or is not wanted any more.
    fn admit(&self) -> Option<Admitted>;
}

/// What is done with a link as soon as it is open.
pub(super) type Opened = Box<dyn FnOnce(&Arc<Link>) + Send>;

/// What becomes of the link to somebody who was expected.
pub struct Admitted {
    /// Who owns it from now on.
    pub owner: Box<dyn LinkOwner>,
    /// Called when it is open, before anything that comes over it is handled.
    pub opened: Opened,
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").finish_non_exhaustive()
    }
}

/// A listener for one actor. It is closed when that one has come, and when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it closes the listener"]
pub struct Awaiting {
    door: Arc<Door>,
    address: Address,
}

impl Awaiting {
    pub(super) fn start(listener: Listener, expected: Box<dyn Expected>) -> io::Result<Self> {
        let address = listener.address().clone();
        let door = Arc::new(Door {
            expected,
            accepting: Mutex::new(None),
        });
        // Held until it is known: whoever is expected may come at once, and then it is closed.
        let mut accepting = door.accepting();
        *accepting = Some(Accepting::start(listener, Guests::One(door.clone()))?);
        drop(accepting);
        Ok(Self { door, address })
    }

    /// Where to connect to.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.door.close();
    }
}

/// What those who have connected and the one who waits share.
pub(super) struct Door {
    expected: Box<dyn Expected>,
    /// Closed by taking it out: the two own each other.
    accepting: Mutex<Option<Arc<Accepting>>>,
}

impl Door {
    /// Lets somebody in who has proved to be `aid`, and closes behind it.
    pub(super) fn admit(&self, aid: &ActorId) -> Result<Admitted, String> {
        let expected = self.expected.aid();
        if aid != expected {
            return Err(format!("{aid:?} has come, and {expected:?} is expected"));
        }
        let admitted = self.expected.admit();
        self.close();
        admitted.ok_or_else(|| format!("{aid:?} is not expected any more"))
    }

    fn close(&self) {
        let accepting = self.accepting().take();
        if let Some(accepting) = accepting {
            accepting.stop();
        }
    }

    fn accepting(&self) -> std::sync::MutexGuard<'_, Option<Arc<Accepting>>> {
        self.accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("expected", self.expected.aid())
            .finish_non_exhaustive()
    }
}
