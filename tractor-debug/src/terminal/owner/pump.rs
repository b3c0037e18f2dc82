//! What the tree prints, taken and shown by the owner of the terminal between its other works.
//!
//! Nothing is taken that cannot be shown soon: whoever prints too fast waits, as at any terminal.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Owner;
use crate::terminal::output::Output;

impl Owner {
    /// Shows what was printed, and then lines of the runtime.
    pub(super) fn pump(&mut self) {
        if let Some(output) = &self.output {
            output.pty.follow(self.device.as_fd());
        }
        for _ in 0..PIECES_MAX {
            if !self.takes_output() {
                break;
            }
            let Some(piece) = self.output.as_mut().and_then(Output::read) else {
                break;
            };
            self.pass(piece, self.is_in_lines());
        }
        self.say_asides();
        if !self.is_in_lines() {
            self.pass(Vec::new(), false);
        }
    }

    /// Whether what is printed is to be shown now. When a prompt is to begin, only what was printed
    /// before: there may be no end of it.
    pub(super) fn takes_output(&self) -> bool {
        let prompt_comes = self.active.is_none() && !self.waiting.is_empty();
        let is_due = self.output.as_ref().is_some_and(Output::is_due);
        self.can_show() && (!prompt_comes || is_due)
    }

    /// Whether the terminal takes something, and nobody else is showing something. What is printed
    /// while a native debugger has it is kept for afterwards.
    fn can_show(&self) -> bool {
        let has_room = match (&self.lent, &self.active) {
            (Some(_), _) => self.unsaid_bytes < UNSAID_BYTES_KEPT,
            (None, Some(_)) => self.unsaid_bytes < UNSAID_BYTES_BEHIND,
            (None, None) => self.unsaid.is_empty(),
        };
        has_room && !self.device.is_behind()
    }

    /// Whether a prompt, or something else, can begin now at the beginning of a line.
    pub(super) fn is_settled(&mut self) -> bool {
        if !self.unsaid.is_empty() {
            return false;
        }
        let wanted = !self.waiting.is_empty() || self.has_asides();
        let Some(output) = self.output.as_mut().filter(|_| wanted) else {
            return true;
        };
        output.is_settled(Instant::now(), || self.device.put("\n"))
    }

    /// Waits until the editor has shown what it was given, for as long as one does that does.
    /// What it has not is shown again, perhaps a second time.
    pub(super) fn let_editor_show(&mut self) {
        let end = Instant::now() + EDITOR_SHOWS_WITHIN;
        while !self.unsaid.is_empty()
            && let Some(editor) = &self.editor
        {
            let left = end.saturating_duration_since(Instant::now());
            let limit = Timespec::try_from(left).unwrap_or_default();
            let mut events = PollFlags::IN;
            events.set(PollFlags::OUT, editor.has_unsent());
            match poll(&mut [PollFd::new(editor, events)], Some(&limit)) {
                Ok(1..) | Err(Errno::INTR) => self.hear(),
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Shows all that was printed, now that prompts are over, and lets what is printed from now on
    /// go to the terminal itself.
    pub(super) fn drain(&mut self, patience: Option<Duration>) {
        // Who still prints does it on two ways at a time, so there is as little as possible on this.
        self.empty(patience);
        if let Some(output) = &mut self.output {
            output.pty.put_back();
        }
        self.empty(patience);
        let Some(output) = &mut self.output else {
            return;
        };
        self.device.put(output.rest());
        while let Some(line) = output.next_aside(false) {
            output.end_line(|| self.device.put("\n"));
            self.device.put(line + "\n");
            self.device.finish(patience);
        }
    }

    fn empty(&mut self, patience: Option<Duration>) {
        while let Some(piece) = self.output.as_mut().and_then(Output::read) {
            self.pass(piece, true);
            self.device.finish(patience);
        }
    }

    /// Shows of these bytes what can be shown now.
    fn pass(&mut self, piece: Vec<u8>, in_lines: bool) {
        let Some(output) = &mut self.output else {
            return;
        };
        let shown = output.pass(piece, in_lines);
        if self.active.is_none() && self.lent.is_none() {
            self.device.put(shown);
        } else if let Some(lines) = shown.strip_suffix(b"\n") {
            self.say(String::from_utf8_lossy(lines).into_owned());
        } else if !shown.is_empty() {
            self.say(String::from_utf8_lossy(&shown).into_owned());
        }
    }

    fn say_asides(&mut self) {
        let prompt_comes = self.active.is_none() && !self.waiting.is_empty();
        if !self.has_asides()
            || self.lent.is_some()
            || (self.active.is_none() && !self.is_settled())
        {
            return;
        }
        while self.can_show()
            && let Some(output) = &mut self.output
            && let Some(line) = output.next_aside(prompt_comes)
        {
            self.say(line);
        }
    }

    /// Whether only whole lines are shown.
    fn is_in_lines(&self) -> bool {
        self.editor.is_some()
            || self.lent.is_some()
            || !self.waiting.is_empty()
            || self.has_asides()
    }

    fn has_asides(&self) -> bool {
        self.output
            .as_ref()
            .is_some_and(|output| output.has_asides())
    }
}

/// So much is taken before commands are looked at again: more than there can be at a time.
const PIECES_MAX: usize = 32;

/// What may wait for the editor before no more output is taken.
const UNSAID_BYTES_BEHIND: usize = 64 << 10;

/// What is kept while a native debugger has the terminal before whoever prints has to wait.
const UNSAID_BYTES_KEPT: usize = 4 << 20;

/// The editor shows a line in less, unless it is stopped or the terminal is.
const EDITOR_SHOWS_WITHIN: Duration = Duration::from_millis(250);
