//! Values to bytes and back: the one module that names the codec (bincode's standard format).
//!
//! Decoding is safe on any bytes: a claimed length allocates no more than the input could hold,
//! nesting is bounded, an element without bytes cannot repeat for ever, and what is left over is
//! an error. The format does not describe itself, so `#[serde(flatten)]`, `#[serde(untagged)]`,
//! `#[serde(tag = …)]` and `#[serde(skip_serializing_if = …)]` do not work with it, and are errors.

// What is written.
mod output;
// What is read.
mod structure;

use std::fmt::Display;

use bincode::config::{self, Configuration};
use bincode::de::read::Reader;
use bincode::de::{Decode, Decoder, DecoderImpl};
use bincode::enc::EncoderImpl;
use bincode::enc::write::Writer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::output::{Failure, Output};
use crate::limits::{
    DECODE_DEPTH_MAX, DECODE_EMPTY_ELEMENTS_MAX, FRAME_BYTES_MAX, SHARED_BYTES_MIN,
};

/// Encodes a value into bytes of its own.
///
/// # Errors
///
/// As [`encode_into`].
///
/// # Examples
///
/// ```
/// use tractor_ipc::codec;
///
/// let bytes = codec::encode(&(7_u32, "seven"))?;
/// assert_eq!(codec::decode::<(u32, String)>(&bytes).unwrap(), (7, "seven".to_owned()));
/// # Ok::<(), tractor_ipc::EncodeError>(())
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    // Most messages fit; without it the first bytes would reallocate four times.
    let mut bytes = Vec::with_capacity(64);
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// Encodes a value at the end of `out`, which stays as it was on failure, also if the value's
/// own `Serialize` panics.
///
/// # Errors
///
/// [`EncodeError::Invalid`] if the value refuses to be serialized; [`EncodeError::LeftOut`] and
/// [`EncodeError::UnknownLength`] if its type is of a kind that cannot be read back;
/// [`EncodeError::TooLong`] if it exceeds [`FRAME_BYTES_MAX`]. All are the caller's.
#[inline]
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let mut tail = Tail { out, keep: start };
    write(value, &mut tail)?;
    let len = tail.out.len() - start;
    if len > FRAME_BYTES_MAX {
        return Err(EncodeError::TooLong { len });
    }
    tail.keep = tail.out.len();
    Ok(())
}

/// As [`encode_into`]; [`Bytes`](crate::Bytes) of [`SHARED_BYTES_MIN`] and more are not copied.
/// They are left out of `out` and appended to `shared`, each with the place in `out` that it
/// belongs before.
///
/// # Errors
///
/// As [`encode_into`].
#[inline]
pub fn encode_shared<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
    shared: &mut Vec<Shared>,
) -> Result<(), EncodeError> {
    let (start, before) = (out.len(), shared.len());
    let mut tail = Sharing {
        tail: Tail { out, keep: start },
        shared,
    };
    let result = write(value, &mut tail);
    let Sharing { mut tail, shared } = tail;
    let apart: usize = shared[before..].iter().map(|part| part.bytes.len()).sum();
    let len = tail.out.len() - start + apart;
    if let Err(error) = result {
        shared.truncate(before);
        return Err(error);
    }
    if len > FRAME_BYTES_MAX {
        shared.truncate(before);
        return Err(EncodeError::TooLong { len });
    }
    tail.keep = tail.out.len();
    Ok(())
}

#[inline(always)]
fn write<T: Serialize + ?Sized>(value: &T, writer: impl Writer) -> Result<(), EncodeError> {
    let mut encoder = EncoderImpl::new(writer, config::standard());
    value
        .serialize(Output(&mut encoder))
        .map_err(Failure::into_inner)
}

/// A byte string that [`encode_shared`] did not copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Before which byte of the encoding it belongs.
    pub at: usize,
    /// The byte string.
    pub bytes: crate::Bytes,
}

/// Decodes a value from all of `bytes`.
///
/// # Errors
///
/// [`DecodeError`], always the fault of who encoded: other types, other software, or malice.
///
/// # Examples
///
/// ```
/// use tractor_ipc::{DecodeError, codec};
///
/// assert_eq!(codec::decode::<u8>(&[1, 2, 3]), Err(DecodeError::Trailing { left: 2 }));
/// ```
#[inline]
pub fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, DecodeError> {
    let value = decode_first(&mut bytes)?;
    match bytes.len() {
        0 => Ok(value),
        left => Err(DecodeError::Trailing { left }),
    }
}

/// Decodes a value from the beginning of `bytes`, and leaves what stands behind it.
///
/// # Errors
///
/// [`DecodeError`], but for [`Trailing`](DecodeError::Trailing). What is left then is undefined.
///
/// # Examples
///
/// ```
/// use tractor_ipc::codec;
///
/// let mut bytes = &[1, 2, 3][..];
/// assert_eq!(codec::decode_first::<(u8, u8)>(&mut bytes), Ok((1, 2)));
/// assert_eq!(bytes, [3]);
/// ```
#[inline]
pub fn decode_first<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, DecodeError> {
    let mut input = Input {
        decoder: DecoderImpl::new(Bytes { left: bytes }, config::standard(), ()),
        levels_left: DECODE_DEPTH_MAX,
        empties_left: DECODE_EMPTY_ELEMENTS_MAX,
    };
    let value = T::deserialize(&mut input)?;
    *bytes = input.decoder.reader().left;
    Ok(value)
}

/// Why a value could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value says why.
    #[error("encode a value: {0}")]
    Invalid(String),
    /// A field is left out, as `#[serde(skip_serializing_if = …)]` does: what follows would be read
    /// in its place.
    #[error(
        "encode a value: its field `{field}` is left out, and whoever reads could not tell \
         (`skip_serializing_if` does not work here)"
    )]
    LeftOut {
        /// Its name.
        field: &'static str,
    },
    /// A sequence or a map does not say how long it is, as with `#[serde(flatten)]`.
    #[error(
        "encode a value: a part of it does not say beforehand how long it is \
         (`flatten` does not work here)"
    )]
    UnknownLength,
    /// The value takes more bytes than a frame can carry.
    #[error("encode a value of {len} bytes, more than {FRAME_BYTES_MAX}")]
    TooLong {
        /// The bytes it takes.
        len: usize,
    },
}

/// Why bytes are not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("decode a value: its bytes end too early")]
    UnexpectedEnd,
    /// The value ends before the bytes do.
    #[error("decode a value: {left} bytes are left over")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// The value is nested deeper than [`DECODE_DEPTH_MAX`].
    #[error("decode a value nested deeper than {DECODE_DEPTH_MAX} levels")]
    TooDeep,
    /// There are more than [`DECODE_EMPTY_ELEMENTS_MAX`] elements without any bytes.
    #[error("decode a value of more than {DECODE_EMPTY_ELEMENTS_MAX} elements without content")]
    TooManyEmpty,
    /// The type needs a format that describes itself, for the reason in the module's header.
    #[error(
        "decode a value of a type that asks the format what comes next (`tag`, `untagged`, \
         `flatten` and values of any type, such as those of JSON, do not work here)"
    )]
    NotSelfDescribing,
    /// The bytes say something that the type cannot be.
    #[error("decode a value: {0}")]
    Invalid(String),
}

impl From<bincode::error::DecodeError> for DecodeError {
    #[cold]
    fn from(error: bincode::error::DecodeError) -> Self {
        use bincode::error::DecodeError as E;
        match error {
            E::UnexpectedEnd { .. } => Self::UnexpectedEnd,
            E::InvalidBooleanValue(byte) => Self::Invalid(format!("{byte} is no boolean")),
            E::InvalidCharEncoding(_) => Self::Invalid("a character is not UTF-8".to_owned()),
            E::InvalidIntegerType { expected, found } => Self::Invalid(format!(
                "an integer is a {found:?} instead of a {expected:?}"
            )),
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl serde::de::Error for DecodeError {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::Invalid(message.to_string())
    }
}

/// What is appended to a buffer, and taken back on drop unless it is kept.
struct Tail<'a> {
    out: &'a mut Vec<u8>,
    keep: usize,
}

impl Writer for Tail<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl Drop for Tail<'_> {
    #[inline]
    fn drop(&mut self) {
        self.out.truncate(self.keep);
    }
}

/// The same, with the byte strings that are not copied.
struct Sharing<'a> {
    tail: Tail<'a>,
    shared: &'a mut Vec<Shared>,
}

impl Writer for Sharing<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        if bytes.len() >= SHARED_BYTES_MIN
            && let Some(bytes) = crate::bytes::take_offered(bytes)
        {
            let at = self.tail.out.len();
            self.shared.push(Shared { at, bytes });
            return Ok(());
        }
        self.tail.write(bytes)
    }
}

/// The bytes not yet decoded, as the codec's integers read them.
struct Bytes<'de> {
    left: &'de [u8],
}

impl Reader for Bytes<'_> {
    #[inline(always)]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), bincode::error::DecodeError> {
        let Some((head, left)) = self.left.split_at_checked(bytes.len()) else {
            let additional = bytes.len() - self.left.len();
            return Err(bincode::error::DecodeError::UnexpectedEnd { additional });
        };
        bytes.copy_from_slice(head);
        self.left = left;
        Ok(())
    }

    #[inline(always)]
    fn peek_read(&mut self, len: usize) -> Option<&[u8]> {
        self.left.get(..len)
    }

    #[inline(always)]
    fn consume(&mut self, len: usize) {
        self.left = self.left.get(len..).unwrap_or_default();
    }
}

/// The state of the deserializer. Integers, floats and characters are the codec's; what holds
/// others is read in `structure.rs`, because the codec's own deserializer trusts lengths and
/// recurses without a bound.
struct Input<'de> {
    decoder: DecoderImpl<Bytes<'de>, Configuration, ()>,
    levels_left: u32,
    empties_left: usize,
}

impl<'de> Input<'de> {
    #[inline(always)]
    fn left_bytes(&mut self) -> usize {
        self.decoder.reader().left.len()
    }

    #[inline(always)]
    fn primitive<T: Decode<()>>(&mut self) -> Result<T, DecodeError> {
        Ok(T::decode(&mut self.decoder)?)
    }

    #[inline]
    fn len(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.primitive::<u64>()?).map_err(|_| DecodeError::UnexpectedEnd)
    }

    #[inline]
    fn slice(&mut self) -> Result<&'de [u8], DecodeError> {
        let len = self.len()?;
        let left = &mut self.decoder.reader().left;
        let (head, tail) = left
            .split_at_checked(len)
            .ok_or(DecodeError::UnexpectedEnd)?;
        *left = tail;
        Ok(head)
    }

    /// Reads one level deeper. Only a success restores the level: a failure ends the decoding.
    #[inline]
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        self.levels_left = self
            .levels_left
            .checked_sub(1)
            .ok_or(DecodeError::TooDeep)?;
        let value = read(self)?;
        self.levels_left += 1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Serializer};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Node(Option<Box<Self>>);

    fn chain(nodes: u32) -> Node {
        (1..nodes).fold(Node(None), |inner, _| Node(Some(Box::new(inner))))
    }

    #[test]
    fn nesting_is_bounded() {
        // A node is two levels, the struct and its option.
        let deepest = encode(&chain(DECODE_DEPTH_MAX / 2)).unwrap();
        assert!(decode::<Node>(&deepest).is_ok());
        assert_eq!(decode::<Node>(&[1; 100_000]), Err(DecodeError::TooDeep));
    }

    #[test]
    fn siblings_are_not_nesting() {
        let value: Vec<Option<(u8, String)>> = vec![Some((1, "x".into())); 1000];
        assert_eq!(decode(&encode(&value).unwrap()), Ok(value));
    }

    #[test]
    fn a_lying_length_allocates_nothing() {
        let lie = encode(&u64::MAX).unwrap();
        assert_eq!(decode::<String>(&lie), Err(DecodeError::UnexpectedEnd));
        assert_eq!(decode::<Vec<u64>>(&lie), Err(DecodeError::UnexpectedEnd));
        assert_eq!(
            decode::<serde_bytes::ByteBuf>(&lie),
            Err(DecodeError::UnexpectedEnd)
        );
    }

    #[test]
    fn elements_without_bytes_end() {
        let lie = encode(&u64::MAX).unwrap();
        assert_eq!(decode::<Vec<()>>(&lie), Err(DecodeError::TooManyEmpty));
        let units = vec![(); DECODE_EMPTY_ELEMENTS_MAX];
        assert_eq!(decode::<Vec<()>>(&encode(&units).unwrap()), Ok(units));
        // The bound is the whole value's: many short lists do not add up to a long one.
        let lists = vec![vec![(); 1000]; 1000];
        assert_eq!(
            decode::<Vec<Vec<()>>>(&encode(&lists).unwrap()),
            Err(DecodeError::TooManyEmpty)
        );
    }

    #[test]
    fn empty_fields_are_no_empty_elements() {
        let value = vec![(1_u8, (), (), ()); DECODE_EMPTY_ELEMENTS_MAX];
        assert_eq!(decode(&encode(&value).unwrap()), Ok(value));
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        assert_eq!(decode::<()>(&[0]), Err(DecodeError::Trailing { left: 1 }));
        assert_eq!(decode::<u8>(&[]), Err(DecodeError::UnexpectedEnd));
    }

    #[test]
    fn errors_are_readable() {
        let check = |error: DecodeError, text: &str| {
            assert_eq!(error.to_string(), format!("decode a value: {text}"));
        };
        check(decode::<bool>(&[7]).unwrap_err(), "7 is no boolean");
        check(
            decode::<Option<u8>>(&[2]).unwrap_err(),
            "2 is neither some nor none",
        );
        check(
            decode::<u16>(&[251]).unwrap_err(),
            "its bytes end too early",
        );
        check(
            decode::<u16>(&[252, 0, 0, 0, 0]).unwrap_err(),
            "an integer is a U32 instead of a U16",
        );
        check(
            decode::<Result<u8, u8>>(&[9]).unwrap_err(),
            "invalid value: integer `9`, expected `Ok` or `Err`",
        );
    }

    #[test]
    fn a_failed_or_panicking_value_leaves_the_buffer() {
        struct Half(bool);
        impl Serialize for Half {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut seq = serializer.serialize_seq(Some(2))?;
                seq.serialize_element(&1_u32)?;
                assert!(self.0, "told to panic");
                Err(serde::ser::Error::custom("half done"))
            }
        }
        let mut out = vec![42];
        let error = encode_into(&Half(true), &mut out).unwrap_err();
        assert_eq!(error, EncodeError::Invalid("half done".into()));
        let panicking = std::panic::AssertUnwindSafe(|| encode_into(&Half(false), &mut out));
        std::panic::catch_unwind(panicking).unwrap_err();
        assert_eq!(out, [42]);
    }

    #[test]
    fn a_field_that_is_left_out_is_refused_by_name() {
        #[derive(Serialize)]
        struct Person {
            #[serde(skip)]
            _cache: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<u8>,
        }
        #[derive(Serialize)]
        enum Shape {
            Box {
                #[serde(skip_serializing_if = "Option::is_none")]
                width: Option<u8>,
            },
        }
        let left_out = |field| Err(EncodeError::LeftOut { field });
        let person = |name| Person { _cache: 1, name };
        assert_eq!(encode(&person(Some(7))), Ok(vec![1, 7]));
        assert_eq!(encode(&person(None)), left_out("name"));
        assert_eq!(encode(&Shape::Box { width: None }), left_out("width"));
    }

    #[test]
    fn types_for_other_formats_are_refused_and_say_why() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Flat {
            #[serde(flatten)]
            inner: Inner,
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Inner {
            n: u8,
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            One { n: u8 },
        }
        let flat = Flat {
            inner: Inner { n: 1 },
        };
        let error = encode(&flat).unwrap_err();
        assert_eq!(error, EncodeError::UnknownLength);
        assert!(error.to_string().contains("`flatten`"), "{error}");
        let bytes = encode(&Tagged::One { n: 1 }).unwrap();
        let error = decode::<Tagged>(&bytes).unwrap_err();
        assert_eq!(error, DecodeError::NotSelfDescribing);
        assert!(error.to_string().contains("`tag`"), "{error}");
    }

    #[test]
    fn unsized_values_encode() {
        assert_eq!(encode("abc").unwrap(), [3, b'a', b'b', b'c']);
        assert_eq!(encode(&[1_u8, 2][..]).unwrap(), [2, 1, 2]);
    }
}
