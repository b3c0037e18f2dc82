//! [`Output`]: what the tree prints, on its way to the terminal.
//!
//! While nobody types it goes there as it comes. Before and during a prompt it goes in whole lines,
//! so that a prompt begins at the beginning of a line, and what is shown above it ends at the end of
//! one; the last piece without an end is kept.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, mem};

use super::backlog::Backlog;
use super::pty::Pty;

/// What the tree prints, and lines of the runtime beside it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) pty: Pty,
    lines: Lines,
    /// Since when somebody waits for the end of the line that is shown.
    waited_since: Option<Instant>,
    asides: VecDeque<String>,
    backlog: Arc<Backlog>,
    /// How much is still shown before the next prompt, of what is printed and of the asides.
    due: (usize, usize),
}

impl Output {
    /// Takes what goes to the `real` terminal, if something does.
    pub(super) fn before(real: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        Ok(Pty::before(real)?.map(|pty| Self {
            pty,
            lines: Lines::default(),
            waited_since: None,
            asides: VecDeque::new(),
            backlog: Arc::default(),
            due: (0, 0),
        }))
    }

    /// The next of what was printed, if there is something.
    pub(super) fn read(&mut self) -> Option<Vec<u8>> {
        let piece = self.pty.read();
        let length = piece.as_ref().map_or(usize::MAX, Vec::len);
        self.due.0 = self.due.0.saturating_sub(length);
        piece
    }

    /// What of these bytes is to be shown now.
    pub(super) fn pass(&mut self, bytes: Vec<u8>, in_lines: bool) -> Vec<u8> {
        self.lines.pass(bytes, in_lines)
    }

    /// A prompt is asked for: what was printed before that is shown before it.
    pub(super) fn prompt_comes(&mut self) {
        self.due = (PTY_BYTES_MAX, self.asides.len());
    }

    /// Whether more of what is printed has to be shown before a prompt can begin.
    pub(super) fn is_due(&self) -> bool {
        self.due.0 > 0 || self.lines.is_open
    }

    /// What was kept for its end, which may never come.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        self.lines.rest()
    }

    /// Whether another text can be shown at the beginning of a line. If the line that is shown does
    /// not end soon, it never will: then `end` is to be shown first.
    pub(super) fn is_settled(&mut self, now: Instant, end: impl FnOnce()) -> bool {
        if !self.lines.is_open {
            self.waited_since = None;
            return true;
        }
        let since = *self.waited_since.get_or_insert(now);
        let over = now.saturating_duration_since(since) >= END_OF_LINE_MAX;
        if over {
            self.waited_since = None;
            self.end_line(end);
        }
        over
    }

    /// Ends the line that is shown by `end`, if it has no end.
    pub(super) fn end_line(&mut self, end: impl FnOnce()) {
        if mem::take(&mut self.lines.is_open) {
            end();
        }
    }

    /// How long the end of the line that is shown is waited for from now on, if it is.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        let since = self.waited_since?;
        Some((since + END_OF_LINE_MAX).saturating_duration_since(now))
    }

    /// Keeps a line of the runtime until everything is shown that was printed before it.
    pub(super) fn keep_aside(&mut self, line: String) {
        self.asides.push_back(line);
    }

    /// Whether lines of the runtime wait.
    pub(super) fn has_asides(&self) -> bool {
        !self.asides.is_empty() || self.backlog.has_lost()
    }

    /// The next line of the runtime; before a prompt only one that is older than that.
    pub(super) fn next_aside(&mut self, before_prompt: bool) -> Option<String> {
        if before_prompt && self.due.1 == 0 {
            return None;
        }
        self.due.1 = self.due.1.saturating_sub(1);
        if let Some(line) = self.asides.pop_front() {
            self.backlog.take(line.len());
            return Some(line);
        }
        let lost = self.backlog.take_lost();
        (lost > 0).then(|| format!("{lost} lines came too fast and are not shown"))
    }

    /// How much waits of the runtime's own lines.
    pub(super) fn backlog(&self) -> Arc<Backlog> {
        self.backlog.clone()
    }
}

/// Where one line ends and the next begins. Pure.
#[derive(Debug, Default)]
struct Lines {
    /// Not shown, because its end has not come.
    kept: Vec<u8>,
    /// Whether the last line that is shown has no end yet.
    is_open: bool,
}

impl Lines {
    /// What of these bytes is to be shown now.
    fn pass(&mut self, bytes: Vec<u8>, in_lines: bool) -> Vec<u8> {
        let mut all = mem::take(&mut self.kept);
        all.extend(bytes);
        if in_lines {
            let end = all.iter().rposition(|byte| *byte == b'\n');
            let end = end.map_or(0, |at| at + 1);
            if all.len() - end <= LINE_BYTES_MAX {
                self.kept = all.split_off(end);
            }
        }
        if let Some(last) = all.last() {
            self.is_open = *last != b'\n';
        }
        all
    }

    fn rest(&mut self) -> Vec<u8> {
        self.pass(Vec::new(), false)
    }
}

/// A program that prints a line in pieces does so in less.
const END_OF_LINE_MAX: Duration = Duration::from_millis(100);

/// A longer line is shown in pieces.
const LINE_BYTES_MAX: usize = 64 << 10;

/// More than a terminal can keep that was printed and not read.
const PTY_BYTES_MAX: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(lines: &mut Lines, text: &str, in_lines: bool) -> String {
        let shown = lines.pass(text.as_bytes().to_vec(), in_lines);
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn without_a_prompt_everything_is_shown_as_it_comes() {
        let mut lines = Lines::default();
        assert_eq!(passed(&mut lines, "a", false), "a");
        assert!(lines.is_open);
        assert_eq!(passed(&mut lines, "b\n", false), "b\n");
        assert!(!lines.is_open);
    }

    #[test]
    fn with_one_the_last_piece_is_kept_for_its_end() {
        let mut lines = Lines::default();
        assert_eq!(passed(&mut lines, "a\nb\nc", true), "a\nb\n");
        assert!(!lines.is_open);
        assert_eq!(passed(&mut lines, "d", true), "");
        assert_eq!(passed(&mut lines, "\ne", true), "cd\n");
        assert_eq!(lines.rest(), b"e");
        assert!(lines.is_open);
        assert_eq!(lines.rest(), b"");
    }

    #[test]
    fn a_line_that_was_begun_before_is_ended_first() {
        let mut lines = Lines::default();
        assert_eq!(passed(&mut lines, "a", false), "a");
        assert_eq!(passed(&mut lines, "b", true), "");
        assert!(lines.is_open);
        assert_eq!(passed(&mut lines, "c\nd", true), "bc\n");
        assert!(!lines.is_open);
        assert_eq!(passed(&mut lines, "", false), "d");
    }

    #[test]
    fn a_line_without_an_end_is_shown_in_pieces() {
        let mut lines = Lines::default();
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        assert_eq!(passed(&mut lines, &long, true), long);
        assert!(lines.is_open);
    }
}
