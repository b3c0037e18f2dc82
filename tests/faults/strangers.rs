//! Faults 18, 20 to 22, 24 to 27: what connects to an actor's socket and is no peer.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{ActorId, Ending, Portal, StdioSpec, open_nursery};
use tractor_ipc::handshake::{Handshake, HandshakeError, Local, PROTOCOL_VERSION, Step};
use tractor_ipc::limits::{FRAME_BYTES_MAX, HANDSHAKE_FRAME_BYTES_MAX, HANDSHAKE_MS_MAX};
use tractor_ipc::{BuildId, Channel, ChannelError, CloseReason, Kind, TreeId, TreeSecret, frame};

use crate::calls::{echo, pid, strangeness};
use crate::raw::{
    Fake, address, answers_a_ping, as_peer, blocking, closed, local, next, peer, raw, write,
};
use crate::tree::{PROMPT, assert_alone, ms};

/// Starts an actor, has a stranger do what it does to its socket, and checks that the actor's
/// peers notice nothing.
async fn beside_peers(
    stranger: impl AsyncFnOnce(&Portal) -> tractor::Result<()>,
) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let before = peer(&address(&worker)).await;
        stranger(&worker).await?;
        answers_a_ping(before).await;
        answers_a_ping(peer(&address(&worker)).await).await;
        assert_eq!(worker.run(echo(vec![7; 100])).await?, [7; 100]);
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 18. Somebody connects and says nothing, or says one byte now and then. The time for the
/// whole handshake ends it; others shake hands meanwhile.
#[tractor::test]
async fn silent_and_trickling_strangers_run_out_of_time() -> tractor::Result<()> {
    beside_peers(async |worker| {
        let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
        let begin = Instant::now();
        let silent = closed(raw(&address(worker)), 2 * limit);
        let trickling = raw(&address(worker));
        let trickle = blocking(move || trickle(&trickling, 2 * limit));
        let others = async {
            for _ in 0..10 {
                answers_a_ping(peer(&address(worker)).await).await;
            }
            begin.elapsed()
        };
        let (said, sent, others) = futures::join!(silent, trickle, others);
        assert!(others < limit / 2, "others had to wait: {others:?}");
        assert!(said.is_empty(), "{said:?}");
        let took = begin.elapsed();
        assert!(
            took >= limit - ms(500) && took < limit + PROMPT,
            "it took {took:?}"
        );
        assert!(sent > 3, "{sent} bytes");
        Ok(())
    })
    .await
}

/// Sends a hello byte by byte until it is not wanted any more, and gives how many were taken.
fn trickle(channel: &Channel, bound: Duration) -> usize {
    let hello = frame::header(Kind::Hello, 0, 200);
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < bound {
        let byte = hello.get(sent).copied().unwrap_or_default();
        match write(channel, &[byte]) {
            Ok(_) => sent += 1,
            Err(_) => return sent,
        }
        // The stranger's own pace; nothing is waited for.
        crate::calls::block_thread(150);
    }
    panic!("it was listened to for {bound:?}")
}

/// Fault 20. A peer's frame is cut off by the end of its link, anywhere. What came before it
/// counts, the rest is nobody's.
#[tractor::test]
async fn truncated_frame_ends_its_link_only() -> tractor::Result<()> {
    beside_peers(async |worker| {
        let whole = [&frame::header(Kind::Ping, 5, 0)[..], &[]].concat();
        let cut = [&frame::header(Kind::Start, 6, 1000)[..], &[1; 500]].concat();
        for length in [1, 4, 12, 13, 14, cut.len()] {
            let channel = peer(&address(worker)).await;
            write(&channel, &[&whole, &cut[..length]].concat()).expect("it is open");
            channel.socket().shutdown_write().expect("it is open");
            let said = closed(channel, PROMPT).await;
            let kinds: Vec<_> = said.iter().map(|frame| (frame.kind, frame.id)).collect();
            assert_eq!(kinds, [(Kind::Pong, 5)], "cut off after {length} bytes");
        }
        let counted = || async { worker.run(strangeness()).await };
        assert_eq!(counted().await?, (6, 0), "each of them is counted");
        // An end between frames is none of these.
        let orderly = answers_a_ping(peer(&address(worker)).await).await;
        orderly.socket().shutdown_write().expect("it is open");
        assert!(closed(orderly, PROMPT).await.is_empty());
        assert_eq!(counted().await?, (6, 0));
        Ok(())
    })
    .await
}

/// Fault 21. A frame claims to be longer than any may be, before and after the handshake. The
/// link is closed at once, and no memory is taken for it; nor is any taken for a claim that is
/// allowed and not kept.
#[tractor::test]
async fn oversized_claim_is_refused_before_it_costs_anything() -> tractor::Result<()> {
    beside_peers(async |worker| {
        let before = resident_kib(worker.pid());
        for claim in [HANDSHAKE_FRAME_BYTES_MAX as u32 + 1, 1 << 31, u32::MAX] {
            let channel = raw(&address(worker));
            write(&channel, &lying_header(Kind::Hello, claim)).expect("it is open");
            assert!(closed(channel, PROMPT).await.is_empty());
        }
        for claim in [FRAME_BYTES_MAX as u32 + 1, 1 << 31, u32::MAX] {
            let channel = peer(&address(worker)).await;
            write(&channel, &lying_header(Kind::Start, claim)).expect("it is open");
            assert!(closed(channel, PROMPT).await.is_empty());
        }
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let channel = peer(&address(worker)).await;
            let claim = FRAME_BYTES_MAX as u32;
            write(&channel, &lying_header(Kind::Start, claim)).expect("it is open");
            waiting.push(channel);
        }
        // A peer that came after them was served after them.
        answers_a_ping(peer(&address(worker)).await).await;
        let grown = resident_kib(worker.pid()).saturating_sub(before);
        assert!(grown < 16 * 1024, "it has taken {grown} KiB for lies");
        Ok(())
    })
    .await
}

/// A header whose length is what it is, whatever is allowed.
fn lying_header(kind: Kind, length: u32) -> Vec<u8> {
    let mut header = frame::header(kind, 1, 0).to_vec();
    header[..4].copy_from_slice(&length.to_le_bytes());
    header
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("the kernel tells")
}

/// Fault 22. Many connect and send garbage. All are shown the door, the listener lives, and the
/// log does not grow with them.
#[tractor::test]
async fn garbage_is_closed_and_not_logged_without_end() -> tractor::Result<()> {
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    let lines = std::thread::spawn(move || {
        BufReader::new(reader)
            .lines()
            .map_while(Result::ok)
            .collect::<Vec<String>>()
    });
    open_nursery(async |nursery| {
        let start = nursery
            .start_actor("worker")
            .stderr(StdioSpec::Fd(writer.into()));
        let worker = start.await?;
        let strangers = (0..40_u8).map(async |number| {
            let channel = raw(&address(&worker));
            let garbage: Vec<u8> = (0..200).map(|n| number.wrapping_mul(31) ^ n).collect();
            write(&channel, &garbage).expect("it is open");
            // Some look like a header that is followed by more; then the end of it ends it.
            let _ = channel.socket().shutdown_write();
            closed(channel, PROMPT).await
        });
        for said in join_all(strangers).await {
            assert!(said.is_empty(), "{said:?}");
        }
        answers_a_ping(peer(&address(&worker)).await).await;
        worker.cancel_actor().await
    })
    .await?;
    let lines = lines.join().expect("it only reads");
    let refusals = lines.iter().filter(|line| line.contains("refused")).count();
    assert!((1..=5).contains(&refusals), "{refusals} lines: {lines:#?}");
    assert_alone();
    Ok(())
}

/// Fault 24. Somebody does not know the tree's secret. It is told nothing that would help to
/// guess it: not even the actor's own proof.
#[tractor::test]
async fn wrong_secret_learns_nothing() -> tractor::Result<()> {
    beside_peers(async |worker| {
        for _ in 0..3 {
            let mut handshake = Handshake::initiator(Local {
                secret: TreeSecret::fresh(),
                ..local("liar")
            });
            let mut channel = raw(&address(worker));
            let (kind, hello) = handshake.opening().expect("the initiator speaks first");
            channel.send(kind, 0, &hello).expect("it is open");
            let (mut channel, answer) = next(channel).await;
            let step = handshake
                .handle(answer.kind, &answer.payload)
                .expect("it is of the tree");
            let Step::Send(kind, proof) = step else {
                panic!("{step:?}")
            };
            channel.send(kind, 0, &proof).expect("it is open");
            assert!(
                closed(channel, PROMPT).await.is_empty(),
                "it has said something"
            );
        }
        Ok(())
    })
    .await
}

/// Fault 24. An actor connects to somebody who does not know the secret. It is not taken in.
#[tractor::test]
async fn impostor_with_a_wrong_secret_is_not_believed() -> tractor::Result<()> {
    let fake = Fake::new("impostor");
    let contact = fake.contact();
    let imposing = async {
        let (fake, channel) = fake.accept().await;
        let liar = Local {
            secret: TreeSecret::fresh(),
            ..fake.local()
        };
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
#[tractor::test]
async fn replayed_and_reflected_handshakes_are_refused() -> tractor::Result<()> {
    beside_peers(async |worker| {
        // What an honest peer said, word for word.
        let honest = local("honest");
        let mut handshake = Handshake::initiator(honest);
        let mut channel = raw(&address(worker));
        let (_, hello) = handshake.opening().expect("the initiator speaks first");
        channel.send(Kind::Hello, 0, &hello).expect("it is open");
        let (mut channel, challenge) = next(channel).await;
        let step = handshake
            .handle(challenge.kind, &challenge.payload)
            .expect("it is of the tree");
        let Step::Send(_, proof) = step else {
            panic!("{step:?}")
        };
        channel.send(Kind::Proof, 0, &proof).expect("it is open");
        let (_honest, welcome) = next(channel).await;
        assert_eq!(welcome.kind, Kind::Welcome);

        let mut replayed = raw(&address(worker));
        replayed.send(Kind::Hello, 0, &hello).expect("it is open");
        let (mut replayed, fresh) = next(replayed).await;
        assert_ne!(
            fresh.payload, challenge.payload,
            "each challenge is another one"
        );
        replayed.send(Kind::Proof, 0, &proof).expect("it is open");
        assert!(closed(replayed, PROMPT).await.is_empty());

        // Its own challenge and its own kind of proof, sent back.
        let mut reflected = raw(&address(worker));
        reflected.send(Kind::Hello, 0, &hello).expect("it is open");
        let (mut reflected, theirs) = next(reflected).await;
        reflected
            .send(Kind::Hello, 0, &theirs.payload)
            .expect("it is open");
        assert!(closed(reflected, PROMPT).await.is_empty());
        Ok(())
    })
    .await?;

    // An actor that connects, and hears itself.
    let fake = Fake::new("mirror");
    let contact = fake.contact();
    let mirror = async {
        let (_fake, channel) = fake.accept().await;
        let (mut channel, hello) = next(channel).await;
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

/// Fault 26. Somebody speaks another version of the protocol. Whoever accepted says so with its
/// own, so that both can name both.
#[tractor::test]
async fn other_protocol_version_is_named_to_both() -> tractor::Result<()> {
    beside_peers(async |worker| {
        let mut channel = raw(&address(worker));
        let mut hello = Handshake::initiator(local("old"))
            .opening()
            .expect("it speaks first")
            .1;
        hello[..4].copy_from_slice(&7_u32.to_le_bytes());
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
        let mut answer = hello.payload;
        answer[..4].copy_from_slice(&99_u32.to_le_bytes());
        channel.send(Kind::Hello, 0, &answer).expect("it is open");
        closed(channel, PROMPT).await
    };
    let (connected, _) = futures::join!(Portal::connect(contact), newer);
    let text = connected
        .expect_err("it speaks another version")
        .to_string();
    assert!(
        text.contains(&format!("version {PROTOCOL_VERSION}")),
        "{text}"
    );
    assert!(text.contains("version 99"), "{text}");
    assert_alone();
    Ok(())
}

/// Fault 27. Somebody runs another build of the program, or belongs to another tree. It is
/// refused, and both sides can name both builds.
#[tractor::test]
async fn other_build_and_other_tree_are_refused_by_name() -> tractor::Result<()> {
    beside_peers(async |worker| {
        let ours = local("same").build;
        let other = Local {
            build: BuildId(0xbad),
            ..local("other build")
        };
        let ChannelError::Closed(CloseReason::Handshake(error)) = as_peer(&address(worker), other)
            .await
            .expect_err("it is another build")
        else {
            panic!("no reason was given")
        };
        let HandshakeError::OtherBuild {
            ours: mine, theirs, ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((*mine, *theirs), (BuildId(0xbad), ours));
        let other = Local {
            tree: TreeId(0xbad),
            ..local("other tree")
        };
        let ChannelError::Closed(CloseReason::Handshake(error)) = as_peer(&address(worker), other)
            .await
            .expect_err("it is another tree")
        else {
            panic!("no reason was given")
        };
        assert!(matches!(error, HandshakeError::OtherTree { .. }), "{error}");
        Ok(())
    })
    .await?;

    let fake = Fake::new("rebuilt");
    let contact = fake.contact();
    let rebuilt = async {
        let (fake, channel) = fake.accept().await;
        let other = Local {
            build: BuildId(0xbad),
            ..fake.local()
        };
        blocking(move || channel.handshake(Handshake::acceptor(other)).map(drop)).await
    };
    let (connected, refused) = futures::join!(Portal::connect(contact), rebuilt);
    let text = connected.expect_err("it is another build").to_string();
    assert!(text.contains("0000000000000bad"), "{text}");
    assert!(text.contains(&local("us").build.to_string()), "{text}");
    assert!(refused.is_err());
    assert_alone();
    Ok(())
}

/// Faults 24 to 27, from the side of the one who looked somebody up: another answers at its
/// address. It is not called in its place.
#[tractor::test]
async fn another_actor_at_the_address_is_not_called() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut contact = worker.contact().clone();
        contact.aid = ActorId::fresh("worker");
        let error = Portal::connect(contact)
            .await
            .expect_err("it is another incarnation");
        assert!(error.to_string().contains("in its place"), "{error}");
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
