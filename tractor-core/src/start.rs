//! The header of a `Start` frame: which function, and by when.
//!
//! Pure. Fixed little-endian fields, because every call pays for them; the encoded arguments
//! follow.

use std::sync::OnceLock;
use std::time::Duration;

use crate::exports::{self, Export};

/// What stands before the arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The function's number in its build.
    pub(crate) export: u32,
    /// The fingerprint of the signature that the caller knows it by.
    pub(crate) signature: u64,
    /// How much time the callee has.
    pub(crate) remaining: Option<Duration>,
}

/// Bytes of an encoded [`Header`].
const BYTES: usize = 20;
/// Stands for no deadline.
const NO_DEADLINE: u64 = u64::MAX;

impl Header {
    /// Appends the header.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let micros = self.remaining.map(|remaining| remaining.as_micros());
        let micros = micros
            .and_then(|micros| u64::try_from(micros).ok())
            .unwrap_or(NO_DEADLINE);
        out.extend_from_slice(&self.export.to_le_bytes());
        out.extend_from_slice(&self.signature.to_le_bytes());
        out.extend_from_slice(&micros.to_le_bytes());
    }

    /// Splits a payload into header and arguments; `None` if it is too short.
    pub(crate) fn split(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (header, args) = payload.split_first_chunk::<BYTES>()?;
        let (export, rest) = header.split_first_chunk::<4>()?;
        let (signature, rest) = rest.split_first_chunk::<8>()?;
        let micros = u64::from_le_bytes(*rest.first_chunk()?);
        let header = Self {
            export: u32::from_le_bytes(*export),
            signature: u64::from_le_bytes(*signature),
            remaining: (micros != NO_DEADLINE).then(|| Duration::from_micros(micros)),
        };
        Some((header, args))
    }
}

/// The fingerprint of an export's signature, by the export's number.
pub(crate) fn signature(export: u32) -> Option<u64> {
    static SIGNATURES: OnceLock<Vec<u64>> = OnceLock::new();
    let all = SIGNATURES.get_or_init(|| {
        (0..)
            .map_while(exports::by_index)
            .map(fingerprint)
            .collect()
    });
    all.get(export as usize).copied()
}

/// FNV-1a over the path and the signature.
fn fingerprint(export: &Export) -> u64 {
    let texts = [export.module, export.name, export.signature];
    texts
        .iter()
        .flat_map(|text| text.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Leaves the callee a little less time than the caller has, so that its own report of the
/// deadline arrives before the caller gives up: a sixteenth, at least 1 ms, at most 50 ms.
pub(crate) fn callee_share(remaining: Duration) -> Duration {
    let margin = (remaining / 16).clamp(Duration::from_millis(1), Duration::from_millis(50));
    remaining.saturating_sub(margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        for remaining in [
            None,
            Some(Duration::ZERO),
            Some(Duration::from_millis(1500)),
        ] {
            let header = Header {
                export: 7,
                signature: u64::MAX - 1,
                remaining,
            };
            let mut payload = Vec::new();
            header.write(&mut payload);
            payload.extend_from_slice(b"args");
            assert_eq!(Header::split(&payload), Some((header, &b"args"[..])));
        }
        assert_eq!(Header::split(&[0; BYTES - 1]), None);
    }

    #[test]
    fn the_callee_has_less_time_than_the_caller() {
        let ms = Duration::from_millis;
        assert_eq!(callee_share(ms(1600)), ms(1550));
        assert_eq!(callee_share(ms(160)), ms(150));
        assert_eq!(callee_share(ms(4)), ms(3));
        assert_eq!(callee_share(Duration::from_micros(10)), Duration::ZERO);
    }
}
