//! A stream of garbage, cut in two ways, gives the same frames and the same end. The first byte is
//! the size of the cuts, the second the longest payload (times 1024).

use tractor_ipc::{FrameDecoder, FrameError, Kind};

type Decoded = (Vec<(Kind, u64, Vec<u8>)>, Result<(), FrameError>);

fn decode(stream: &[u8], cut: usize, max: usize) -> Decoded {
    let mut decoder = FrameDecoder::new(max);
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let mut quota = cut.min(rest.len());
        let mut read = 0;
        for mut slice in decoder.room() {
            let n = quota.min(slice.len());
            slice[..n].copy_from_slice(&rest[..n]);
            (rest, quota, read) = (&rest[n..], quota - n, read + n);
        }
        assert!(read > 0, "a drained decoder has room");
        decoder.advance(read);
        loop {
            let announced = decoder.has_frame();
            match decoder.next() {
                Ok(Some(frame)) => {
                    assert!(announced);
                    frames.push((frame.kind, frame.id, frame.payload.into_vec()));
                }
                Ok(None) => {
                    assert!(!announced);
                    break;
                }
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.eof())
}

/// What is fuzzed.
pub(crate) fn check(data: &[u8]) {
    let [cut, max, stream @ ..] = data else {
        return;
    };
    let max = usize::from(*max) * 1024;
    let whole = decode(stream, usize::MAX, max);
    assert_eq!(decode(stream, usize::from(*cut) + 1, max), whole);
}
