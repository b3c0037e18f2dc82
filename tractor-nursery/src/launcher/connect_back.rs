//! [`ConnectBack`]: children that connect to us, over the network.
//!
//! Over the boot pair a child is told only where, who it is, and what to prove that with: what a
//! launch on another machine would hand over by the standard input of `ssh`. The listener is made
//! for this one child and closed behind it. Until it has come the child is a process without a
//! link: its end is seen by its descriptor, and it is brought down by signals.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tractor_core::io::link::Link;
use tractor_core::{Actor, Admitted, Awaiting, Error, Expected, runtime_vars};
use tractor_ipc::limits::FRAME_BYTES_MAX;
use tractor_ipc::{ActorId, Address, Channel, ChannelError, Kind, PayloadTooLong, Socket, codec};

use super::Launcher;
use crate::child::{Child, ChildLink};
use crate::spec::{ActorSpec, Invitation, Spec};
use crate::tree::Tree;

/// Has the child connect back by TCP, over the loopback interface.
pub(crate) struct ConnectBack;

/// A child that was invited. Its boot pair is closed with this.
pub(crate) struct Invited {
    _boot: Channel,
    _listener: Awaiting,
}

impl Launcher for ConnectBack {
    type Linking = Invited;

    async fn direct(&self, actor: &Actor, spec: &mut ActorSpec) -> Result<(), Error> {
        let root = Tree::root_on_loopback(actor, &spec.aid).await?;
        if let Some(address) = &root.address {
            for key in [runtime_vars::ROOT_ADDRESS, runtime_vars::REGISTRAR] {
                let inserted = spec.vars.insert_own(key, address);
                inserted.expect("an address always encodes");
            }
        }
        spec.root = root;
        spec.listen = Some(Address::LOOPBACK);
        Ok(())
    }

    fn link(
        &self,
        actor: &Actor,
        child: &Arc<Child>,
        boot: Socket,
        mut spec: ActorSpec,
    ) -> io::Result<Invited> {
        spec.secret = None;
        let spec = codec::encode(&Spec::Actor(Box::new(spec))).map_err(io::Error::other)?;
        if spec.len() > FRAME_BYTES_MAX {
            return Err(io::Error::other(PayloadTooLong { len: spec.len() }));
        }
        let expected = Box::new(ExpectedChild {
            aid: child.aid.clone(),
            child: Arc::downgrade(child),
            spec: Mutex::new(Some(spec)),
        });
        let listener = match tractor_core::fault!("start.listen", error) {
            Some(error) => Err(error),
            None => actor.await_at(&Address::LOOPBACK, expected),
        };
        let listener = listener.map_err(|error| {
            let reason = format!("listen for it on the loopback interface: {error}");
            io::Error::new(error.kind(), reason)
        })?;
        let identity = actor.identity();
        let invitation = Spec::ConnectBack(Box::new(Invitation {
            address: listener.address().clone(),
            aid: child.aid.clone(),
            parent: identity.aid.clone(),
            tree: identity.tree,
            secret: identity.secret.clone(),
        }));
        let invitation = codec::encode(&invitation).map_err(io::Error::other)?;
        let mut boot = Channel::new(boot);
        // It fits what the kernel keeps for a socket. Nothing was written to this one but the byte
        // that an input is lent with, if one is.
        boot.set_send_timeout(Some(Duration::ZERO));
        match boot.send(Kind::Spec, 0, &invitation) {
            // A child that has closed its end is dying, and how is told when it is dead.
            Ok(()) | Err(ChannelError::Closed(_)) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        tractor_core::fault!("start.invited");
        Ok(Invited {
            _boot: boot,
            _listener: listener,
        })
    }
}

/// The child for whom the listener was made.
struct ExpectedChild {
    aid: ActorId,
    child: Weak<Child>,
    /// What it is to be, until it is told.
    spec: Mutex<Option<Vec<u8>>>,
}

impl Expected for ExpectedChild {
    fn aid(&self) -> &ActorId {
        &self.aid
    }

    fn admit(&self) -> Option<Admitted> {
        let spec = self
            .spec
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let child = self.child.upgrade().filter(|child| !child.is_reaped())?;
        tractor_core::fault!("start.connected");
        Some(Admitted {
            owner: Box::new(ChildLink(self.child.clone())),
            opened: Box::new(move |link| opened(&child, link, &spec)),
        })
    }
}

fn opened(child: &Arc<Child>, link: &Arc<Link>, spec: &[u8]) {
    child.set_link(link.clone());
    // It was measured.
    let _ = link.send(Kind::Spec, 0, spec);
    child.linked();
}
