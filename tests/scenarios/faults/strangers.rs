//! Faults 18, 20 to 22: what connects to an actor's socket and is no peer.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Portal, StdioSpec, open_nursery};
use tractor_ipc::handshake::Handshake;
use tractor_ipc::limits::{FRAME_BYTES_MAX, HANDSHAKE_FRAME_BYTES_MAX, HANDSHAKE_MS_MAX};
use tractor_ipc::{Channel, Kind, frame};

use super::raw::{
    address, answers_a_ping, blocking, closed, frame_of, garbage, local, peer, raw, write,
    write_in_pieces,
};
use crate::calls::{block_thread, echo, strangeness};
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone, ms};

/// Starts an actor, has a stranger do what it does to its socket, and checks that the actor's
/// peers notice nothing.
pub(crate) async fn beside_peers(
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

/// Fault 18. Some connect and fall silent, at once, inside their first word or behind it, and one
/// says a byte now and then. The time for the whole handshake ends them; others shake hands
/// meanwhile.
pub(crate) async fn f18_silent_and_trickling_strangers_run_out_of_time(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
        let (kind, hello) = Handshake::initiator(local("silent"))
            .opening()
            .expect("the initiator speaks first");
        let hello = frame_of(kind, 0, &hello);
        let inside = 1 + chance.below(hello.len() as u64 - 1) as usize;
        let mut lengths = [0, inside, hello.len()];
        chance.shuffle(&mut lengths);
        let begin = Instant::now();
        let silent = lengths.into_iter().map(async |length| {
            let channel = raw(&address(worker));
            write(&channel, &hello[..length]).expect("it is open");
            let said = closed(channel, 2 * limit).await;
            // Whoever has said who it is was asked to prove it.
            let kinds: Vec<_> = said.iter().map(|frame| frame.kind).collect();
            let asked = vec![Kind::Hello; usize::from(length == hello.len())];
            assert_eq!(kinds, asked, "silent after {length} bytes");
            let took = begin.elapsed();
            assert!(took >= limit - ms(500), "{length} bytes: it took {took:?}");
        });
        let (trickling, pace) = (raw(&address(worker)), chance.clone());
        let trickle = blocking(move || trickle(&trickling, 2 * limit, pace));
        let others = async {
            for _ in 0..10 {
                answers_a_ping(peer(&address(worker)).await).await;
                chance.pause(10).await;
            }
            begin.elapsed()
        };
        let (_, sent, others) = futures::join!(join_all(silent), trickle, others);
        assert!(others < limit / 2, "others had to wait: {others:?}");
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
fn trickle(channel: &Channel, bound: Duration, mut pace: Chance) -> usize {
    let hello = frame::header(Kind::Hello, 0, 200);
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < bound {
        let byte = hello.get(sent).copied().unwrap_or_default();
        match write(channel, &[byte]) {
            Ok(_) => sent += 1,
            Err(_) => return sent,
        }
        // The stranger's own pace, at which its hello is not whole in time; nothing is waited for.
        block_thread(50 + pace.below(200));
    }
    panic!("it was listened to for {bound:?}")
}

/// Fault 20. A peer's frame is cut off by the end of its link, anywhere. What came before it
/// counts, the rest is nobody's.
pub(crate) async fn f20_truncated_frame_ends_its_link_only(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        let kind = *chance.pick(&[Kind::Start, Kind::Return, Kind::Cancel, Kind::Ping]);
        // Some are so long that they are read into memory of their own.
        let claimed = 600 + chance.below(40_000) as usize;
        let cut = [
            &frame::header(kind, 99, claimed)[..],
            &garbage(&mut chance, 599),
        ]
        .concat();
        let anywhere = 1 + chance.below(cut.len() as u64) as usize;
        let mut lengths = [1, 4, 12, 13, 14, anywhere, cut.len()];
        chance.shuffle(&mut lengths);
        for length in lengths {
            let channel = peer(&address(worker)).await;
            let pings = 5..6 + chance.below(3);
            let whole = pings.clone().flat_map(|id| frame_of(Kind::Ping, id, &[]));
            let bytes: Vec<_> = whole.chain(cut[..length].iter().copied()).collect();
            write_in_pieces(&channel, &bytes, &mut chance).await;
            channel.socket().shutdown_write().expect("it is open");
            let said = closed(channel, PROMPT).await;
            let kinds: Vec<_> = said.iter().map(|frame| (frame.kind, frame.id)).collect();
            let pongs: Vec<_> = pings.map(|id| (Kind::Pong, id)).collect();
            assert_eq!(kinds, pongs, "cut off after {length} bytes");
        }
        let counted = async || worker.run(strangeness()).await;
        assert_eq!(counted().await?, (7, 0), "each of them is counted");
        // An end between frames is none of these.
        let orderly = answers_a_ping(peer(&address(worker)).await).await;
        orderly.socket().shutdown_write().expect("it is open");
        assert!(closed(orderly, PROMPT).await.is_empty());
        assert_eq!(counted().await?, (7, 0));
        Ok(())
    })
    .await
}

/// Fault 21. A frame claims to be longer than any may be, before and after the handshake. The
/// link is closed at once, and no memory is taken for it; nor is any taken for a claim that is
/// allowed and not kept.
pub(crate) async fn f21_oversized_claim_is_refused_before_it_costs_anything(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    beside_peers(async |worker| {
        let before = resident_kib(worker.pid());
        for claim in lies(HANDSHAKE_FRAME_BYTES_MAX, &mut chance) {
            claims_too_much(raw(&address(worker)), claim, &mut chance).await;
        }
        for claim in lies(FRAME_BYTES_MAX, &mut chance) {
            claims_too_much(peer(&address(worker)).await, claim, &mut chance).await;
        }
        let mut waiting = Vec::new();
        for _ in 0..8 + chance.below(8) {
            let channel = peer(&address(worker)).await;
            let claim = FRAME_BYTES_MAX as u32 - chance.below(1 << 20) as u32;
            let begun = [lying_header(Kind::Start, claim), garbage(&mut chance, 1000)];
            write(&channel, &begun.concat()).expect("it is open");
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

/// Lengths beyond what is allowed: by one, by anything, and by the most that can be said.
fn lies(allowed: usize, chance: &mut Chance) -> [u32; 4] {
    let allowed = allowed as u32;
    let anything = allowed + 1 + chance.below(u64::from(u32::MAX - allowed)) as u32;
    let mut lies = [allowed + 1, anything, 1 << 31, u32::MAX];
    chance.shuffle(&mut lies);
    lies
}

async fn claims_too_much(channel: Channel, claim: u32, chance: &mut Chance) {
    let kind = *chance.pick(&[Kind::Hello, Kind::Proof, Kind::Start, Kind::Ping]);
    write_in_pieces(&channel, &lying_header(kind, claim), chance).await;
    assert!(
        closed(channel, PROMPT).await.is_empty(),
        "{kind:?} of {claim} bytes"
    );
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
pub(crate) async fn f22_garbage_is_closed_and_not_logged_without_end(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    let lines = std::thread::spawn(move || {
        BufReader::new(reader)
            .lines()
            .map_while(Result::ok)
            .collect::<Vec<String>>()
    });
    open_nursery(async |nursery| {
        // Whatever this test was told to log.
        let start = nursery.start_actor("worker").log_level("warn");
        let worker = start.stderr(StdioSpec::Fd(writer.into())).await?;
        let strangers: Vec<_> = (0..40 + chance.below(20))
            .map(|_| (chance.delay(10), no_hello(&mut chance)))
            .collect();
        let strangers = strangers.into_iter().map(async |(delay, bytes)| {
            async_std::task::sleep(delay).await;
            let channel = raw(&address(&worker));
            write(&channel, &bytes).expect("it is open");
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

/// What cannot begin a handshake: bytes without any meaning, or a frame that comes too early, or
/// a part of one.
fn no_hello(chance: &mut Chance) -> Vec<u8> {
    let bytes = garbage(chance, 300);
    if chance.coin() {
        return bytes;
    }
    let early = [
        Kind::Proof,
        Kind::Welcome,
        Kind::Spec,
        Kind::Start,
        Kind::Stop,
        Kind::Ping,
    ];
    let mut frame = frame_of(*chance.pick(&early), chance.below(100), &bytes);
    frame.truncate(1 + chance.below(frame.len() as u64) as usize);
    frame
}
