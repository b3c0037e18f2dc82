//! Faults 23, 28 to 30: peers that belong here and say the wrong thing.

use serde::{Deserialize, Serialize};
use tractor::{Ending, Refusal, open_nursery};
use tractor_ipc::limits::BULK_BYTES_MIN;
use tractor_ipc::{ActorId, Channel, Kind, OwnedFrame, codec};

use super::raw::{
    Fake, START_HEADER_BYTES, address, answers_a_ping, closed, flip_a_bit, frame_of, garbage, next,
    peer, start_of, write_in_pieces,
};
use crate::calls::{echo, fail, idle, pid, strange_here, strangeness, tasks_running};
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone, eventually};

/// Sends a start to an actor `worker` and gives what it failed with.
async fn refused(mut channel: Channel, id: u64, payload: &[u8]) -> (Channel, tractor::Error) {
    channel.send(Kind::Start, id, payload).expect("it is open");
    let (channel, frame) = next(channel).await;
    assert_eq!((frame.kind, frame.id), (Kind::Fail, id));
    let error = tractor::Error::decode(&frame.payload).expect("it is an error");
    assert_eq!(error.origin().name(), "worker", "{error}");
    assert!(error.origin_pid().is_some(), "{error}");
    (channel, error)
}

/// That a call by the same link is answered.
async fn answers_a_call(mut channel: Channel, start: &[u8]) -> Channel {
    let id = 0x00c0_ffee;
    channel.send(Kind::Start, id, start).expect("it is open");
    let (channel, frame) = next(channel).await;
    assert_eq!((frame.kind, frame.id), (Kind::Return, id));
    channel
}

/// A list of lists of lists.
#[derive(Debug, Serialize, Deserialize)]
struct Nest(Vec<Self>);

#[tractor::rpc]
async fn count_nests(nest: Nest) -> usize {
    1 + nest.0.len()
}

/// Fault 23. A whole frame holds arguments that cannot be decoded: too few, too many, no text, a
/// length that would take all memory, nesting that would take all stack. That call fails and says
/// so; the link lives.
pub(crate) async fn f23_undecodable_arguments_fail_their_call_only(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let start = start_of(echo(garbage(&mut chance, 200))).await;
    let nest = start_of(count_nests(Nest(vec![]))).await;
    let text = start_of(fail(String::new(), 0)).await;
    let (header, args) = start.split_at(START_HEADER_BYTES);
    let cut = START_HEADER_BYTES + chance.below(args.len() as u64) as usize;
    let more = garbage(&mut chance, 20);
    let mut huge = vec![253];
    huge.extend_from_slice(&(1_u64 << (33 + chance.below(31))).to_le_bytes());
    let levels = vec![1_u8; 100 + chance.below(1_000_000) as usize];
    let mut cases = [
        ("nothing", header.to_vec()),
        ("too little", start[..cut].to_vec()),
        ("too much", [&start[..], &more].concat()),
        (
            "no text",
            [&text[..START_HEADER_BYTES], &[3, 0xff, 0xfe, 0xfd, 0]].concat(),
        ),
        ("a claim without end", [header, &huge, &more].concat()),
        (
            "nesting without end",
            [&nest[..START_HEADER_BYTES], &levels, &[0]].concat(),
        ),
    ];
    chance.shuffle(&mut cases);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = peer(&address(&worker)).await;
        for (id, (what, payload)) in cases.into_iter().enumerate() {
            let (same, error) = refused(channel, id as u64 + 1, &payload).await;
            channel = same;
            let is_deep = match error.ending() {
                Ending::Refused(Refusal::BadArguments(_)) => false,
                Ending::Refused(Refusal::ArgumentsTooDeep) => true,
                _ => panic!("{what}: {error}"),
            };
            assert_eq!(is_deep, what == "nesting without end", "{what}: {error}");
            let text = error.to_string();
            let function = match what {
                "no text" => "scenarios::calls::fail",
                "nesting without end" => "scenarios::faults::wire::count_nests",
                _ => "scenarios::calls::echo",
            };
            assert!(
                text.contains("'worker'") && text.contains(function),
                "{what}: {text}"
            );
        }
        answers_a_call(channel, &start).await;
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 28. A peer starts a function that does not exist, or knows it by another signature. That
/// call fails and says so; a start without a header is no start, and ends the link.
pub(crate) async fn f28_unknown_function_fails_its_call_only(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let start = start_of(pid()).await;
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut channel = peer(&address(&worker)).await;
        let number = u32::MAX - chance.below(1000) as u32;
        let mut unknown = start.clone();
        unknown[..4].copy_from_slice(&number.to_le_bytes());
        let mut other = start.clone();
        flip_a_bit(&mut other[4..12], &mut chance);
        let mut cases = [(unknown, true), (other, false)];
        chance.shuffle(&mut cases);
        for (id, (payload, is_unknown)) in cases.into_iter().enumerate() {
            let (same, error) = refused(channel, id as u64 + 1, &payload).await;
            channel = same;
            let text = error.to_string();
            let is_so = match error.ending() {
                Ending::Refused(Refusal::UnknownExport) => is_unknown,
                Ending::Refused(Refusal::OtherSignature { .. }) => {
                    let is_named =
                        text.contains("scenarios::calls::pid") && text.contains("fn pid");
                    !is_unknown && is_named
                }
                _ => false,
            };
            assert!(is_so, "{text}");
        }
        let mut channel = answers_a_call(channel, &start).await;
        let cut = chance.below(START_HEADER_BYTES as u64) as usize;
        channel
            .send(Kind::Start, 3, &start[..cut])
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
pub(crate) async fn f28_refused_call_names_the_function_that_was_called(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let fake = Fake::new("other");
    let aid = fake.contact().aid;
    let (portal, mut channel) = fake.connected().await;
    let mut refusals = [
        (Refusal::UnknownExport, "no such function"),
        (
            Refusal::OtherSignature {
                ours: "number 3".to_owned(),
                theirs: "fn other()".to_owned(),
            },
            "the caller's is `async fn echo",
        ),
    ];
    chance.shuffle(&mut refusals);
    for (refusal, why) in refusals {
        let error = tractor::Error::new(aid.clone(), Ending::Refused(refusal));
        let refusing = async {
            let (channel, start) = next(channel).await;
            let refused = frame_of(Kind::Fail, start.id, &error.encode());
            write_in_pieces(&channel, &refused, &mut chance).await;
            channel
        };
        let (answer, same) = futures::join!(portal.run(echo(vec![1])), refusing);
        let text = answer.expect_err("it is refused").to_string();
        for part in ["actor 'other'", "scenarios::calls::echo", why] {
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
pub(crate) async fn f20_frames_out_of_place_end_their_link_only(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let anything = [
            Kind::Hello,
            Kind::Proof,
            Kind::Welcome,
            Kind::Spec,
            Kind::Ready,
            Kind::Stopped,
        ]
        .map(|kind| (kind, garbage(&mut chance, 200)));
        let empty = [Kind::Spec, Kind::Ready, Kind::Stopped, Kind::Hello];
        // A peer may send these, but not without content.
        let needy = [Kind::Request, Kind::Report, Kind::Stop];
        let nothing = empty.into_iter().chain(needy).map(|kind| (kind, vec![]));
        // Nor with one that means nothing.
        let senseless = (Kind::Stop, vec![0xff]);
        let mut frames: Vec<_> = anything.into_iter().chain(nothing).collect();
        frames.push(senseless);
        chance.shuffle(&mut frames);
        for (kind, payload) in frames {
            let channel = peer(&address(&worker)).await;
            let frame = frame_of(kind, 1 + chance.below(1000), &payload);
            write_in_pieces(&channel, &frame, &mut chance).await;
            assert!(closed(channel, PROMPT).await.is_empty(), "{kind:?}");
            assert_eq!(worker.run(pid()).await?, worker.pid());
        }
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 29. A peer starts two calls under one number. The second is not obeyed, so that its
/// answer cannot complete the first; answers to calls that nobody made are dropped, and a cancel
/// of a call that is over is nothing.
pub(crate) async fn f29_number_in_use_is_not_obeyed_and_unknown_ones_are_dropped(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (waits, answers) = (start_of(idle()).await, start_of(echo(vec![5])).await);
    let used = 1 + chance.below(1000);
    let unknown = used + 1 + chance.below(1000);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let channel = peer(&address(&worker)).await;
        let mut behind = [
            Kind::Return,
            Kind::Fail,
            Kind::Reply,
            Kind::Pong,
            Kind::Cancel,
        ]
        .map(|kind| frame_of(kind, unknown, &garbage(&mut chance, 20)))
        .to_vec();
        let second = *chance.pick(&[&answers, &waits]);
        behind.push(frame_of(Kind::Start, used, second));
        chance.shuffle(&mut behind);
        let frames = [frame_of(Kind::Start, used, &waits), behind.concat()].concat();
        write_in_pieces(&channel, &frames, &mut chance).await;
        // A ping behind them is answered first of all: there is no answer under that number.
        let mut channel = answers_a_ping(channel).await;
        // The second start, and four answers: that a cancel meets nothing is normal.
        assert_eq!(worker.run(strangeness()).await?, (0, 5));
        eventually("the first call alone is there", async || {
            let running = worker.run(tasks_running()).await;
            running.is_ok_and(|running| running == 1)
        })
        .await;
        chance.pause(3).await;
        channel.send(Kind::Cancel, used, &[]).expect("it is open");
        let (mut channel, frame) = next(channel).await;
        assert_eq!((frame.kind, frame.id), (Kind::Fail, used));
        let error = tractor::Error::decode(&frame.payload).expect("it is an error");
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(
            error.call(),
            Some("scenarios::calls::idle"),
            "the first call, not the second"
        );
        // Its number is free again, and nothing has it.
        channel.send(Kind::Cancel, used, &[]).expect("it is open");
        channel
            .send(Kind::Start, used, &answers)
            .expect("it is open");
        let (_channel, frame) = next(channel).await;
        assert_eq!((frame.kind, frame.id), (Kind::Return, used));
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 29. A callee answers calls that it was not asked, and one call twice. The caller's calls
/// get their own answers, each one.
pub(crate) async fn f29_unasked_answers_complete_no_call(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (portal, channel) = Fake::new("chatterbox").connected().await;
    let before = strange_here();
    let sizes = [1 + chance.below(100), 1 + chance.below(100)].map(|size| size as usize);
    let (first, second) = (vec![1; sizes[0]], vec![2; sizes[1]]);
    let calls = (
        portal.run(echo(first.clone())),
        portal.run(echo(second.clone())),
    );
    let answering = async {
        let (channel, one) = next(channel).await;
        let (channel, two) = next(channel).await;
        let unknown = one.id + 1000 + chance.below(1000);
        // Of the answers to a call the first one counts.
        let answers = [(&one, &two), (&two, &one)].map(|(call, other)| {
            vec![
                frame_of(Kind::Return, call.id, &echoed(call)),
                frame_of(Kind::Return, call.id, &echoed(other)),
                frame_of(Kind::Fail, call.id, &garbage(&mut chance, 30)),
            ]
        });
        let unasked = vec![
            frame_of(Kind::Return, unknown, &echoed(&one)),
            frame_of(Kind::Pong, one.id, &[]),
        ];
        let [to_one, to_two] = answers;
        let frames = interleaved(vec![to_one, to_two, unasked], &mut chance);
        write_in_pieces(&channel, &frames.concat(), &mut chance).await;
        channel
    };
    let (one, two, channel) = futures::join!(calls.0, calls.1, answering);
    assert_eq!((one?, two?), (first, second));
    answers_a_ping(channel).await;
    // The number that nothing has; the second answers may be late ones, for all that is known.
    assert_eq!(strange_here(), (before.0, before.1 + 1));
    assert_alone();
    Ok(())
}

/// All of these, those of each row in their order.
fn interleaved<T>(rows: Vec<Vec<T>>, chance: &mut Chance) -> Vec<T> {
    let lengths = rows.iter().map(Vec::len).enumerate();
    let mut turns: Vec<_> = lengths
        .flat_map(|(row, length)| vec![row; length])
        .collect();
    chance.shuffle(&mut turns);
    let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    turns
        .into_iter()
        .filter_map(|row| rows[row].next())
        .collect()
}

/// The answer to a start of `echo`: its arguments, which are one list, are the result.
fn echoed(start: &OwnedFrame) -> Vec<u8> {
    start.payload[START_HEADER_BYTES..].to_vec()
}

/// Fault 30. A caller gives its call up, and the answer comes later. It is dropped: nothing of
/// the call is left, and the next one gets its own.
pub(crate) async fn f30_answer_after_the_cancel_is_dropped(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (portal, mut channel) = Fake::new("late").connected().await;
    let before = strange_here();
    for n in 0..3 + chance.below(3) as u8 {
        let mut given_up = Box::pin(portal.run(echo(vec![n])));
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        chance.pause(3).await;
        drop(given_up);
        let (same, start) = next(channel).await;
        let (same, cancel) = next(same).await;
        assert_eq!((start.kind, cancel.kind), (Kind::Start, Kind::Cancel));
        assert_eq!(start.id, cancel.id);
        // Before the next call, or while that waits for its own.
        let late = [frame_of(Kind::Return, start.id, &echoed(&start))];
        let (before, behind) = late.split_at(chance.below(2) as usize);
        write_in_pieces(&same, &before.concat(), &mut chance).await;
        let answered = async {
            let (channel, start) = next(same).await;
            let own = frame_of(Kind::Return, start.id, &echoed(&start));
            let frames = [behind.concat(), own].concat();
            write_in_pieces(&channel, &frames, &mut chance).await;
            channel
        };
        let (answer, same) = futures::join!(portal.run(echo(vec![n, n])), answered);
        assert_eq!(answer?, [n, n]);
        channel = same;
    }
    let links = tractor::current_actor()?.statistics().links;
    assert!(links.iter().all(|link| link.calls == 0), "{links:?}");
    assert_eq!(strange_here(), before, "a late answer is normal");
    assert_alone();
    Ok(())
}

/// Fault 29. An answer cannot be decoded, as a result or as an error. Its call fails and says so,
/// and names who answered; the link lives.
pub(crate) async fn f29_undecodable_answer_fails_its_call_only(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (portal, mut channel) = Fake::new("garbled").connected().await;
    // No number begins like this, and both kinds of answers begin with one.
    let mut garbled = || [&[0xff_u8][..], &garbage(&mut chance, 30)].concat();
    let mut answers = [
        (Kind::Return, garbled()),
        (Kind::Fail, garbled()),
        (Kind::Fail, failures_in_failures()),
    ];
    chance.shuffle(&mut answers);
    for (kind, garbled) in answers {
        let garbling = async {
            let (channel, start) = next(channel).await;
            let answer = frame_of(kind, start.id, &garbled);
            write_in_pieces(&channel, &answer, &mut chance).await;
            channel
        };
        let (answer, same) = futures::join!(portal.run(pid()), garbling);
        let error = answer.expect_err("it is no answer");
        let Ending::Refused(Refusal::BadResult(_)) = error.ending() else {
            panic!("{error}")
        };
        assert_eq!(error.origin().name(), "garbled", "{error}");
        assert!(
            error.to_string().contains("scenarios::calls::pid"),
            "{error}"
        );
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

/// An error that is said to have come from an error, and so on, far deeper than what is decoded.
fn failures_in_failures() -> Vec<u8> {
    let inner = tractor::Error::new(ActorId::fresh("inner"), Ending::StatusLost);
    let outer = Ending::Several(vec![inner.clone(), inner.clone()]);
    let outer = tractor::Error::new(ActorId::fresh("outer"), outer);
    let [inner, outer] = [inner, outer].map(|error| codec::encode(&error).expect("it is short"));
    let mut windows = outer.windows(inner.len());
    let at = windows
        .position(|part| part == inner)
        .expect("it is inside");
    let behind = &outer[at + inner.len()..];
    [outer[..at].repeat(1000), inner, behind.repeat(1000)].concat()
}

/// The system takes a few bytes of a frame at a time. Answers of every size arrive whole.
pub(crate) async fn f20_short_writes_lose_nothing(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut sizes = [
        0,
        1,
        15,
        16,
        chance.below(2000),
        BULK_BYTES_MIN as u64 - 40 + chance.below(80),
        20_000 + chance.below(50_000),
    ];
    chance.shuffle(&mut sizes);
    let plan = format!("link.write@*=short:{}", 5 + chance.below(20));
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").env("TRACTOR_FAULTS", &plan);
        let worker = worker.await?;
        let calls = sizes.map(|size| {
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
