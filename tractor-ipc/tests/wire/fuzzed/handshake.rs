//! Nobody gets through a handshake without the secret, whatever is said in which order. The first
//! byte chooses the end, then each message is a kind, a length and so many bytes; a zero length
//! stands for the honest peer's message, so that the later states are reached.

use tractor_ipc::handshake::{Handshake, Local, Step};
use tractor_ipc::{ActorId, BuildId, Kind, TreeId, TreeSecret};

fn local(name: &str, secret: u8) -> Local {
    Local {
        secret: TreeSecret::new([secret; 32]),
        tree: TreeId(1),
        build: BuildId(1),
        aid: ActorId::new(name, 1),
        address: None,
        nonce: [secret; 32],
    }
}

/// What is fuzzed.
pub(crate) fn check(data: &[u8]) {
    let [role, rest @ ..] = data else { return };
    let mut rest = rest;
    let (mut ours, mut theirs) = if role % 2 == 0 {
        (
            Handshake::initiator(local("a", 1)),
            Handshake::acceptor(local("b", 2)),
        )
    } else {
        (
            Handshake::acceptor(local("a", 1)),
            Handshake::initiator(local("b", 2)),
        )
    };
    // What the peer without the secret would honestly say next.
    let mut honest = theirs.opening();
    if let Some((kind, hello)) = ours.opening() {
        honest = reply(&mut theirs, kind, &hello);
    }
    while let [kind, len, tail @ ..] = rest {
        let len = usize::from(*len).min(tail.len());
        let (payload, tail) = tail.split_at(len);
        rest = tail;
        let message = match (Kind::try_from(*kind), &honest) {
            (_, Some(message)) if payload.is_empty() => message.clone(),
            (Ok(kind), _) => (kind, payload.to_vec()),
            (Err(_), _) => continue,
        };
        match ours.handle(message.0, &message.1) {
            Ok(Step::Send(kind, payload)) => honest = reply(&mut theirs, kind, &payload),
            Ok(Step::SendAndDone(..) | Step::Done(_)) => panic!("it got in without the secret"),
            Err(_) => {}
        }
    }
}

fn reply(peer: &mut Handshake, kind: Kind, payload: &[u8]) -> Option<(Kind, Vec<u8>)> {
    match peer.handle(kind, payload) {
        Ok(Step::Send(kind, payload) | Step::SendAndDone(kind, payload, _)) => {
            Some((kind, payload))
        }
        _ => None,
    }
}
