//! [`connect_back`]: what a far child does with its invitation.

use std::io;

use tractor_core::process::build_id;
use tractor_core::{exports, fault};
use tractor_ipc::handshake::{Local, fresh_nonce};
use tractor_ipc::{Channel, ChannelError};

use crate::spec::Invitation;

/// Connects to the parent, which awaits us, and makes sure that it is the parent.
///
/// # Errors
///
/// Nobody listens there, or not the parent.
pub(crate) fn connect_back(invitation: Invitation) -> io::Result<Channel> {
    fault::set_actor_name(invitation.aid.name());
    tractor_core::fault!("boot.invited");
    let build = build_id(exports::digest())?;
    let local = Local {
        secret: invitation.secret,
        tree: invitation.tree,
        build,
        aid: invitation.aid,
        address: None,
        nonce: fresh_nonce(),
    };
    let (channel, peer) = Channel::connect(&invitation.address, local).map_err(with_reason)?;
    if peer.aid != invitation.parent {
        let (parent, other) = (invitation.parent, peer.aid);
        return Err(io::Error::other(format!(
            "{other:?} answered in the place of our parent {parent:?}"
        )));
    }
    tractor_core::fault!("boot.connected");
    Ok(channel)
}

/// With what the user can do something about.
pub(crate) fn with_reason(error: ChannelError) -> io::Error {
    match error {
        ChannelError::Closed(reason) => {
            io::Error::other(format!("the link to the parent: {reason}"))
        }
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};
    use tractor_ipc::handshake::Handshake;
    use tractor_ipc::{ActorId, Address, Listener, Peer, TreeId, TreeSecret};

    use super::*;

    fn invitation(address: &Address) -> Invitation {
        Invitation {
            address: address.clone(),
            aid: ActorId::new("child", 1),
            parent: ActorId::new("parent", 2),
            tree: TreeId(3),
            secret: TreeSecret::new([4; 32]),
        }
    }

    /// What comes of it where `aid` awaits the child, which knows this secret.
    fn connected(aid: ActorId, secret: u8) -> (io::Result<Channel>, Result<Peer, ChannelError>) {
        let listener = Listener::bind(&Address::LOOPBACK).unwrap();
        let ours = invitation(listener.address());
        let local = Local {
            secret: TreeSecret::new([secret; 32]),
            tree: ours.tree,
            build: build_id(exports::digest()).unwrap(),
            aid,
            address: None,
            nonce: fresh_nonce(),
        };
        let awaiting = thread::spawn(move || {
            poll(&mut [PollFd::new(&listener, PollFlags::IN)], None).unwrap();
            let socket = listener.accept().unwrap().expect("it was announced");
            let shaken = Channel::new(socket).handshake(Handshake::acceptor(local));
            shaken.map(|(_, peer)| peer)
        });
        (connect_back(ours), awaiting.join().unwrap())
    }

    #[test]
    fn the_parent_is_told_who_has_come() {
        let (channel, peer) = connected(ActorId::new("parent", 2), 4);
        channel.unwrap();
        assert_eq!(peer.unwrap().aid, ActorId::new("child", 1));
    }

    #[test]
    fn another_actor_is_not_taken_for_the_parent() {
        let (channel, _) = connected(ActorId::new("parent", 7), 4);
        let text = channel.unwrap_err().to_string();
        assert!(text.contains("in the place of our parent"), "{text}");
    }

    #[test]
    fn who_does_not_know_the_secret_is_not_the_parent() {
        let (channel, peer) = connected(ActorId::new("parent", 2), 5);
        channel.unwrap_err();
        peer.unwrap_err();
    }

    #[test]
    fn where_nobody_listens_any_more_nobody_is_waited_for() {
        let listener = Listener::bind(&Address::LOOPBACK).unwrap();
        let ours = invitation(listener.address());
        drop(listener);
        let text = connect_back(ours).unwrap_err().to_string();
        assert!(text.contains("refused"), "{text}");
    }
}
