//! [`Output`]: what appears on a terminal, without its colours, as it appears.

use std::fs::File;
use std::io::Read;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use crate::support::PATIENCE;

/// What has appeared and was not waited for yet.
pub(crate) struct Output {
    pieces: Receiver<Vec<u8>>,
    text: Vec<u8>,
    is_in_escape: bool,
}

/// What has not come.
#[derive(Debug)]
pub(crate) struct Missing {
    /// Whether nothing more can come.
    pub(crate) is_over: bool,
    /// What has come instead.
    pub(crate) instead: String,
}

impl Output {
    /// Of the terminal with this other end. It is over when nobody has the terminal any more.
    pub(crate) fn of(mut terminal: File) -> Self {
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = terminal.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            text: Vec::new(),
            is_in_escape: false,
        }
    }

    /// Waits for a text, and gives what stands before it, and the text.
    pub(crate) fn text(&mut self, text: &str) -> Result<(String, String), Missing> {
        self.wait(text.len(), |seen| {
            position(seen, text.as_bytes()).map(|start| (start, start + text.len()))
        })
    }

    /// Waits for a prompt, `(tdb@NAME) `, and gives what stands before it, and the prompt.
    pub(crate) fn prompt(&mut self) -> Result<(String, String), Missing> {
        self.wait(PROMPT_BYTES_MAX, |seen| {
            let start = position(seen, b"(tdb@")?;
            let length = position(&seen[start..], b") ")? + 2;
            Some((start, start + length))
        })
    }

    /// Waits until nothing more can come, and gives the rest.
    pub(crate) fn rest(&mut self) -> Result<String, Missing> {
        match self.wait(0, |_| None) {
            Err(missing) if missing.is_over => Ok(missing.instead),
            Err(missing) => Err(missing),
            Ok((rest, _)) => Ok(rest),
        }
    }

    /// Waits for what `find` finds, which is not longer than `longest`.
    fn wait(
        &mut self,
        longest: usize,
        find: impl Fn(&[u8]) -> Option<(usize, usize)>,
    ) -> Result<(String, String), Missing> {
        let deadline = Instant::now() + PATIENCE;
        // There may be megabytes: what was looked at once is not looked at again.
        let mut from = 0;
        loop {
            if let Some((start, end)) = find(&self.text[from..]) {
                let found = self.text[from + start..from + end].to_vec();
                let before: Vec<_> = self.text.drain(..from + end).take(from + start).collect();
                return Ok((lossy(&before), lossy(&found)));
            }
            from = self.text.len().saturating_sub(longest);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.take(&piece),
                Err(error) => {
                    return Err(Missing {
                        is_over: error == mpsc::RecvTimeoutError::Disconnected,
                        instead: lossy(&self.text),
                    });
                }
            }
        }
    }

    /// Takes a piece, without escape sequences, which end with a letter.
    fn take(&mut self, piece: &[u8]) {
        for byte in piece {
            match (self.is_in_escape, byte) {
                (_, 0x1b) => self.is_in_escape = true,
                (true, byte) => self.is_in_escape = !byte.is_ascii_alphabetic(),
                (false, byte) => self.text.push(*byte),
            }
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// No actor of the tests has a longer name.
const PROMPT_BYTES_MAX: usize = 200;
