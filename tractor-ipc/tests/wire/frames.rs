//! Frames survive any cutting into reads; garbage ends in an error or in waiting for more.

use proptest::collection::vec;
use proptest::prelude::*;
use tractor_ipc::limits::{BULK_BYTES_MIN, BULK_STEP_BYTES, FRAME_BYTES_MAX, READ_BUFFER_BYTES};
use tractor_ipc::{FrameDecoder, FrameError, Kind, OwnedFrame, frame};

fn any_kind() -> impl Strategy<Value = Kind> {
    (0..=u8::MAX).prop_filter_map("a known kind", |byte| Kind::try_from(byte).ok())
}

/// Lengths round the bounds at which the decoder behaves differently.
fn any_len() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..200_usize,
        1 => BULK_BYTES_MIN - 20..BULK_BYTES_MIN + 20,
        1 => READ_BUFFER_BYTES - 40..READ_BUFFER_BYTES + 40,
        1 => BULK_STEP_BYTES - 5..BULK_STEP_BYTES + 70_000,
    ]
}

fn any_frame() -> impl Strategy<Value = OwnedFrame> {
    (any_kind(), any::<u64>(), any_len(), any::<u8>()).prop_map(|(kind, id, len, seed)| {
        let payload = (0..len)
            .map(|i| (i as u8).wrapping_mul(31) ^ seed)
            .collect();
        OwnedFrame { kind, id, payload }
    })
}

/// Feeds `stream` in reads of at most the given sizes, over and over, and collects the frames.
fn decode(
    stream: &[u8],
    cuts: &[usize],
    max: usize,
) -> (FrameDecoder, Result<Vec<OwnedFrame>, FrameError>) {
    let mut decoder = FrameDecoder::new(max);
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let mut quota = rest.len().min(*cuts.next().expect("there is a cut"));
        let (room, before) = (decoder.room_bytes(), rest.len());
        for mut slice in decoder.room() {
            let (now, later) = rest.split_at(quota.min(slice.len()));
            slice[..now.len()].copy_from_slice(now);
            (rest, quota) = (later, quota - now.len());
        }
        let read = before - rest.len();
        assert!(read > 0 && read <= room, "a drained decoder has room");
        decoder.advance(read);
        loop {
            let announced = decoder.has_frame();
            match decoder.next() {
                Ok(Some(frame)) => {
                    assert!(announced);
                    let (kind, id) = (frame.kind, frame.id);
                    frames.push(OwnedFrame {
                        kind,
                        id,
                        payload: frame.payload.into_vec(),
                    });
                }
                Ok(None) => {
                    assert!(!announced);
                    break;
                }
                Err(error) => {
                    assert!(announced);
                    return (decoder, Err(error));
                }
            }
        }
    }
    (decoder, Ok(frames))
}

fn wire(frames: &[OwnedFrame]) -> Vec<u8> {
    let mut out = Vec::new();
    for OwnedFrame { kind, id, payload } in frames {
        let start = frame::begin(&mut out, *kind, *id);
        out.extend_from_slice(payload);
        start.end(&mut out).expect("it is not too long");
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_survive_any_cutting(
        frames in vec(any_frame(), 0..12),
        cuts in vec(prop_oneof![1..40_usize, 1..200_000_usize], 1..20),
    ) {
        let (decoder, decoded) = decode(&wire(&frames), &cuts, FRAME_BYTES_MAX);
        prop_assert_eq!(decoded, Ok(frames));
        prop_assert!(decoder.is_between_frames());
        prop_assert_eq!(decoder.eof(), Ok(()));
    }

    #[test]
    fn a_cut_off_stream_is_truncated(
        frames in vec(any_frame(), 1..4),
        cuts in vec(1..100_000_usize, 1..20),
        missing in any::<prop::sample::Index>(),
    ) {
        let stream = wire(&frames);
        let last = 13 + frames.last().expect("one at least").payload.len();
        // At least one byte of the last frame arrives, and one does not.
        let end = stream.len() - 1 - missing.index(last - 1);
        let (decoder, decoded) = decode(&stream[..end], &cuts, FRAME_BYTES_MAX);
        prop_assert_eq!(&decoded.expect("it is only cut off")[..], &frames[..frames.len() - 1]);
        prop_assert_eq!(decoder.eof(), Err(FrameError::Truncated));
    }

    #[test]
    fn garbage_is_judged_alike_however_it_is_cut(
        stream in vec(prop_oneof![Just(0_u8), Just(1), Just(32), any::<u8>()], 0..400),
        cuts in vec(1..100_usize, 1..20),
        max in 0..300_usize,
    ) {
        let (_, whole) = decode(&stream, &[usize::MAX], max);
        let (_, cut) = decode(&stream, &cuts, max);
        prop_assert_eq!(whole, cut);
    }
}
