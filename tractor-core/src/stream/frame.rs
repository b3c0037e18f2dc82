//! What stands in an `Items` frame: the number of its items, then their encodings one after the
//! other.
//!
//! Pure. The number is there because an item may take no bytes.

use std::ops::Range;

use serde::de::DeserializeOwned;
use tractor_ipc::{DecodeError, codec};

/// Bytes before the items.
pub(crate) const FRAME_HEAD: usize = 4;

/// How many items a frame claims to have; `None` if it is too short to say.
pub(crate) fn count(frame: &[u8]) -> Option<usize> {
    let (head, _) = frame.split_first_chunk::<FRAME_HEAD>()?;
    usize::try_from(u32::from_le_bytes(*head)).ok()
}

/// Where the next item of a chunk lies, while it is being read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The rest of the frame that is being read.
    rest: Range<usize>,
    /// Items that are left in it.
    items: usize,
}

impl Cursor {
    /// Whether the frame has been read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.items == 0
    }

    /// Bytes of the frame that are not decoded.
    pub(crate) fn left_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Begins with the frame at `range` of the chunk, and tells its number of items.
    pub(crate) fn enter(&mut self, chunk: &[u8], range: Range<usize>) -> usize {
        let frame = chunk.get(range.clone()).unwrap_or_default();
        self.items = count(frame).unwrap_or_default();
        self.rest = (range.start + FRAME_HEAD).min(range.end)..range.end;
        self.items
    }

    /// Begins with the next of many frames that stand each behind its length; `None` at the end of
    /// the chunk.
    pub(crate) fn enter_next(&mut self, chunk: &[u8]) -> Option<usize> {
        let at = self.rest.end;
        let (len, _) = chunk.get(at..)?.split_first_chunk::<4>()?;
        let begin = at + len.len();
        let end = begin + usize::try_from(u32::from_le_bytes(*len)).ok()?;
        Some(self.enter(chunk, begin..end))
    }

    /// Decodes the next item of the frame.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], also if the last item leaves bytes over.
    #[inline]
    pub(crate) fn decode<T: DeserializeOwned>(&mut self, chunk: &[u8]) -> Result<T, DecodeError> {
        let mut bytes = chunk.get(self.rest.clone()).unwrap_or_default();
        let item = codec::decode_first(&mut bytes)?;
        self.rest.start = self.rest.end - bytes.len();
        self.items -= 1;
        if self.items == 0 && !bytes.is_empty() {
            return Err(DecodeError::Trailing { left: bytes.len() });
        }
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_of(items: &[u16]) -> Vec<u8> {
        let mut frame = (items.len() as u32).to_le_bytes().to_vec();
        for item in items {
            codec::encode_into(item, &mut frame).unwrap();
        }
        frame
    }

    #[test]
    fn frames_are_read_item_by_item() {
        let mut chunk = Vec::new();
        for frame in [frame_of(&[1, 2]), frame_of(&[]), frame_of(&[300])] {
            chunk.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            chunk.extend_from_slice(&frame);
        }
        let (mut cursor, mut read) = (Cursor::default(), Vec::new());
        while cursor.enter_next(&chunk).is_some() {
            while !cursor.is_done() {
                read.push(cursor.decode::<u16>(&chunk).unwrap());
            }
        }
        assert_eq!(read, [1, 2, 300]);
    }

    #[test]
    fn what_is_left_over_or_missing_is_an_error() {
        let mut cursor = Cursor::default();
        let chunk = [&1_u32.to_le_bytes()[..], &[5, 6]].concat();
        assert_eq!(cursor.enter(&chunk, 0..6), 1);
        assert_eq!(
            cursor.decode::<u8>(&chunk),
            Err(DecodeError::Trailing { left: 1 })
        );
        let chunk = [&2_u32.to_le_bytes()[..], &[5]].concat();
        cursor.enter(&chunk, 0..5);
        assert_eq!(cursor.decode::<u8>(&chunk), Ok(5));
        assert_eq!(cursor.decode::<u8>(&chunk), Err(DecodeError::UnexpectedEnd));
        assert_eq!(count(&[1, 2]), None);
    }

    #[test]
    fn items_without_bytes_are_counted() {
        let mut cursor = Cursor::default();
        let chunk = 3_u32.to_le_bytes();
        assert_eq!(cursor.enter(&chunk, 0..4), 3);
        for _ in 0..3 {
            assert!(!cursor.is_done());
            assert_eq!(cursor.decode::<()>(&chunk), Ok(()));
        }
        assert!(cursor.is_done());
    }
}
