//! [`Bytes`]: byte strings that are copied neither when they are sent nor when they are received.
//!
//! On the wire a `Bytes` is what every byte string is. Serde hands slices around, which cannot be
//! kept; so the value offers itself to the codec while it serializes, and the codec tells it the
//! memory that it decodes from, both by way of the thread.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::SHARED_BYTES_MIN;

thread_local! {
    /// The value that is being serialized.
    static OFFERED: RefCell<Option<bytes::Bytes>> = const { RefCell::new(None) };
    /// The memory that is being decoded from.
    static SOURCE: RefCell<Option<bytes::Bytes>> = const { RefCell::new(None) };
}

/// A byte string; cloning counts a reference.
///
/// It is the type for bulk: a plain `Vec<u8>` is a sequence to serde, whose elements are written
/// and read one by one. A value may have it anywhere inside, in a struct or an `Option`.
///
/// # Examples
///
/// ```
/// use tractor_ipc::{Bytes, codec}; // `tractor::Bytes`
///
/// let block = Bytes::from(vec![7; 100_000]);
/// assert_eq!(block[99_999], 7);
/// let encoded = codec::encode(&(1_u8, &block))?;
/// assert_eq!(codec::decode::<(u8, Bytes)>(&encoded), Ok((1, block)));
/// # Ok::<(), tractor_ipc::EncodeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(bytes::Bytes);

impl Bytes {
    /// A byte string of static memory.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(bytes::Bytes::from_static(bytes))
    }

    /// The same as the crate `bytes` has it, for its methods.
    pub fn into_inner(self) -> bytes::Bytes {
        self.0
    }

    /// The bytes in a vector of their own; copied unless this is the only reference.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<bytes::Bytes> for Bytes {
    fn from(bytes: bytes::Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for bytes::Bytes {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        Self(bytes.into_iter().collect())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.len() < SHARED_BYTES_MIN {
            return serializer.serialize_bytes(self);
        }
        OFFERED.with_borrow_mut(|offered| *offered = Some(self.0.clone()));
        let serialized = serializer.serialize_bytes(self);
        // Whoever copied it has not taken the offer.
        OFFERED.with_borrow_mut(|offered| *offered = None);
        serialized
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromBytes;
        impl<'de> Visitor<'de> for FromBytes {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
                Ok(part_of_source(bytes).unwrap_or_else(|| Bytes(bytes.to_vec().into())))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec().into()))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
        }
        deserializer.deserialize_byte_buf(FromBytes)
    }
}

/// The value that is being serialized, if these are its bytes.
pub(crate) fn take_offered(bytes: &[u8]) -> Option<Bytes> {
    let is_this = |offered: &mut bytes::Bytes| std::ptr::eq::<[u8]>(&**offered, bytes);
    OFFERED
        .with_borrow_mut(|offered| offered.take_if(is_this))
        .map(Bytes)
}

/// Runs `decode`; each [`Bytes`] that it decodes from the memory of `source` becomes a part of
/// that memory, if it is large enough to be worth keeping all of it.
pub fn sharing<R>(source: &Bytes, decode: impl FnOnce() -> R) -> R {
    /// Also when a panic passes.
    struct Restore(Option<bytes::Bytes>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            SOURCE.with_borrow_mut(|source| *source = before);
        }
    }
    let before = SOURCE.with_borrow_mut(|current| current.replace(source.0.clone()));
    let _restore = Restore(before);
    decode()
}

fn part_of_source(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < SHARED_BYTES_MIN {
        return None;
    }
    SOURCE.with_borrow(|source| {
        let source = source.as_ref()?;
        source
            .as_ptr_range()
            .contains(&bytes.as_ptr())
            .then(|| Bytes(source.slice_ref(bytes)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, Shared};

    fn block(len: usize) -> Bytes {
        (0..len).map(|n| n as u8).collect()
    }

    #[test]
    fn large_ones_are_left_where_they_lie() {
        let (small, large) = (block(100), block(SHARED_BYTES_MIN));
        let (mut out, mut shared) = (vec![9], Vec::new());
        codec::encode_shared(&(&small, Some(&large), 5_u8), &mut out, &mut shared).unwrap();
        let [Shared { at, bytes }] = &shared[..] else {
            panic!("one is large: {shared:?}");
        };
        assert_eq!(bytes.as_ptr(), large.as_ptr());
        let joined = [&out[..*at], bytes, &out[*at..]].concat();
        assert_eq!(
            joined[1..],
            codec::encode(&(small, Some(large), 5_u8)).unwrap()
        );
    }

    #[test]
    fn large_ones_are_parts_of_what_was_received() {
        let large = block(3 * SHARED_BYTES_MIN);
        let received = Bytes::from(codec::encode(&(&block(10), &large)).unwrap());
        let decode = || codec::decode::<(Bytes, Bytes)>(&received).unwrap();
        let (small, shared) = sharing(&received, decode);
        assert_eq!((&small, &shared), (&block(10), &large));
        assert!(received.as_ptr_range().contains(&shared.as_ptr()));
        assert!(
            !received.as_ptr_range().contains(&small.as_ptr()),
            "it would keep all of it"
        );
        let (_, copied) = decode();
        assert!(!received.as_ptr_range().contains(&copied.as_ptr()));
    }

    #[test]
    fn another_slice_of_the_same_length_is_copied() {
        struct Both(Bytes, Vec<u8>);
        impl Serialize for Both {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                OFFERED.with_borrow_mut(|offered| *offered = Some(self.0.0.clone()));
                serializer.serialize_bytes(&self.1)
            }
        }
        let both = Both(block(SHARED_BYTES_MIN), vec![1; SHARED_BYTES_MIN]);
        let (mut out, mut shared) = (Vec::new(), Vec::new());
        codec::encode_shared(&both, &mut out, &mut shared).unwrap();
        assert!(shared.is_empty());
        assert_eq!(out.len(), SHARED_BYTES_MIN + 3);
    }
}
