//! Faults 20 to 22: what an actor says in its log of frames that are none.

use std::io::{BufRead, BufReader};

use tractor::{Portal, StdioSpec, open_nursery};
use tractor_ipc::limits::{FRAME_BYTES_MAX, HANDSHAKE_FRAME_BYTES_MAX};
use tractor_ipc::{Kind, frame};

use super::raw::{
    address, answers_a_ping, as_peer, closed, frame_of, garbage, local, raw, write_in_pieces,
};
use crate::calls::echo;
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone};

/// What a peer says, who it says it is, and the reason for which its link ends.
struct Fault {
    name: &'static str,
    bytes: Vec<u8>,
    reason: String,
}

/// A header alone, as the wire has it: a length, a kind and a number.
fn header(claimed: usize, kind: u8) -> Vec<u8> {
    let mut header = frame::header(Kind::Start, 1, 0);
    let claimed = u32::try_from(claimed).expect("a length has 32 bits");
    header[..4].copy_from_slice(&claimed.to_le_bytes());
    header[4] = kind;
    header.to_vec()
}

/// Kinds that no frame has.
fn unknown_kind(chance: &mut Chance) -> u8 {
    let unknown: Vec<_> = (0..=u8::MAX)
        .filter(|byte| Kind::try_from(*byte).is_err())
        .collect();
    *chance.pick(&unknown)
}

fn faults(chance: &mut Chance) -> Vec<Fault> {
    let unknown = unknown_kind(chance);
    let claimed = FRAME_BYTES_MAX + 1 + chance.below(1000) as usize;
    let cut = frame_of(Kind::Start, 1, &garbage(chance, 1000));
    let cut = cut[..1 + chance.below(cut.len() as u64 - 1) as usize].to_vec();
    let mut faults = vec![
        Fault {
            name: "unknown",
            bytes: header(3, unknown),
            reason: format!("receive a frame of the unknown kind {unknown}"),
        },
        Fault {
            name: "oversized",
            bytes: header(claimed, Kind::Start as u8),
            reason: format!("receive a frame of {claimed} bytes, more than {FRAME_BYTES_MAX}"),
        },
        Fault {
            name: "truncated",
            bytes: cut,
            reason: "receive a frame that was cut off".to_owned(),
        },
        Fault {
            name: "malformed",
            bytes: frame_of(Kind::Stop, 1, &[]),
            reason: "decode".to_owned(),
        },
        Fault {
            name: "headless",
            bytes: frame_of(Kind::Start, 1, &garbage(chance, 3)),
            reason: "header".to_owned(),
        },
        Fault {
            name: "misplaced",
            bytes: frame_of(Kind::Ready, 0, &garbage(chance, 100)),
            reason: "a Ready frame comes from a parent or a child only".to_owned(),
        },
    ];
    chance.shuffle(&mut faults);
    faults
}

/// Faults 20, 21. Each broken frame ends the link that it came by; the actor's log names the
/// peer and the reason, once, and the others' calls go on.
pub(crate) async fn f20_reason_for_which_a_link_ended_stands_in_the_log(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let faults = faults(&mut chance);
    let lines = lines_of_a_worker(async |worker| {
        for fault in &faults {
            let (peer, _) = as_peer(&address(worker), local(fault.name))
                .await
                .expect("it is of the same tree");
            let peer = answers_a_ping(peer).await;
            write_in_pieces(&peer, &fault.bytes, &mut chance).await;
            peer.socket().shutdown_write().expect("it is open");
            assert!(closed(peer, PROMPT).await.is_empty(), "{}", fault.name);
            assert_eq!(worker.run(echo(vec![7])).await?, [7]);
        }
        Ok(())
    })
    .await?;
    for Fault { name, reason, .. } in faults {
        let begin = format!("the link to '{name}'");
        let mut told = lines.iter().filter(|line| line.contains(&begin));
        let line = told.next().unwrap_or_else(|| panic!("{name}: {lines:#?}"));
        assert!(line.contains(&reason), "{name}: {line}");
        assert!(told.next().is_none(), "it is told once: {lines:#?}");
    }
    assert_alone();
    Ok(())
}

/// Faults 21, 22. The same before the handshake, when nobody knows who it is.
pub(crate) async fn f22_reason_for_which_a_stranger_is_refused_stands_in_the_log(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let unknown = unknown_kind(&mut chance);
    let claimed = HANDSHAKE_FRAME_BYTES_MAX + 1 + chance.below(1000) as usize;
    let mut refused = [
        (
            header(3, unknown),
            format!("receive a frame of the unknown kind {unknown}"),
        ),
        (
            header(claimed, Kind::Hello as u8),
            format!("receive a frame of {claimed} bytes, more than {HANDSHAKE_FRAME_BYTES_MAX}"),
        ),
        (
            header(3, Kind::Hello as u8),
            "receive a frame that was cut off".to_owned(),
        ),
    ];
    chance.shuffle(&mut refused);
    let lines = lines_of_a_worker(async |worker| {
        for (bytes, reason) in &refused {
            let stranger = raw(&address(worker));
            write_in_pieces(&stranger, bytes, &mut chance).await;
            stranger.socket().shutdown_write().expect("it is open");
            assert!(closed(stranger, PROMPT).await.is_empty(), "{reason}");
        }
        Ok(())
    })
    .await?;
    for (_, reason) in refused {
        let line = format!("a connection was refused: {reason}");
        assert!(
            lines.iter().any(|seen| seen.contains(&line)),
            "{line}: {lines:#?}"
        );
    }
    assert_alone();
    Ok(())
}

/// What an actor logs for debugging, from its start to its end.
async fn lines_of_a_worker(
    meanwhile: impl AsyncFnOnce(&Portal) -> tractor::Result<()>,
) -> tractor::Result<Vec<String>> {
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    let lines = std::thread::spawn(move || {
        let lines = BufReader::new(reader).lines();
        lines.map_while(Result::ok).collect::<Vec<String>>()
    });
    open_nursery(async |nursery| {
        let start = nursery.start_actor("worker").log_level("debug");
        let worker = start.stderr(StdioSpec::Fd(writer.into())).await?;
        meanwhile(&worker).await?;
        worker.cancel_actor().await
    })
    .await?;
    Ok(lines.join().expect("it only reads"))
}
