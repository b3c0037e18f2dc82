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
        self.wait(|seen| position(seen, text).map(|start| (start, start + text.len())))
    }

    /// Waits for a prompt, `(tdb@NAME) `, and gives what stands before it, and the prompt.
    pub(crate) fn prompt(&mut self) -> Result<(String, String), Missing> {
        self.wait(|seen| {
            let start = position(seen, "(tdb@")?;
            let length = position(&seen[start..], ") ")? + 2;
            Some((start, start + length))
        })
    }

    /// Waits until nothing more can come, and gives the rest.
    pub(crate) fn rest(&mut self) -> Result<String, Missing> {
        match self.wait(|_| None) {
            Err(missing) if missing.is_over => Ok(missing.instead),
            Err(missing) => Err(missing),
            Ok((rest, _)) => Ok(rest),
        }
    }

    /// Waits for what `find` finds. It is short, so what was searched is not searched again.
    fn wait(
        &mut self,
        find: impl Fn(&[u8]) -> Option<(usize, usize)>,
    ) -> Result<(String, String), Missing> {
        let deadline = Instant::now() + PATIENCE;
        let mut from = 0;
        loop {
            if let Some((start, end)) = find(&self.text[from..]) {
                let rest = self.text.split_off(from + end);
                let found = self.text.split_off(from + start);
                let before = std::mem::replace(&mut self.text, rest);
                return Ok((text_of(&before), text_of(&found)));
            }
            from = self.text.len().saturating_sub(SOUGHT_BYTES_MAX);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.take(&piece),
                Err(error) => {
                    return Err(Missing {
                        is_over: error == mpsc::RecvTimeoutError::Disconnected,
                        instead: text_of(&self.text),
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

/// Longer than anything that is waited for.
const SOUGHT_BYTES_MAX: usize = 4096;

fn position(seen: &[u8], text: &str) -> Option<usize> {
    seen.windows(text.len())
        .position(|part| part == text.as_bytes())
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
