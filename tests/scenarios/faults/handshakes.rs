//! Faults 24 to 27: who shakes hands with an actor and does not belong there.

use futures::future::join_all;
use tractor::{ActorId, Ending, Portal, open_nursery};
use tractor_ipc::handshake::{Handshake, HandshakeError, Local, PROTOCOL_VERSION, Step};
use tractor_ipc::{BuildId, Channel, ChannelError, CloseReason, Kind, TreeId, TreeSecret};

use super::raw::{Fake, address, as_peer, blocking, closed, flip_a_bit, garbage, local, next, raw};
use super::strangers::beside_peers;
use crate::calls::pid;
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone};

/// A handshake with an actor in which only the proof was not sent yet.
struct Halfway {
    channel: Channel,
    hello: Vec<u8>,
    challenge: Vec<u8>,
    proof: Vec<u8>,
}

async fn halfway(actor: &Portal, local: Local) -> Halfway {
    let mut handshake = Handshake::initiator(local);
    let mut channel = raw(&address(actor));
    let (kind, hello) = handshake.opening().expect("the initiator speaks first");
    channel.send(kind, 0, &hello).expect("it is open");
    let (channel, answer) = next(channel).await;
    let step = handshake
        .handle(answer.kind, &answer.payload)
        .expect("it is of the tree");
    let Step::Send(Kind::Proof, proof) = step else {
        panic!("{step:?}")
    };
    Halfway {
        channel,
        hello,
        challenge: answer.payload,
        proof,
    }
}

/// How somebody fails to prove that it knows the tree's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    OtherSecret,
    AlmostTheSecret,
    AlmostTheProof,
}

impl Lie {
    /// What the liar takes for the secret.
    fn secret(self, secret: &TreeSecret, chance: &mut Chance) -> TreeSecret {
        let mut bytes = *secret.as_bytes();
        match self {
            Self::OtherSecret => return TreeSecret::fresh(),
            Self::AlmostTheSecret => flip_a_bit(&mut bytes, chance),
            Self::AlmostTheProof => {}
        }
        TreeSecret::new(bytes)
    }
}

/// Fault 24. Somebody does not know the tree's secret. It is told nothing that would help to
/// guess it: not even the actor's own proof.
pub(crate) async fn f24_wrong_secret_learns_nothing(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        let mut lies = [Lie::OtherSecret, Lie::AlmostTheSecret, Lie::AlmostTheProof];
        chance.shuffle(&mut lies);
        for lie in lies {
            let liar = local("liar");
            let secret = lie.secret(&liar.secret, &mut chance);
            let Halfway {
                mut channel,
                mut proof,
                ..
            } = halfway(worker, Local { secret, ..liar }).await;
            if lie == Lie::AlmostTheProof {
                flip_a_bit(&mut proof, &mut chance);
            }
            chance.pause(5).await;
            channel.send(Kind::Proof, 0, &proof).expect("it is open");
            assert!(
                closed(channel, PROMPT).await.is_empty(),
                "it has said something to {lie:?}"
            );
        }
        // Whoever shakes hands as a peer does sees a closed link, and no reason.
        let secret = TreeSecret::fresh();
        let guess = Local {
            secret,
            ..local("guess")
        };
        let refused = as_peer(&address(worker), guess).await.map(drop);
        let closed = ChannelError::Closed(CloseReason::PeerClosed);
        assert_eq!(refused, Err(closed));
        Ok(())
    })
    .await
}

/// Fault 24. An actor connects to somebody who does not know the secret. It is not taken in.
pub(crate) async fn f24_impostor_with_a_wrong_secret_is_not_believed(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let fake = Fake::new("impostor");
    let contact = fake.contact();
    let imposing = async {
        let (fake, channel) = fake.accept().await;
        let lie = *chance.pick(&[Lie::OtherSecret, Lie::AlmostTheSecret]);
        let liar = fake.local();
        let secret = lie.secret(&liar.secret, &mut chance);
        let liar = Local { secret, ..liar };
        chance.pause(5).await;
        blocking(move || channel.handshake(Handshake::acceptor(liar)).map(drop)).await
    };
    let (connected, imposed) = futures::join!(Portal::connect(contact), imposing);
    let error = connected.expect_err("it cannot prove itself");
    assert!(matches!(error.ending(), Ending::LinkLost { .. }), "{error}");
    assert!(imposed.is_err());
    assert_alone();
    Ok(())
}

/// Fault 25. A handshake that was overheard is played again, and an actor's own words are sent
/// back to it. Neither is believed.
pub(crate) async fn f25_replayed_and_reflected_handshakes_are_refused(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        // What an honest peer said, word for word, and what was said to it.
        let Halfway {
            mut channel,
            hello,
            challenge,
            proof,
        } = halfway(worker, local("honest")).await;
        channel.send(Kind::Proof, 0, &proof).expect("it is open");
        let (honest, welcome) = next(channel).await;
        assert_eq!(welcome.kind, Kind::Welcome);
        // It may be gone when its words are heard again.
        let _honest = chance.coin().then_some(honest);

        let mut replays = [
            (Kind::Proof, proof),
            (Kind::Proof, welcome.payload.clone()),
            (Kind::Welcome, welcome.payload),
            (Kind::Hello, hello.clone()),
        ];
        chance.shuffle(&mut replays);
        for (kind, payload) in replays {
            let (mut replayed, fresh) = challenged(worker, &hello).await;
            assert_ne!(fresh, challenge, "each challenge is another one");
            chance.pause(5).await;
            replayed.send(kind, 0, &payload).expect("it is open");
            assert!(closed(replayed, PROMPT).await.is_empty(), "{kind:?}");
        }

        // Its own challenge, sent back as one or in place of a proof.
        let (mut reflected, theirs) = challenged(worker, &hello).await;
        let kind = *chance.pick(&[Kind::Hello, Kind::Proof]);
        reflected.send(kind, 0, &theirs).expect("it is open");
        assert!(closed(reflected, PROMPT).await.is_empty(), "{kind:?}");
        Ok(())
    })
    .await?;

    // An actor that connects, and hears itself.
    let fake = Fake::new("mirror");
    let contact = fake.contact();
    let mirror = async {
        let (_fake, channel) = fake.accept().await;
        let (mut channel, hello) = next(channel).await;
        chance.pause(5).await;
        channel
            .send(Kind::Hello, 0, &hello.payload)
            .expect("it is open");
        closed(channel, PROMPT).await
    };
    let (connected, said) = futures::join!(Portal::connect(contact), mirror);
    let error = connected.expect_err("it heard itself");
    assert!(error.to_string().contains("our own challenge"), "{error}");
    assert!(said.is_empty(), "{said:?}");
    assert_alone();
    Ok(())
}

/// Says a hello that was overheard, and gives what the actor wants to be proved.
async fn challenged(actor: &Portal, hello: &[u8]) -> (Channel, Vec<u8>) {
    let mut channel = raw(&address(actor));
    channel.send(Kind::Hello, 0, hello).expect("it is open");
    let (channel, challenge) = next(channel).await;
    (channel, challenge.payload)
}

/// Fault 26. Somebody speaks another version of the protocol. Whoever accepted says so with its
/// own, so that both can name both.
pub(crate) async fn f26_other_protocol_version_is_named_to_both(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        let mut channel = raw(&address(worker));
        let (_, hello) = Handshake::initiator(local("old"))
            .opening()
            .expect("it speaks first");
        let (_, hello) = of_other_version(&hello, &mut chance);
        channel.send(Kind::Hello, 0, &hello).expect("it is open");
        let said = closed(channel, PROMPT).await;
        let [farewell] = &said[..] else {
            panic!("{said:?}")
        };
        assert_eq!(farewell.kind, Kind::Hello);
        assert_eq!(farewell.payload[..4], PROTOCOL_VERSION.to_le_bytes());
        Ok(())
    })
    .await?;

    let fake = Fake::new("newer");
    let contact = fake.contact();
    let newer = async {
        let (_fake, channel) = fake.accept().await;
        let (mut channel, hello) = next(channel).await;
        let (version, answer) = of_other_version(&hello.payload, &mut chance);
        channel.send(Kind::Hello, 0, &answer).expect("it is open");
        closed(channel, PROMPT).await;
        version
    };
    let (connected, version) = futures::join!(Portal::connect(contact), newer);
    let text = connected
        .expect_err("it speaks another version")
        .to_string();
    let named = format!("version {PROTOCOL_VERSION}, the peer version {version}");
    assert!(text.contains(&named), "{text}");
    assert_alone();
    Ok(())
}

/// A hello in another version of the protocol, which is the next, the one before, or any. What
/// stands behind its number may be unlike all that we know.
fn of_other_version(hello: &[u8], chance: &mut Chance) -> (u32, Vec<u8>) {
    let any = 1 + chance.below(u64::from(u32::MAX)) as u32;
    let version = PROTOCOL_VERSION.wrapping_add(*chance.pick(&[1, u32::MAX, any]));
    let rest = match chance.coin() {
        true => hello[4..].to_vec(),
        false => garbage(chance, 500),
    };
    (version, [&version.to_le_bytes()[..], &rest].concat())
}

/// Fault 27. Somebody runs another build of the program, or belongs to another tree. It is
/// refused, and both sides can name both builds.
pub(crate) async fn f27_other_build_and_other_tree_are_refused_by_name(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let ours = local("same");
    let build = BuildId(ours.build.0 ^ (1_u64 << chance.below(64)));
    let tree = TreeId(ours.tree.0 ^ (1_u128 << chance.below(128)));
    beside_peers(async |worker| {
        let rebuilt = Local {
            build,
            ..local("other build")
        };
        let elsewhere = Local {
            tree,
            ..local("other tree")
        };
        let mut strangers = [rebuilt, elsewhere];
        chance.shuffle(&mut strangers);
        for stranger in strangers {
            let said = (stranger.tree, stranger.build);
            let error = as_peer(&address(worker), stranger)
                .await
                .expect_err("it does not belong there");
            let ChannelError::Closed(CloseReason::Handshake(error)) = error else {
                panic!("no reason was given: {error}")
            };
            match error {
                HandshakeError::OtherBuild {
                    ours: mine, theirs, ..
                } => {
                    assert_eq!((mine, theirs), (build, ours.build));
                    assert_eq!(said, (ours.tree, build));
                }
                HandshakeError::OtherTree { .. } => assert_eq!(said, (tree, ours.build)),
                error => panic!("{error}"),
            }
        }
        Ok(())
    })
    .await?;

    let fake = Fake::new("rebuilt");
    let contact = fake.contact();
    let rebuilt = async {
        let (fake, channel) = fake.accept().await;
        let other = Local {
            build,
            ..fake.local()
        };
        chance.pause(5).await;
        blocking(move || channel.handshake(Handshake::acceptor(other)).map(drop)).await
    };
    let (connected, refused) = futures::join!(Portal::connect(contact), rebuilt);
    let text = connected.expect_err("it is another build").to_string();
    assert!(text.contains(&build.to_string()), "{text}");
    assert!(text.contains(&ours.build.to_string()), "{text}");
    assert!(refused.is_err());
    assert_alone();
    Ok(())
}

/// Faults 24 to 27, from the side of the one who looked somebody up: another answers at its
/// address, or another incarnation. It is not called in its place, whoever calls it meanwhile.
pub(crate) async fn f27_another_actor_at_the_address_is_not_called(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let incarnation = worker.aid().incarnation();
        let almost = incarnation ^ (1_u64 << chance.below(64));
        let mut wanted = vec![
            ActorId::fresh("worker"),
            ActorId::new("worker", almost),
            ActorId::new("another", incarnation),
        ];
        chance.shuffle(&mut wanted);
        wanted.truncate(1 + chance.below(3) as usize);
        let connecting = wanted.into_iter().map(|aid| {
            let mut contact = worker.contact().clone();
            contact.aid = aid;
            Portal::connect(contact)
        });
        let delay = chance.delay(2);
        let calling = async {
            async_std::task::sleep(delay).await;
            worker.run(pid()).await
        };
        let (connected, called) = futures::join!(join_all(connecting), calling);
        for connected in connected {
            let error = connected.expect_err("it is another one");
            assert!(error.to_string().contains("in its place"), "{error}");
        }
        assert_eq!(called?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
