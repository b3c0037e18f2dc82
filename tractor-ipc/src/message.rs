//! [`Kind`], the one byte that says what a frame is, and the payloads of the handshake.
//!
//! The payloads of the other kinds belong to those who act on them, in the crates above.

use serde::{Deserialize, Serialize};

use crate::addr::Address;
use crate::aid::ActorId;
use crate::codec::{self, DecodeError};
use crate::tree::{BuildId, TreeId};

/// What a frame is.
///
/// The numbers are part of the protocol: a new kind gets a new number, an old number is never
/// given again. They stand in groups of eight: handshake, boot, calls, control, liveness, streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Who one is, and a challenge ([`Hello`]).
    Hello = 1,
    /// The answer of the side that connected ([`Proof`]).
    Proof = 2,
    /// The answer of the side that accepted ([`Welcome`]); after it the channel is open.
    Welcome = 3,
    /// Parent to child, first of all: who you are and what you need to know.
    Spec = 8,
    /// Child to parent: listening, ready for calls.
    Ready = 9,
    /// Starts a function; the id is the call's.
    Start = 16,
    /// The function's result.
    Return = 17,
    /// The function's failure.
    Fail = 18,
    /// Asks for the call to be cancelled.
    Cancel = 19,
    /// The function of a context, or one that streams, has begun and gives its first value.
    Started = 20,
    /// Items of a call's stream, as many as fit; see [`FROM_CALLEE`].
    Items = 21,
    /// The sender of a stream has sent its last item.
    End = 22,
    /// The receiver of a stream takes so many more bytes; or none ever, if there is no number.
    Credit = 23,
    /// Asks a service of the runtime itself.
    Request = 24,
    /// Answers a request, under its id.
    Reply = 25,
    /// Tells something up the tree.
    Report = 26,
    /// Asks an actor to end.
    Stop = 27,
    /// Acknowledges a stop, after the clean-up.
    Stopped = 28,
    /// Asks whether the runtime is alive.
    Ping = 32,
    /// Answers a ping, under its id.
    Pong = 33,
    /// Ends of streams come with the next `Start` or `Return` of this id; see [`FROM_CALLEE`].
    Ends = 40,
    /// The sender of a stream has come to where the reader is; the id is that of their dialog.
    Attach = 41,
    /// How the sender and the reader of a stream find each other.
    Meet = 42,
    /// What happened to one end of a stream that is no part of a call.
    Break = 43,
}

/// Set in the id of frames of a dialog (`Items`, `End`, `Credit`, `Meet`, `Break`) that the callee
/// sends, and of `Ends` before a `Return`: both sides number their own calls, and both send these.
pub const FROM_CALLEE: u64 = 1 << 63;

impl TryFrom<u8> for Kind {
    type Error = UnknownKind;

    #[inline]
    fn try_from(byte: u8) -> Result<Self, UnknownKind> {
        Ok(match byte {
            1 => Self::Hello,
            2 => Self::Proof,
            3 => Self::Welcome,
            8 => Self::Spec,
            9 => Self::Ready,
            16 => Self::Start,
            17 => Self::Return,
            18 => Self::Fail,
            19 => Self::Cancel,
            20 => Self::Started,
            21 => Self::Items,
            22 => Self::End,
            23 => Self::Credit,
            24 => Self::Request,
            25 => Self::Reply,
            26 => Self::Report,
            27 => Self::Stop,
            28 => Self::Stopped,
            32 => Self::Ping,
            33 => Self::Pong,
            40 => Self::Ends,
            41 => Self::Attach,
            42 => Self::Meet,
            43 => Self::Break,
            _ => return Err(UnknownKind(byte)),
        })
    }
}

/// No frame of this protocol has this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown frame kind {0}")]
pub struct UnknownKind(pub u8);

/// Who one is, and a challenge for the other side; the first message in both directions.
///
/// On the wire it begins with the protocol version as four little-endian bytes, in every
/// version, so that two versions can name each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The tree one belongs to.
    pub tree: TreeId,
    /// The build one runs.
    pub build: BuildId,
    /// Who one is.
    pub aid: ActorId,
    /// Where one listens, if anywhere.
    pub address: Option<Address>,
    /// Random bytes, used once.
    pub nonce: [u8; 32],
}

impl Hello {
    /// Encodes the message, headed by the protocol version.
    pub fn to_payload(&self, version: u32) -> Vec<u8> {
        let mut payload = version.to_le_bytes().to_vec();
        codec::encode_into(self, &mut payload).expect("its fields always encode");
        payload
    }

    /// Splits the version from what only that version can decode (with [`codec::decode`]).
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedEnd`] if there are fewer than four bytes.
    pub fn split_version(payload: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
        let (version, rest) = payload
            .split_first_chunk()
            .ok_or(DecodeError::UnexpectedEnd)?;
        Ok((u32::from_le_bytes(*version), rest))
    }
}

/// The answer of the side that connected: a keyed digest over both hellos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// HMAC-SHA-256 under the tree's secret.
    pub mac: [u8; 32],
}

/// The answer of the side that accepted, given only to one that proved itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// HMAC-SHA-256 under the tree's secret.
    pub mac: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_number() {
        let known: Vec<u8> = (0..=u8::MAX)
            .filter(|&byte| Kind::try_from(byte).is_ok())
            .collect();
        assert_eq!(
            known,
            [
                1, 2, 3, 8, 9, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 32, 33, 40, 41,
                42, 43
            ]
        );
        for byte in known {
            assert_eq!(Kind::try_from(byte).unwrap() as u8, byte);
        }
    }

    #[test]
    fn other_numbers_are_refused_by_name() {
        assert_eq!(Kind::try_from(200), Err(UnknownKind(200)));
    }

    #[test]
    fn the_version_can_be_read_alone() {
        assert_eq!(
            Hello::split_version(&[7, 0, 0, 0, 9]).unwrap(),
            (7, &[9][..])
        );
        assert_eq!(
            Hello::split_version(&[7, 0]),
            Err(DecodeError::UnexpectedEnd)
        );
    }
}
