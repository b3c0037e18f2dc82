//! Calls that an actor does not take up: each for its own reason, naming function and actor, and
//! the channel lives on.
//!
//! What no honest caller would send is sent by hand, over a channel to the actor's socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use tractor::{
    ActorId, Address, Call, Ending, Error, Portal, Refusal, current_actor, open_nursery,
};
use tractor_ipc::codec;
use tractor_ipc::handshake::{Local, fresh_nonce};
use tractor_ipc::limits::FRAME_BYTES_MAX;
use tractor_ipc::{Channel, ChannelError, CloseReason, HandshakeError, Kind, TreeId, TreeSecret};

use crate::calls::greet;
use crate::support::PATIENCE;
use crate::witness::{events, hold, tell, wait_for};

/// Nested as deep as one likes.
#[derive(Debug, Serialize, Deserialize)]
enum Nest {
    Leaf,
    More(Box<Self>),
}

impl Nest {
    fn of(levels: u32) -> Self {
        (0..levels).fold(Self::Leaf, |nest, _| Self::More(Box::new(nest)))
    }
}

#[tractor::rpc]
async fn levels(nest: Nest) -> u32 {
    let (mut nest, mut levels) = (&nest, 0);
    while let Nest::More(inner) = nest {
        (nest, levels) = (inner, levels + 1);
    }
    levels
}

#[tractor::rpc]
async fn nest(levels: u32) -> Nest {
    Nest::of(levels)
}

/// Refuses to be serialized.
#[derive(Debug, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not want to"))
    }
}

#[tractor::rpc]
async fn take_stubborn(_: Stubborn) {}

#[tractor::rpc]
async fn give_stubborn() -> Stubborn {
    Stubborn
}

fn local() -> Local {
    let identity = current_actor().expect("a test is an actor").identity();
    Local {
        secret: identity.secret.clone(),
        tree: identity.tree,
        build: identity.build,
        aid: ActorId::fresh("stranger"),
        address: None,
        nonce: fresh_nonce(),
    }
}

fn address(portal: &Portal) -> Address {
    portal.contact().address.clone().expect("it listens")
}

pub(crate) fn dial(portal: &Portal) -> Channel {
    let (channel, peer) = Channel::connect(&address(portal), local()).expect("it is let in");
    assert_eq!(&peer.aid, portal.aid());
    channel
}

/// The frame that starts a function: its number, the fingerprint of its signature, no deadline,
/// and the arguments.
struct Start {
    export: u32,
    signature: u64,
    args: Vec<u8>,
}

impl Start {
    fn of<T>(call: &Call<T>) -> Self {
        let export = call.export();
        let texts = [export.module, export.name, export.signature];
        let signature = texts
            .concat()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut args = Vec::new();
        call.encode_args(&mut args).expect("they encode");
        Self {
            export: export.index().expect("it is exported"),
            signature,
            args,
        }
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = self.export.to_le_bytes().to_vec();
        payload.extend(self.signature.to_le_bytes());
        payload.extend(u64::MAX.to_le_bytes());
        payload.extend(&self.args);
        payload
    }
}

pub(crate) fn start<T>(channel: &mut Channel, id: u64, call: &Call<T>) {
    channel
        .send(Kind::Start, id, &Start::of(call).payload())
        .expect("it is open");
}

/// That the start is refused like this, and that the next one is answered.
fn check(channel: &mut Channel, refused: &Start, is_expected: fn(&Refusal) -> bool) -> String {
    channel
        .send(Kind::Start, 7, &refused.payload())
        .expect("it is open");
    let answer = channel.recv(Some(PATIENCE)).expect("it is answered");
    assert_eq!((answer.kind, answer.id), (Kind::Fail, 7));
    let error = Error::decode(&answer.payload).expect("it is an error");
    assert!(
        matches!(error.ending(), Ending::Refused(refusal) if is_expected(refusal)),
        "{error}"
    );
    assert_eq!(
        (error.origin().name(), error.origin_pid().is_some()),
        ("worker", true)
    );

    start(channel, 8, &greet("again"));
    let answer = channel.recv(Some(PATIENCE)).expect("it is answered");
    assert_eq!((answer.kind, answer.id), (Kind::Return, 8));
    assert_eq!(
        codec::decode::<String>(&answer.payload).unwrap(),
        "hello again"
    );
    error.to_string()
}

#[tractor::test]
async fn each_wrong_call_is_refused_for_its_own_reason() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = dial(&worker);
        let good = || Start::of(&greet("you"));

        let unknown = Start {
            export: u32::MAX,
            ..good()
        };
        check(&mut channel, &unknown, |refusal| {
            *refusal == Refusal::UnknownExport
        });

        let other = Start {
            signature: 1,
            ..good()
        };
        let text = check(&mut channel, &other, |refusal| {
            matches!(refusal, Refusal::OtherSignature { .. })
        });
        assert!(
            text.contains("promises::calls::greet") && text.contains("fn greet"),
            "{text}"
        );

        let bad = |refusal: &Refusal| matches!(refusal, Refusal::BadArguments(_));
        let torn = Start {
            args: vec![200, 1],
            ..good()
        };
        let garbage = Start {
            args: vec![3, 0xff, 0xfe, 0xfd],
            ..good()
        };
        let more = Start {
            args: [good().args, vec![0]].concat(),
            ..good()
        };
        for wrong in [torn, garbage, more] {
            let text = check(&mut channel, &wrong, bad);
            assert!(text.contains("promises::calls::greet"), "{text}");
        }

        // A million levels would be far too many for any stack.
        let deep = Start {
            args: [vec![1; 1_000_000], vec![0]].concat(),
            ..Start::of(&levels(Nest::Leaf))
        };
        let text = check(&mut channel, &deep, bad);
        assert!(
            text.contains("refusals::levels") && text.contains("deeper"),
            "{text}"
        );
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn values_that_are_nested_too_deeply_are_refused_in_both_directions() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(worker.run(levels(Nest::of(9))).await?, 9);
        let refused = worker.run(levels(Nest::of(100))).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadArguments(_))),
            "{refused}"
        );
        let refused = worker.run(nest(100)).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadResult(_))),
            "{refused}"
        );
        assert_eq!(refused.call(), Some("promises::refusals::nest"));
        assert_eq!(worker.run(greet("again")).await?, "hello again");
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn values_that_refuse_to_be_serialized_are_refused_where_they_are() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let refused = worker.run(take_stubborn(Stubborn)).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadArguments(why)) if why.contains("want")),
            "{refused}"
        );
        assert_eq!(refused.origin().name(), "root");
        let refused = worker.run(give_stubborn()).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::BadResult(why)) if why.contains("want")),
            "{refused}"
        );
        assert_eq!(refused.origin().name(), "worker");
        assert_eq!(worker.run(greet("again")).await?, "hello again");
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn only_what_is_exposed_can_be_called() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let exposed = ["promises::calls::greet", "promises::witness"];
        let narrow = nursery.start_actor("narrow").expose(exposed).await?;
        assert_eq!(narrow.run(greet("you")).await?, "hello you");
        narrow.run(tell("a whole module")).await?;
        let refused = narrow.run(levels(Nest::Leaf)).await.unwrap_err();
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::NotExposed)),
            "{refused}"
        );
        let text = refused.to_string();
        assert!(
            text.contains("'narrow'") && text.contains("promises::refusals::levels"),
            "{text}"
        );
        // It is not begun, and the channel lives on.
        assert_eq!(narrow.run(events()).await?, ["a whole module"]);
        narrow.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_call_id_that_is_in_use_starts_nothing() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = dial(&worker);
        start(&mut channel, 1, &hold("first"));
        worker.run(wait_for("first begins")).await?;
        start(&mut channel, 1, &hold("second"));
        channel.send(Kind::Ping, 5, &[]).expect("it is open");
        let pong = channel.recv(Some(PATIENCE)).expect("it is answered");
        assert_eq!((pong.kind, pong.id), (Kind::Pong, 5));
        channel.send(Kind::Cancel, 1, &[]).expect("it is open");
        let answer = channel.recv(Some(PATIENCE)).expect("it is answered");
        assert_eq!((answer.kind, answer.id), (Kind::Fail, 1));
        assert_eq!(
            worker.run(events()).await?,
            ["first begins", "first dropped"]
        );
        // Cancelling what has ended, or never was, is nothing.
        for id in [1, 9] {
            channel.send(Kind::Cancel, id, &[]).expect("it is open");
        }
        start(&mut channel, 2, &greet("you"));
        assert_eq!(channel.recv(Some(PATIENCE)).map(|frame| frame.id), Ok(2));
        worker.cancel_actor().await
    })
    .await
}

/// That the actor closes the channel after this frame, and serves others on.
async fn check_closed(worker: &Portal, kind: Kind, payload: &[u8]) -> tractor::Result<()> {
    let mut channel = dial(worker);
    channel.send(kind, 3, payload).expect("it is open");
    let closed = loop {
        match channel.recv(Some(PATIENCE)) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(closed, ChannelError::Closed(_)), "{closed:?}");
    assert_eq!(worker.run(greet("again")).await?, "hello again");
    Ok(())
}

#[tractor::test]
async fn a_peer_that_breaks_the_rules_loses_its_channel_and_nobody_else() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        check_closed(&worker, Kind::Start, b"too short").await?;
        for kind in [Kind::Spec, Kind::Ready, Kind::Stopped, Kind::Hello] {
            check_closed(&worker, kind, &[]).await?;
        }
        check_closed(&worker, Kind::Stop, b"\xff").await?;
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn strangers_are_not_let_in() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let address = address(&worker);
        let guess = Local {
            secret: TreeSecret::fresh(),
            ..local()
        };
        let refused = Channel::connect(&address, guess).unwrap_err();
        // It is shown nothing but that the channel is closed.
        assert_eq!(refused, ChannelError::Closed(CloseReason::PeerClosed));

        let lost = Local {
            tree: TreeId::fresh(),
            ..local()
        };
        let refused = Channel::connect(&address, lost).unwrap_err();
        let other_tree = |reason: &CloseReason| {
            matches!(
                reason,
                CloseReason::Handshake(HandshakeError::OtherTree { .. })
            )
        };
        assert!(
            matches!(&refused, ChannelError::Closed(why) if other_tree(why)),
            "{refused:?}"
        );

        let Address::Unix(path) = &address else {
            panic!("{address}")
        };
        let too_long = u32::try_from(FRAME_BYTES_MAX).unwrap().to_le_bytes();
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &too_long[..], &[0; 64]] {
            let mut socket = UnixStream::connect(path).expect("it listens");
            socket
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            socket.write_all(garbage).expect("it is read");
            socket
                .shutdown(std::net::Shutdown::Write)
                .expect("it is open");
            // A reset says the same as an end.
            assert!(
                !matches!(socket.read(&mut [0; 1]), Ok(1..)),
                "{garbage:?} was answered"
            );
        }
        assert_eq!(worker.run(greet("again")).await?, "hello again");
        worker.cancel_actor().await
    })
    .await
}
