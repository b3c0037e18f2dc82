//! Handshakes survive honest peers only.

use proptest::collection::vec;
use proptest::prelude::*;
use tractor_ipc::handshake::{Handshake, HandshakeError, Local, Step, fresh_nonce};
use tractor_ipc::{ActorId, BuildId, Kind, TreeId, TreeSecret};

fn local(name: &str, secret: u8) -> Local {
    Local {
        secret: TreeSecret::new([secret; 32]),
        tree: TreeId(1),
        build: BuildId(1),
        aid: ActorId::fresh(name),
        address: None,
        nonce: fresh_nonce(),
    }
}

/// Runs a handshake through `carry`, which may change each of the four messages, and tells how
/// the acceptor and the initiator end.
fn run(
    initiator: Local,
    acceptor: Local,
    mut carry: impl FnMut(usize, &mut Vec<u8>),
) -> (
    Result<String, HandshakeError>,
    Option<Result<String, HandshakeError>>,
) {
    let mut initiator = Handshake::initiator(initiator);
    let mut acceptor = Handshake::acceptor(acceptor);
    let mut message = initiator.opening().expect("the initiator speaks first");
    let mut accepted = None;
    let mut count = 0;
    loop {
        carry(count, &mut message.1);
        let end = if count % 2 == 0 {
            &mut acceptor
        } else {
            &mut initiator
        };
        let result = end.handle(message.0, &message.1);
        let initiators_turn = count % 2 == 1;
        count += 1;
        match result {
            Ok(Step::Send(kind, payload)) => message = (kind, payload),
            Ok(Step::SendAndDone(kind, payload, peer)) => {
                accepted = Some(Ok(peer.aid.name().to_owned()));
                message = (kind, payload);
            }
            Ok(Step::Done(peer)) => return (Ok(peer.aid.name().to_owned()), accepted),
            Err(error) if initiators_turn => return (Err(error), accepted),
            Err(error) => return (Err(error.clone()), Some(Err(error))),
        }
    }
}

#[test]
fn honest_ends_agree() {
    let (initiator, acceptor) = run(local("a", 1), local("b", 1), |_, _| {});
    assert_eq!(
        (initiator, acceptor),
        (Ok("b".into()), Some(Ok("a".into())))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn whoever_changes_a_message_is_noticed(
        which in 0..4_usize,
        at in any::<prop::sample::Index>(),
        bits in 1..=u8::MAX,
    ) {
        let (initiator, acceptor) = run(local("a", 1), local("b", 1), |count, payload| {
            if count == which {
                let at = at.index(payload.len());
                payload[at] ^= bits;
            }
        });
        prop_assert!(initiator.is_err(), "{initiator:?}");
        // Only the last message is beyond what the acceptor can judge.
        prop_assert_eq!(acceptor.is_some_and(|ended| ended.is_ok()), which == 3);
    }

    #[test]
    fn without_the_secret_nobody_gets_in(secret in 2..=u8::MAX) {
        let (_, acceptor) = run(local("a", secret), local("b", 1), |_, _| {});
        prop_assert_eq!(acceptor, Some(Err(HandshakeError::WrongProof)));
    }

    #[test]
    fn garbage_is_refused(
        messages in vec((0..40_u8, vec(any::<u8>(), 0..200)), 1..6),
        as_initiator in any::<bool>(),
    ) {
        let mut handshake = match as_initiator {
            true => Handshake::initiator(local("a", 1)),
            false => Handshake::acceptor(local("b", 1)),
        };
        for (kind, payload) in messages {
            if let Ok(kind) = Kind::try_from(kind) {
                prop_assert!(handshake.handle(kind, &payload).is_err());
            }
        }
    }
}
