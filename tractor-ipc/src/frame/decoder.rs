//! [`FrameDecoder`]: says where the next bytes should go and finds the frames among them.
//!
//! Pure: who reads the bytes, and from where, is not known here.

use std::io::IoSliceMut;
use std::{fmt, mem};

use super::{Frame, FrameError, Payload};
use crate::limits::{
    BULK_BYTES_MIN, BULK_STEP_BYTES, BULK_TAIL_BYTES, FRAME_HEADER_BYTES, READ_BUFFER_BYTES,
};
use crate::message::Kind;

/// Finds frames in a stream of bytes, however it is cut into reads.
///
/// One turn is: [`room`](Self::room), read into it, [`advance`](Self::advance), then
/// [`next`](Self::next) until it gives `None`. A small frame is never copied; the payload of a
/// large one goes straight to the memory that it is handed over in. After an error every further
/// `next` gives the same error.
///
/// # Examples
///
/// ```
/// use tractor_ipc::{FrameDecoder, Kind, frame};
///
/// let mut decoder = FrameDecoder::new(1024);
/// decoder.room()[0][..13].copy_from_slice(&frame::header(Kind::Ping, 5, 0));
/// decoder.advance(13);
///
/// let ping = decoder.next()?.expect("it is whole");
/// assert_eq!((ping.kind, ping.id), (Kind::Ping, 5));
/// assert_eq!(decoder.next()?, None);
/// # Ok::<(), tractor_ipc::FrameError>(())
/// ```
pub struct FrameDecoder {
    /// Allocated by the first `room`, then always [`READ_BUFFER_BYTES`].
    buf: Vec<u8>,
    /// The bytes of `buf` that were received and not yet given out.
    start: usize,
    end: usize,
    bulk: Option<Bulk>,
    max_payload: usize,
}

/// A payload that is received straight into its own memory.
struct Bulk {
    kind: Kind,
    id: u64,
    len: usize,
    /// Its length is what may be read into, `filled` what was.
    bytes: Vec<u8>,
    filled: usize,
}

/// A header that may be acted on.
struct Header {
    len: usize,
    kind: Kind,
    id: u64,
}

impl FrameDecoder {
    /// A decoder at the start of a stream whose payloads have at most `max_payload` bytes.
    pub fn new(max_payload: usize) -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            end: 0,
            bulk: None,
            max_payload,
        }
    }

    /// Changes the longest payload, in bytes, for frames that [`next`](Self::next) has not yet
    /// looked at.
    pub fn set_max_payload(&mut self, max_payload: usize) {
        self.max_payload = max_payload;
    }

    /// Where the next read puts its bytes: the first slice, then the second.
    ///
    /// The second is empty except near the end of a large payload. Both are empty only if whole
    /// frames that [`next`](Self::next) was not asked for fill the buffer; a read into that
    /// would look like the end of the stream.
    #[inline]
    pub fn room(&mut self) -> [IoSliceMut<'_>; 2] {
        self.make_room();
        match &mut self.bulk {
            Some(bulk) => {
                // Bytes may go behind the payload only once its own memory reaches its end.
                let reach = if bulk.bytes.len() == bulk.len {
                    BULK_TAIL_BYTES
                } else {
                    0
                };
                let reach = reach.min(self.buf.len() - self.end);
                let tail = &mut self.buf[self.end..][..reach];
                [
                    IoSliceMut::new(&mut bulk.bytes[bulk.filled..]),
                    IoSliceMut::new(tail),
                ]
            }
            None => [
                IoSliceMut::new(&mut self.buf[self.end..]),
                IoSliceMut::new(&mut []),
            ],
        }
    }

    /// How many bytes the slices of [`room`](Self::room) take together. A read that gives fewer
    /// has emptied the socket.
    #[inline]
    pub fn room_bytes(&mut self) -> usize {
        self.room().iter().map(|slice| slice.len()).sum()
    }

    /// Tells that `n` bytes were read into the slices that [`room`](Self::room) gave last.
    ///
    /// # Panics
    ///
    /// If that is more than they take.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let mut rest = n;
        if let Some(bulk) = &mut self.bulk {
            let direct = rest.min(bulk.bytes.len() - bulk.filled);
            bulk.filled += direct;
            rest -= direct;
            assert!(
                rest == 0 || bulk.filled == bulk.len,
                "advance beyond the room"
            );
        }
        assert!(rest <= self.buf.len() - self.end, "advance beyond the room");
        self.end += rest;
    }

    /// Takes the next frame, or `None` if it has not wholly arrived.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`] and [`FrameError::UnknownKind`], as soon as the header shows it:
    /// the peer's fault, the channel closes.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame borrows from the decoder"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if self.bulk.is_some() {
            return Ok(self.next_bulk());
        }
        let Some(Header { len, kind, id }) = self.header()? else {
            return Ok(None);
        };
        let payload = self.start + FRAME_HEADER_BYTES;
        if self.end - payload >= len {
            self.start = payload + len;
            let payload = Payload::Small(&self.buf[payload..payload + len]);
            return Ok(Some(Frame { kind, id, payload }));
        }
        if len >= BULK_BYTES_MIN {
            self.begin_bulk(Header { len, kind, id });
        }
        Ok(None)
    }

    /// Whether [`next`](Self::next) would give a frame or an error now.
    #[inline]
    pub fn has_frame(&self) -> bool {
        if let Some(bulk) = &self.bulk {
            return bulk.filled == bulk.len;
        }
        match self.header() {
            Ok(Some(header)) => self.end - self.start - FRAME_HEADER_BYTES >= header.len,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether everything that arrived was given out.
    #[inline]
    pub fn is_between_frames(&self) -> bool {
        self.bulk.is_none() && self.start == self.end
    }

    /// Judges an end of the stream at this point.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] if part of a frame has arrived. Frames that arrived whole must
    /// have been taken before.
    pub fn eof(&self) -> Result<(), FrameError> {
        if self.is_between_frames() {
            Ok(())
        } else {
            Err(FrameError::Truncated)
        }
    }

    /// The next header, if it is complete.
    #[inline]
    fn header(&self) -> Result<Option<Header>, FrameError> {
        let received = &self.buf[self.start..self.end];
        let Some(&[l0, l1, l2, l3, kind, ref id @ ..]) =
            received.first_chunk::<FRAME_HEADER_BYTES>()
        else {
            return Ok(None);
        };
        let claimed = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if claimed > self.max_payload {
            return Err(FrameError::TooLong {
                claimed,
                max: self.max_payload,
            });
        }
        let kind = Kind::try_from(kind).map_err(|unknown| FrameError::UnknownKind(unknown.0))?;
        Ok(Some(Header {
            len: claimed,
            kind,
            id: u64::from_le_bytes(*id),
        }))
    }

    #[cold]
    fn begin_bulk(&mut self, Header { len, kind, id }: Header) {
        let arrived = &self.buf[self.start + FRAME_HEADER_BYTES..self.end];
        let mut bytes = Vec::with_capacity(len.min(arrived.len() + BULK_STEP_BYTES));
        bytes.extend_from_slice(arrived);
        self.bulk = Some(Bulk {
            kind,
            id,
            len,
            filled: bytes.len(),
            bytes,
        });
        (self.start, self.end) = (0, 0);
    }

    fn next_bulk(&mut self) -> Option<Frame<'_>> {
        let Bulk {
            kind, id, bytes, ..
        } = self.bulk.take_if(|bulk| bulk.filled == bulk.len)?;
        Some(Frame {
            kind,
            id,
            payload: Payload::Bulk(bytes),
        })
    }

    /// Brings about what [`room`](Self::room) gives out.
    #[inline]
    fn make_room(&mut self) {
        if self.start == self.end {
            // Starting over keeps to the same few cache lines.
            (self.start, self.end) = (0, 0);
        }
        if let Some(bulk) = &mut self.bulk {
            bulk.make_room();
        }
        if self.buf.len() - self.end < READ_BUFFER_BYTES / 2 {
            self.make_buffer_room();
        }
    }

    /// Allocates the buffer at first, moves a cut-off frame to its front afterwards.
    #[cold]
    fn make_buffer_room(&mut self) {
        if self.buf.is_empty() {
            self.buf = vec![0; READ_BUFFER_BYTES];
        }
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= mem::take(&mut self.start);
    }
}

impl Bulk {
    /// Makes the unfilled part not empty, by a step, unless the payload is complete.
    fn make_room(&mut self) {
        if self.filled < self.bytes.len() || self.filled == self.len {
            return;
        }
        let target = self.len.min(self.filled + BULK_STEP_BYTES);
        if target > self.bytes.capacity() {
            // Doubling what really arrived keeps copying linear; exactly, so that a payload
            // does not keep more than it needs.
            let capacity = self.len.min(target.max(2 * self.filled));
            self.bytes.reserve_exact(capacity - self.filled);
        }
        self.bytes.resize(target, 0);
    }
}

impl fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameDecoder")
            .field("buffered", &(self.end - self.start))
            .field(
                "bulk",
                &self.bulk.as_ref().map(|bulk| (bulk.filled, bulk.len)),
            )
            .field("max_payload", &self.max_payload)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::header;
    use crate::limits::FRAME_BYTES_MAX;

    /// A frame as it is on the wire.
    fn wire(kind: Kind, id: u64, payload: &[u8]) -> Vec<u8> {
        [&header(kind, id, payload.len())[..], payload].concat()
    }

    /// Puts as many bytes into the decoder's room as fit, and tells how many.
    fn read(decoder: &mut FrameDecoder, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        for mut slice in decoder.room() {
            let (now, later) = rest.split_at(rest.len().min(slice.len()));
            slice[..now.len()].copy_from_slice(now);
            rest = later;
        }
        let n = bytes.len() - rest.len();
        decoder.advance(n);
        n
    }

    #[test]
    fn small_frame_lies_in_the_buffer() {
        let mut decoder = FrameDecoder::new(100);
        assert!(!decoder.has_frame());
        read(&mut decoder, &wire(Kind::Start, u64::MAX, b"abc"));
        assert!(decoder.has_frame());
        let payload = Payload::Small(b"abc");
        let frame = Frame {
            kind: Kind::Start,
            id: u64::MAX,
            payload,
        };
        assert_eq!(decoder.next(), Ok(Some(frame)));
        assert!(!decoder.has_frame() && decoder.is_between_frames());
        assert_eq!(decoder.next(), Ok(None));
    }

    #[test]
    fn bulk_payload_goes_to_its_own_memory_and_the_tail_to_the_buffer() {
        let payload: Vec<u8> = (0..BULK_BYTES_MIN + 5).map(|i| i as u8).collect();
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let bytes = wire(Kind::Return, 1, &payload);
        read(&mut decoder, &bytes[..FRAME_HEADER_BYTES + 10]);
        assert_eq!(decoder.next(), Ok(None));
        assert_eq!(decoder.room()[0].len(), payload.len() - 10);
        assert_eq!(decoder.room()[1].len(), BULK_TAIL_BYTES);

        let rest = [
            &bytes[FRAME_HEADER_BYTES + 10..],
            &wire(Kind::Ping, 2, b"x"),
        ]
        .concat();
        assert_eq!(read(&mut decoder, &rest), rest.len());
        assert!(decoder.has_frame() && !decoder.is_between_frames());
        let frame = decoder.next().unwrap().unwrap();
        assert_eq!(frame.payload, Payload::Bulk(payload));
        let frame = decoder.next().unwrap().unwrap();
        assert_eq!(
            (frame.kind, frame.payload.as_slice()),
            (Kind::Ping, &b"x"[..])
        );
        assert!(decoder.is_between_frames());
    }

    #[test]
    fn tail_is_offered_only_behind_the_end() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        read(&mut decoder, &header(Kind::Return, 1, 2 * BULK_STEP_BYTES));
        assert_eq!(decoder.next(), Ok(None));
        let rooms = |decoder: &mut FrameDecoder| decoder.room().map(|slice| slice.len());
        assert_eq!(rooms(&mut decoder), [BULK_STEP_BYTES, 0]);
        decoder.advance(BULK_STEP_BYTES);
        assert_eq!(rooms(&mut decoder), [BULK_STEP_BYTES, BULK_TAIL_BYTES]);
        decoder.advance(BULK_STEP_BYTES);
        assert_eq!(rooms(&mut decoder), [0, BULK_TAIL_BYTES]);
        assert_eq!(decoder.room_bytes(), BULK_TAIL_BYTES);
        assert!(decoder.next().unwrap().is_some());
    }

    #[test]
    fn lying_header_costs_no_more_than_a_step() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        read(&mut decoder, &header(Kind::Return, 1, FRAME_BYTES_MAX));
        assert_eq!(decoder.next(), Ok(None));
        decoder.room();
        let bulk = decoder.bulk.as_ref().unwrap();
        assert_eq!(bulk.bytes.capacity(), BULK_STEP_BYTES);
        assert_eq!(decoder.eof(), Err(FrameError::Truncated));
    }

    #[test]
    fn errors_show_at_the_header_and_stay() {
        let mut decoder = FrameDecoder::new(10);
        read(&mut decoder, &header(Kind::Start, 0, 11));
        let error = FrameError::TooLong {
            claimed: 11,
            max: 10,
        };
        assert!(decoder.has_frame());
        assert_eq!(decoder.next(), Err(error));
        assert_eq!(decoder.next(), Err(error));

        let mut decoder = FrameDecoder::new(10);
        let mut bytes = header(Kind::Start, 0, 1);
        bytes[4] = 99;
        read(&mut decoder, &bytes);
        assert_eq!(decoder.next(), Err(FrameError::UnknownKind(99)));
    }

    #[test]
    fn cut_off_frame_keeps_its_bytes_when_the_buffer_is_compacted() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let frame = wire(Kind::Request, 3, &[7; 10_000]);
        let stream = frame.repeat(20);
        let (mut sent, mut received) = (0, 0);
        while received < 20 {
            // As much as fits, so the buffer's end cuts a frame now and then.
            sent += read(&mut decoder, &stream[sent..]);
            while let Some(frame) = decoder.next().unwrap() {
                assert_eq!(frame.payload, Payload::Small(&[7; 10_000]));
                received += 1;
            }
        }
        assert!(decoder.eof().is_ok());
    }

    #[test]
    fn undrained_frames_leave_no_room() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let stream = wire(Kind::Ping, 0, &[0; 100]).repeat(1000);
        assert_eq!(read(&mut decoder, &stream), READ_BUFFER_BYTES);
        assert_eq!(decoder.room_bytes(), 0);
        assert!(decoder.next().unwrap().is_some());
        assert_eq!(decoder.room_bytes(), FRAME_HEADER_BYTES + 100);
    }

    #[test]
    #[should_panic(expected = "advance beyond the room")]
    fn advance_beyond_the_room_panics() {
        FrameDecoder::new(10).advance(1);
    }
}
