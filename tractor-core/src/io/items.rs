//! Items of streams on their way out: small ones share a frame, large byte strings are not copied.

use tractor_ipc::codec::Shared;
use tractor_ipc::limits::FRAME_HEADER_BYTES;
use tractor_ipc::{Kind, Socket, frame};

use super::write::{Content, Piece, WriteQueue, Written};

/// A frame of items grows to about this size, then it leaves: 16 KiB.
///
/// A system call then costs a hundredth of a nanosecond for each byte, and the receiver begins
/// while the sender goes on.
const ITEMS_BYTES: usize = 16 * 1024;

/// A frame of items that may grow: it is the last of its queue.
#[derive(Debug)]
pub(crate) struct Growing {
    id: u64,
    /// Where its header stands in its piece.
    at: usize,
    items: u32,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It waits for the next flush.
    Waits,
    /// It filled a frame, which is worth a write of its own.
    Filled,
}

impl WriteQueue {
    /// Appends a small item to the stream whose frames have this id.
    #[inline]
    pub(crate) fn append_item(&self, id: u64, item: &[u8]) -> Appended {
        let mut out = self.lock();
        let growing = out.growing.take().filter(|growing| growing.id == id);
        // A frame that grows stays where it is, also in a piece that takes no others any more.
        let place = match growing {
            Some(_) => out.end(),
            None => out.room(),
        };
        let Some(bytes) = place else {
            return Appended::Waits;
        };
        let mut growing = growing.unwrap_or_else(|| {
            let at = bytes.len();
            bytes.extend_from_slice(&frame::header(Kind::Items, id, 0));
            bytes.extend_from_slice(&[0; 4]);
            Growing { id, at, items: 0 }
        });
        bytes.extend_from_slice(item);
        growing.items += 1;
        let payload = growing.at + FRAME_HEADER_BYTES;
        let len = bytes.len() - payload;
        // A frame of items is far shorter than what 32 bits can count.
        bytes[growing.at..growing.at + 4].copy_from_slice(&(len as u32).to_le_bytes());
        bytes[payload..payload + 4].copy_from_slice(&growing.items.to_le_bytes());
        if len >= ITEMS_BYTES {
            return Appended::Filled;
        }
        out.growing = Some(growing);
        Appended::Waits
    }

    /// Sends an item in a frame of its own. It is `encoded`, but for one byte string that belongs
    /// in it, if there is one.
    pub(crate) fn send_item(
        &self,
        socket: &Socket,
        id: u64,
        encoded: &[u8],
        shared: Option<Shared>,
    ) -> Written {
        let (at, bytes) = match shared {
            Some(Shared { at, bytes }) => (at, bytes),
            None => (encoded.len(), Default::default()),
        };
        let mut head = Vec::with_capacity(FRAME_HEADER_BYTES + 4 + at);
        let len = 4 + encoded.len() + bytes.len();
        head.extend_from_slice(&frame::header(Kind::Items, id, len));
        head.extend_from_slice(&1_u32.to_le_bytes());
        head.extend_from_slice(&encoded[..at]);
        let tail = encoded[at..].to_vec();
        self.send_pieces(
            socket,
            [
                Piece::new(Content::Frames(head)),
                Piece::new(Content::Kept(bytes)),
                Piece::new(Content::Frames(tail)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use tractor_ipc::limits::FRAME_BYTES_MAX;
    use tractor_ipc::{Bytes, FrameDecoder, codec};

    use super::*;

    fn pair() -> (Socket, Socket) {
        let (ours, theirs) = Socket::pair().unwrap();
        (ours, Socket::from_owned_fd(theirs).unwrap())
    }

    /// Kind, id and payload of all frames that have arrived.
    fn received(socket: &Socket, decoder: &mut FrameDecoder) -> Vec<(Kind, u64, Vec<u8>)> {
        let mut frames = Vec::new();
        loop {
            while let Some(frame) = decoder.next().unwrap() {
                frames.push((frame.kind, frame.id, frame.payload.into_vec()));
            }
            match socket.recv(&mut decoder.room()) {
                Ok(n) => decoder.advance(n),
                Err(_) => return frames,
            }
        }
    }

    fn items(count: u32, bytes: &[u8]) -> Vec<u8> {
        [&count.to_le_bytes(), bytes].concat()
    }

    #[test]
    fn items_of_one_stream_share_a_frame_until_another_comes_between() {
        let (ours, theirs) = pair();
        let (queue, mut decoder) = (WriteQueue::default(), FrameDecoder::new(FRAME_BYTES_MAX));
        for (id, item) in [(1, b"a"), (1, b"b"), (2, b"c"), (1, b"d")] {
            assert_eq!(queue.append_item(id, item), Appended::Waits);
        }
        let _ = queue.send(&ours, (Kind::End, 1), b"", true);
        queue.append_item(1, b"e");
        assert_eq!(queue.flush(&ours), Written::Done);
        assert_eq!(
            received(&theirs, &mut decoder),
            [
                (Kind::Items, 1, items(2, b"ab")),
                (Kind::Items, 2, items(1, b"c")),
                (Kind::Items, 1, items(1, b"d")),
                (Kind::End, 1, vec![]),
                (Kind::Items, 1, items(1, b"e")),
            ]
        );
        queue.append_item(1, b"f");
        let _ = queue.flush(&ours);
        assert_eq!(
            received(&theirs, &mut decoder),
            [(Kind::Items, 1, items(1, b"f"))],
            "what has left does not grow"
        );
    }

    #[test]
    fn a_filled_frame_says_so_and_the_next_item_begins_another() {
        let queue = WriteQueue::default();
        let mut appended = 1;
        while queue.append_item(1, &[7; 100]) == Appended::Waits {
            appended += 1;
        }
        assert!((150..170).contains(&appended), "{appended}");
        assert_eq!(queue.append_item(1, b"x"), Appended::Waits);
        let (ours, theirs) = pair();
        let _ = queue.flush(&ours);
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        assert_eq!(received(&theirs, &mut decoder).len(), 2);
    }

    #[test]
    fn items_behind_a_busy_writer_stay_in_whole_frames() {
        let (ours, theirs) = pair();
        let (queue, mut decoder) = (WriteQueue::default(), FrameDecoder::new(FRAME_BYTES_MAX));
        let mut filled = 0;
        // Several pieces, none of which ends with the end of a frame.
        for n in 0..4_000 {
            let item = vec![n as u8; 50 + n % 7];
            filled += usize::from(queue.append_item(1, &item) == Appended::Filled);
        }
        let mut frames = Vec::new();
        while queue.queued_bytes() > 0 {
            let _ = queue.flush(&ours);
            let _ = queue.writable(&ours);
            frames.extend(received(&theirs, &mut decoder));
        }
        assert!((filled..=filled + 1).contains(&frames.len()), "{filled}");
        let counts = frames.iter().map(|(_, _, payload)| {
            u32::from_le_bytes(payload[..4].try_into().expect("it begins with a number"))
        });
        assert_eq!(counts.sum::<u32>(), 4_000);
    }

    #[test]
    fn large_items_arrive_whole_among_small_ones() {
        let (ours, theirs) = pair();
        let (queue, mut decoder) = (WriteQueue::default(), FrameDecoder::new(FRAME_BYTES_MAX));
        let mut expected = Vec::new();
        for n in 0..40_u8 {
            let value = (n, Bytes::from(vec![n; 60_000]), u16::from(n));
            let (mut encoded, mut shared) = (Vec::new(), Vec::new());
            codec::encode_shared(&value, &mut encoded, &mut shared).unwrap();
            assert_eq!(shared.len(), 1);
            let _ = queue.send_item(&ours, 1, &encoded, shared.pop());
            queue.append_item(1, &[n]);
            expected.push((Kind::Items, 1, items(1, &codec::encode(&value).unwrap())));
            expected.push((Kind::Items, 1, items(1, &[n])));
        }
        let mut frames = received(&theirs, &mut decoder);
        while queue.queued_bytes() > 0 {
            let _ = queue.writable(&ours);
            let _ = queue.flush(&ours);
            frames.extend(received(&theirs, &mut decoder));
        }
        assert!(frames == expected, "{} frames", frames.len());
    }
}
