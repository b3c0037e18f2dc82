//! Faults 23, 28 to 30: peers that belong here and say the wrong thing.

use serde::{Deserialize, Serialize};
use tractor::{Ending, Refusal, open_nursery};
use tractor_ipc::{Channel, Kind, OwnedFrame};

use crate::calls::{echo, idle, pid, strange_here, strangeness};
use crate::raw::{Fake, START_HEADER_BYTES, address, answers_a_ping, closed, next, peer, start_of};
use crate::tree::{PROMPT, assert_alone, eventually};

/// Sends a start and gives what it failed with.
async fn refused(mut channel: Channel, id: u64, payload: &[u8]) -> (Channel, tractor::Error) {
    channel.send(Kind::Start, id, payload).expect("it is open");
    let (channel, frame) = next(channel).await;
    assert_eq!((frame.kind, frame.id), (Kind::Fail, id));
    let error = tractor::Error::decode(&frame.payload).expect("it is an error");
    (channel, error)
}

/// A list of lists of lists.
#[derive(Debug, Serialize, Deserialize)]
struct Nest(Vec<Self>);

#[tractor::rpc]
async fn count_nests(nest: Nest) -> usize {
    1 + nest.0.len()
}

/// Fault 23. A whole frame holds arguments that cannot be decoded: too few, too many, a length
/// that would take all memory, nesting that would take all stack. That call fails and says so;
/// the link lives.
#[tractor::test]
async fn undecodable_arguments_fail_their_call_only() -> tractor::Result<()> {
    let start = start_of(echo(vec![1, 2, 3])).await;
    let nest = start_of(count_nests(Nest(vec![]))).await;
    let header = &start[..START_HEADER_BYTES];
    let mut huge = vec![253];
    huge.extend_from_slice(&(1_u64 << 60).to_le_bytes());
    let cases = [
        ("nothing", header.to_vec()),
        ("too little", start[..start.len() - 1].to_vec()),
        ("too much", [&start[..], &[9]].concat()),
        ("a claim of an exabyte", [header, &huge].concat()),
        (
            "a million levels",
            [&nest[..START_HEADER_BYTES], &[1; 1_000_000], &[0]].concat(),
        ),
    ];
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = peer(&address(&worker)).await;
        for (id, (what, payload)) in cases.into_iter().enumerate() {
            let (same, error) = refused(channel, id as u64 + 1, &payload).await;
            channel = same;
            let Ending::Refused(Refusal::BadArguments(_)) = error.ending() else {
                panic!("{what}: {error}")
            };
            let text = error.to_string();
            assert!(
                text.contains("'worker'") && text.contains("faults::"),
                "{what}: {text}"
            );
        }
        answers_a_ping(channel).await;
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 28. A peer starts a function that does not exist, or knows it by another signature. That
/// call fails and says so; a start without a header is no start, and ends the link.
#[tractor::test]
async fn unknown_function_fails_its_call_only() -> tractor::Result<()> {
    let start = start_of(pid()).await;
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let channel = peer(&address(&worker)).await;
        let mut unknown = start.clone();
        unknown[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let (channel, error) = refused(channel, 1, &unknown).await;
        assert!(
            matches!(error.ending(), Ending::Refused(Refusal::UnknownExport)),
            "{error}"
        );
        let mut other = start.clone();
        other[4] ^= 1;
        let (channel, error) = refused(channel, 2, &other).await;
        let Ending::Refused(Refusal::OtherSignature { .. }) = error.ending() else {
            panic!("{error}")
        };
        assert!(error.to_string().contains("faults::calls::pid"), "{error}");
        let mut channel = answers_a_ping(channel).await;
        channel
            .send(Kind::Start, 3, &start[..10])
            .expect("it is open");
        assert!(closed(channel, PROMPT).await.is_empty());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 28, from the caller's side: who refuses knows the function by a number only. The error
/// names the function that was called, its module, its signature and the actor.
#[tractor::test]
async fn refused_call_names_the_function_that_was_called() -> tractor::Result<()> {
    let fake = Fake::new("other");
    let aid = fake.contact().aid;
    let (portal, mut channel) = fake.connected().await;
    let refusals = [
        (Refusal::UnknownExport, "no such function"),
        (
            Refusal::OtherSignature {
                ours: "number 3".to_owned(),
                theirs: "fn other()".to_owned(),
            },
            "the caller's is `async fn echo",
        ),
    ];
    for (refusal, why) in refusals {
        let error = tractor::Error::new(aid.clone(), Ending::Refused(refusal));
        let refusing = async {
            let (mut channel, start) = next(channel).await;
            channel
                .send(Kind::Fail, start.id, &error.encode())
                .expect("it is open");
            channel
        };
        let (answer, same) = futures::join!(portal.run(echo(vec![1])), refusing);
        let text = answer.expect_err("it is refused").to_string();
        for part in ["actor 'other'", "faults::calls::echo", why] {
            assert!(text.contains(part), "{text}");
        }
        channel = same;
    }
    answers_a_ping(channel).await;
    assert_alone();
    Ok(())
}

/// A peer sends what only a parent or a child may, or what only a handshake may. Its link ends,
/// and nothing else.
#[tractor::test]
async fn frames_out_of_place_end_their_link_only() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let kinds = [
            Kind::Hello,
            Kind::Proof,
            Kind::Welcome,
            Kind::Spec,
            Kind::Ready,
            Kind::Stopped,
        ];
        for kind in kinds {
            let mut channel = peer(&address(&worker)).await;
            channel.send(kind, 1, &[0; 64]).expect("it is open");
            assert!(closed(channel, PROMPT).await.is_empty(), "{kind:?}");
        }
        for kind in [Kind::Request, Kind::Report, Kind::Stop] {
            let mut channel = peer(&address(&worker)).await;
            channel.send(kind, 1, &[]).expect("it is open");
            assert!(closed(channel, PROMPT).await.is_empty(), "{kind:?}");
        }
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 29. A peer starts two calls under one number. The second is not obeyed, so that its
/// answer cannot complete the first; answers to calls that nobody made are dropped.
#[tractor::test]
async fn number_in_use_is_not_obeyed_and_unknown_ones_are_dropped() -> tractor::Result<()> {
    let (waits, answers) = (start_of(idle()).await, start_of(echo(vec![5])).await);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = peer(&address(&worker)).await;
        channel.send(Kind::Start, 7, &waits).expect("it is open");
        channel.send(Kind::Start, 7, &answers).expect("it is open");
        for kind in [
            Kind::Return,
            Kind::Fail,
            Kind::Reply,
            Kind::Pong,
            Kind::Cancel,
        ] {
            channel.send(kind, 99, &[1, 2, 3]).expect("it is open");
        }
        // A ping behind them is answered first of all: there is no answer under that number.
        let mut channel = answers_a_ping(channel).await;
        // The second start, and four answers: that a cancel meets nothing is normal.
        assert_eq!(worker.run(strangeness()).await?, (0, 5));
        channel.send(Kind::Cancel, 7, &[]).expect("it is open");
        let (mut channel, frame) = next(channel).await;
        assert_eq!((frame.kind, frame.id), (Kind::Fail, 7));
        let error = tractor::Error::decode(&frame.payload).expect("it is an error");
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(
            error.call(),
            Some("faults::calls::idle"),
            "the first call, not the second"
        );
        // Its number is free again.
        channel.send(Kind::Start, 7, &answers).expect("it is open");
        let (_channel, frame) = next(channel).await;
        assert_eq!((frame.kind, frame.id), (Kind::Return, 7));
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 29. A callee answers calls that it was not asked, and one call twice. The caller's calls
/// get their own answers, each one.
#[tractor::test]
async fn unasked_answers_complete_no_call() -> tractor::Result<()> {
    let (portal, channel) = Fake::new("chatterbox").connected().await;
    let before = strange_here();
    let (first, second) = (portal.run(echo(vec![1])), portal.run(echo(vec![2])));
    let answering = async {
        let (channel, one) = next(channel).await;
        let (mut channel, two) = next(channel).await;
        let mut say = |kind, id, payload: &[u8]| {
            channel.send(kind, id, payload).expect("it is open");
        };
        say(Kind::Return, one.id + 1000, &echoed(&one));
        say(Kind::Pong, one.id, &[]);
        say(Kind::Return, two.id, &echoed(&two));
        say(Kind::Return, two.id, &echoed(&one));
        say(Kind::Fail, two.id, &[0xff; 30]);
        say(Kind::Return, one.id, &echoed(&one));
        channel
    };
    let (one, two, channel) = futures::join!(first, second, answering);
    assert_eq!((one?, two?), (vec![1], vec![2]));
    answers_a_ping(channel).await;
    // The number that nothing has; the second answers may be late ones, for all that is known.
    assert_eq!(strange_here(), (before.0, before.1 + 1));
    assert_alone();
    Ok(())
}

/// The answer to a start of `echo`: its arguments, which are one list, are the result.
fn echoed(start: &OwnedFrame) -> Vec<u8> {
    start.payload[START_HEADER_BYTES..].to_vec()
}

/// Fault 30. A caller gives its call up, and the answer comes later. It is dropped: nothing of
/// the call is left, and the next one gets its own.
#[tractor::test]
async fn answer_after_the_cancel_is_dropped() -> tractor::Result<()> {
    let (portal, mut channel) = Fake::new("late").connected().await;
    for n in 0..3_u8 {
        let mut given_up = Box::pin(portal.run(echo(vec![n])));
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        drop(given_up);
        let (same, start) = next(channel).await;
        let (mut same, cancel) = next(same).await;
        assert_eq!((start.kind, cancel.kind), (Kind::Start, Kind::Cancel));
        assert_eq!(start.id, cancel.id);
        same.send(Kind::Return, start.id, &echoed(&start))
            .expect("it is open");
        let answered = async {
            let (mut channel, start) = next(same).await;
            channel
                .send(Kind::Return, start.id, &echoed(&start))
                .expect("it is open");
            channel
        };
        let (answer, same) = futures::join!(portal.run(echo(vec![n, n])), answered);
        assert_eq!(answer?, [n, n]);
        channel = same;
    }
    let links = tractor::current_actor()?.statistics().links;
    assert!(links.iter().all(|link| link.calls == 0), "{links:?}");
    assert_eq!(strange_here(), (0, 0), "a late answer is normal");
    assert_alone();
    Ok(())
}

/// Fault 29. An answer cannot be decoded, as a result or as an error. Its call fails and says so,
/// and names who answered; the link lives.
#[tractor::test]
async fn undecodable_answer_fails_its_call_only() -> tractor::Result<()> {
    let (portal, mut channel) = Fake::new("garbled").connected().await;
    for kind in [Kind::Return, Kind::Fail] {
        let garbling = async {
            let (mut channel, start) = next(channel).await;
            channel
                .send(kind, start.id, &[0xff; 5])
                .expect("it is open");
            channel
        };
        let (answer, same) = futures::join!(portal.run(pid()), garbling);
        let error = answer.expect_err("it is no answer");
        let Ending::Refused(Refusal::BadResult(_)) = error.ending() else {
            panic!("{error}")
        };
        assert_eq!(error.origin().name(), "garbled", "{error}");
        assert!(error.to_string().contains("faults::calls::pid"), "{error}");
        channel = answers_a_ping(same).await;
    }
    drop(channel);
    eventually("the link is closed", async || {
        portal.probe(PROMPT).await == tractor::Liveness::Gone
    })
    .await;
    assert_alone();
    Ok(())
}

/// The system takes a few bytes of a frame at a time. Answers of every size arrive whole.
#[tractor::test]
async fn short_writes_lose_nothing() -> tractor::Result<()> {
    let sizes = [0, 1, 15, 16, 1000, 20_000, 70_000];
    open_nursery(async |nursery| {
        let plan = "link.write@*=short:7";
        let worker = nursery.start_actor("worker").env("TRACTOR_FAULTS", plan);
        let worker = worker.await?;
        let calls = sizes.map(|size: usize| {
            let bytes: Vec<_> = (0..size).map(|n| n as u8).collect();
            let answer = worker.run(echo(bytes.clone()));
            async move { Ok::<_, tractor::Error>(answer.await? == bytes) }
        });
        let arrived = futures::future::try_join_all(calls).await?;
        assert_eq!(arrived, [true; 7]);
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
