//! What the owner of the terminal does when a shell has it: this process is stopped, or is in the
//! background.

use std::time::{Duration, Instant};

use super::{Owner, send};
use crate::editor::END_OF_EDITING;
use crate::editor::wire::Order;

impl Owner {
    /// Puts the terminal back, and keeps the line that is being read. When the editor itself has
    /// brought the stop about, by a key, it has done so already.
    pub(super) fn suspend(&mut self) {
        if self.editor.is_none() {
            // What the shell says begins at the beginning of a line.
            self.pump_lines();
            self.device.finish(Some(SHOWN_WITHIN));
        }
        self.is_suspended = true;
        let Some(editor) = self.editor.as_ref().filter(|_| self.active.is_some()) else {
            return;
        };
        let Some(edited) = self.device.edited() else {
            return;
        };
        // It must not draw, nor put its settings back, while the shell has the terminal.
        if !editor.stop(Instant::now() + EDITOR_STOPS_WITHIN) {
            log::warn!("the line editor does not stop");
        }
        self.edited = Some(edited);
        self.device.restore();
        self.device.put(END_OF_EDITING);
    }

    /// The process goes on, in the foreground or not.
    pub(super) fn go_on(&mut self) {
        self.is_suspended = false;
        self.is_away = self.editor.is_some();
        self.go_on_with_loan();
    }

    /// Whether a shell has the terminal and somebody here waits for it.
    pub(super) fn is_away(&self) -> bool {
        self.active.is_some() && (self.is_away || !self.device.is_ours())
    }

    /// Has the editor go on, if the terminal has come back.
    pub(super) fn come_back(&mut self) {
        if self.is_suspended {
            return;
        }
        if self.active.is_none() {
            (self.is_away, self.edited) = (false, None);
            return;
        }
        if !self.device.is_ours() {
            self.is_away = true;
            return;
        }
        if !std::mem::take(&mut self.is_away) {
            return;
        }
        if let Some(edited) = self.edited.take() {
            self.device.begin_editing(&edited);
        }
        if let Some(editor) = &mut self.editor {
            // It may have been stopped because it was in the background.
            editor.go_on();
            send(editor, &Order::Redraw);
        }
    }
}

/// The system tells nobody that the foreground is theirs.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// A terminal that takes nothing for so long is stopped by the user.
const SHOWN_WITHIN: Duration = Duration::from_millis(200);

/// It takes about a millisecond.
const EDITOR_STOPS_WITHIN: Duration = Duration::from_millis(200);
