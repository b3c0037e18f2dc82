//! What the owner of the terminal and its line editor say to each other, and how it is cut into
//! messages: a length of four bytes, then the value.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tractor_ipc::codec;
use tractor_ipc::limits::FRAME_BYTES_MAX;

/// What the editor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Show the prompt and read a line.
    Read {
        number: u64,
        prompt: String,
        words: Vec<String>,
    },
    /// Show this line above the prompt.
    Say { number: u64, line: String },
    /// Ctrl-C has come as a signal, which means that it did not come as a key.
    Interrupted,
    /// A shell had the terminal: the prompt and what was typed are to be drawn again.
    Redraw,
}

/// What the editor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// This was typed.
    Line { number: u64, line: String },
    /// The end of input was typed, or the terminal has nothing more to give.
    EndOfInput { number: u64 },
    /// All lines up to this one are shown.
    Said { number: u64 },
    /// What is typed is not kept, and no later editor should try.
    HistoryLost { reason: String },
}

/// Appends a message.
///
/// # Errors
///
/// `InvalidInput` if it is too long.
pub(crate) fn put<T: Serialize>(message: &T, out: &mut Vec<u8>) -> io::Result<()> {
    let bytes = codec::encode(message)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let length = u32::try_from(bytes.len())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Takes the first message, if all of it is there.
///
/// # Errors
///
/// `InvalidData` if it is none, or longer than [`MESSAGE_BYTES_MAX`].
pub(crate) fn take<T: DeserializeOwned>(bytes: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > MESSAGE_BYTES_MAX {
        let text = format!("a message of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let Some(body) = rest.get(..length) else {
        return Ok(None);
    };
    let message =
        codec::decode(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    bytes.drain(..4 + length);
    Ok(Some(message))
}

/// The longest message, as the codec has it. Lines are cut long before by whoever sends them.
pub(crate) const MESSAGE_BYTES_MAX: usize = FRAME_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_whatever_the_pieces() {
        let orders = [
            Order::Interrupted,
            Order::Say {
                number: 7,
                line: "seven".into(),
            },
            Order::Read {
                number: 1,
                prompt: "> ".into(),
                words: vec!["continue".into()],
            },
        ];
        let mut bytes = Vec::new();
        for order in &orders {
            put(order, &mut bytes).unwrap();
        }
        for size in 1..bytes.len() {
            let (mut inbox, mut taken) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(size) {
                inbox.extend_from_slice(piece);
                while let Some(order) = take::<Order>(&mut inbox).unwrap() {
                    taken.push(order);
                }
            }
            assert_eq!(taken, orders, "in pieces of {size}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn a_length_that_no_message_has_is_refused() {
        let mut bytes = u32::MAX.to_le_bytes().to_vec();
        let error = take::<Answer>(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let mut bytes = vec![1, 0, 0, 0, 0xff];
        let error = take::<Answer>(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
