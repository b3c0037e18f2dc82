//! Frames: a header and a payload, written into a buffer and found again in what was read.
//!
//! Pure. On the wire a frame is the payload's length (`u32`, little-endian), the [`Kind`]
//! (`u8`), an id (`u64`, little-endian), and the payload.

mod decoder;

pub use decoder::FrameDecoder;

use crate::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};
use crate::message::Kind;

/// Builds the header of a frame whose payload has `len` bytes, for a payload that is sent from
/// where it lies.
///
/// # Panics
///
/// If `len` is beyond [`FRAME_BYTES_MAX`]; the caller checks what it is given.
#[inline]
pub fn header(kind: Kind, id: u64, len: usize) -> [u8; FRAME_HEADER_BYTES] {
    assert!(
        len <= FRAME_BYTES_MAX,
        "a payload of {len} bytes, more than {FRAME_BYTES_MAX}"
    );
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&(len as u32).to_le_bytes());
    header[4] = kind as u8;
    header[5..].copy_from_slice(&id.to_le_bytes());
    header
}

/// Begins a frame at the end of `buf`. The caller appends the payload, then calls
/// [`FrameStart::end`].
///
/// # Examples
///
/// ```
/// use tractor_ipc::{Kind, codec, frame};
///
/// let mut out = Vec::new();
/// let start = frame::begin(&mut out, Kind::Return, 7);
/// codec::encode_into("payload", &mut out)?;
/// start.end(&mut out)?;
/// assert_eq!(out[..13], frame::header(Kind::Return, 7, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn begin(buf: &mut Vec<u8>, kind: Kind, id: u64) -> FrameStart {
    let at = buf.len();
    buf.extend_from_slice(&header(kind, id, 0));
    FrameStart { at }
}

/// A frame that was begun in a buffer and lacks its length.
#[derive(Debug)]
#[must_use = "a frame that is not ended has length 0"]
pub struct FrameStart {
    at: usize,
}

impl FrameStart {
    /// Writes the length: the payload is what was appended since [`begin`].
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`] if it is beyond [`FRAME_BYTES_MAX`]; the frame is taken back.
    ///
    /// # Panics
    ///
    /// If `buf` is shorter than it was after [`begin`].
    #[inline]
    pub fn end(self, buf: &mut Vec<u8>) -> Result<(), PayloadTooLong> {
        let len = buf.len() - self.at - FRAME_HEADER_BYTES;
        if len > FRAME_BYTES_MAX {
            buf.truncate(self.at);
            return Err(PayloadTooLong { len });
        }
        buf[self.at..self.at + 4].copy_from_slice(&(len as u32).to_le_bytes());
        Ok(())
    }

    /// Takes the frame back, with whatever was appended to it.
    pub fn abandon(self, buf: &mut Vec<u8>) {
        buf.truncate(self.at);
    }
}

/// A payload does not fit a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("send a payload of {len} bytes, more than {FRAME_BYTES_MAX}")]
pub struct PayloadTooLong {
    /// Its bytes.
    pub len: usize,
}

/// A frame that was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it belongs to; each kind says what that means.
    pub id: u64,
    /// What it carries.
    pub payload: Payload<'a>,
}

/// What a frame carries.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Lies in the read buffer.
    Small(&'a [u8]),
    /// Was received into memory of its own, which is handed over.
    Bulk(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes, wherever they lie.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Bulk(bytes) => bytes,
        }
    }

    /// The bytes for keeps: copied if they lie in the read buffer.
    #[inline]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Small(bytes) => bytes.to_vec(),
            Self::Bulk(bytes) => bytes,
        }
    }
}

/// What a peer did wrong. The stream cannot be read any further; the channel closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame claims more than it may have.
    #[error("receive a frame of {claimed} bytes, more than {max}")]
    TooLong {
        /// The bytes its header claims.
        claimed: usize,
        /// The bytes it may have.
        max: usize,
    },
    /// A frame is of no known kind: another protocol, or no protocol at all.
    #[error("receive a frame of the unknown kind {0}")]
    UnknownKind(u8),
    /// The stream ended within a frame.
    #[error("receive a frame that was cut off")]
    Truncated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_length_kind_and_id() {
        let bytes = header(Kind::Start, 0x0102_0304_0506_0708, 0x0a0b);
        assert_eq!(bytes, [0x0b, 0x0a, 0, 0, 16, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn frames_are_written_one_after_the_other() {
        let mut out = Vec::new();
        for (id, payload) in [(1, &b"abc"[..]), (2, b"")] {
            let start = begin(&mut out, Kind::Ping, id);
            out.extend_from_slice(payload);
            start.end(&mut out).unwrap();
        }
        let expected = [
            &header(Kind::Ping, 1, 3)[..],
            b"abc",
            &header(Kind::Ping, 2, 0)[..],
        ]
        .concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_frame_is_abandoned_without_a_trace() {
        let mut out = vec![1];
        let start = begin(&mut out, Kind::Start, 1);
        out.extend_from_slice(b"half");
        start.abandon(&mut out);
        assert_eq!(out, [1]);
    }
}
