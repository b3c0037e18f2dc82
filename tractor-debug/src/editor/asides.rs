//! [`Asides`]: lines of the runtime that come while a line is being read.
//!
//! The library prints such lines itself, but does not tell when it has, and forgets those that
//! come too late. Here they wait until the prompt is drawn the next time and are drawn with it, in
//! one write; the library's own printer is only used to have that happen now.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustyline::ExternalPrinter;

use super::Answers;
use super::wire::Answer;

/// Lines that wait to be shown, and who may show them.
pub(super) struct Asides {
    state: Mutex<State>,
    terminal: Arc<File>,
    answers: Answers,
    wake: SyncSender<()>,
}

#[derive(Debug, Default)]
struct State {
    reading: Reading,
    /// What waits, with its ends of lines, and the number of the last line in it.
    text: String,
    last: Option<u64>,
    /// The last line that was given to the library, which may not have written it yet.
    drawn: Option<u64>,
    /// Whether the prompt has to be drawn again for its own sake.
    is_hidden: bool,
}

/// Who writes to the terminal now.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reading {
    /// Nobody.
    #[default]
    Nothing,
    /// The library, which draws what waits above its prompt.
    Edited {
        /// Whether it has drawn it once, and can be told to do it again.
        is_drawn: bool,
    },
    /// The user, in a line that the terminal keeps itself.
    Plain(String),
}

impl Asides {
    /// Where lines go. `wake` is for [`wake_reader`], if there is one.
    pub(super) fn new(terminal: Arc<File>, answers: Answers, wake: SyncSender<()>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            terminal,
            answers,
            wake,
        })
    }

    /// Shows a line, or has the prompt drawn again with it.
    pub(super) fn say(&self, number: u64, line: &str) {
        let mut state = self.state();
        state.text.push_str(line);
        state.text.push('\n');
        state.last = Some(number);
        match &state.reading {
            Reading::Edited { .. } => {
                drop(state);
                return self.wake();
            }
            Reading::Plain(prompt) => {
                // What was typed stays with the terminal, and counts.
                state.text = format!("\n{}{prompt}", state.text);
            }
            Reading::Nothing => {}
        }
        self.show(state);
    }

    /// From now on lines wait until the prompt is drawn.
    pub(super) fn begin_read(&self, prompt: &str, is_edited: bool) {
        let mut state = self.state();
        state.reading = if is_edited {
            Reading::Edited { is_drawn: false }
        } else {
            Reading::Plain(prompt.to_owned())
        };
    }

    /// From now on lines are shown at once, and so are those that waited.
    pub(super) fn end_read(&self) {
        let mut state = self.state();
        state.reading = Reading::Nothing;
        self.show(state);
    }

    /// What is to be drawn above the prompt, if anything. What was drawn before is written now, and
    /// the root is told of it: who is told too early cannot repeat what is lost.
    pub(super) fn take(&self) -> Option<String> {
        let mut state = self.state();
        let drawn = state.drawn.take();
        state.drawn = state.last.take();
        let text = state.drawn.map(|_| std::mem::take(&mut state.text));
        state.reading = Reading::Edited { is_drawn: true };
        state.is_hidden = false;
        drop(state);
        self.tell(drawn);
        if text.is_some() {
            self.wake();
        }
        text
    }

    /// Ctrl-C came as a signal. While a line is edited it was for somebody else.
    pub(super) fn interrupted(&self) {
        if let Reading::Plain(prompt) = &self.state().reading {
            self.write(&format!("\n{prompt}"));
        }
    }

    /// The prompt is no longer to be seen.
    pub(super) fn redraw(&self) {
        let mut state = self.state();
        match &state.reading {
            Reading::Edited { .. } => state.is_hidden = true,
            Reading::Plain(prompt) => return self.write(prompt),
            Reading::Nothing => return,
        }
        drop(state);
        self.wake();
    }

    /// What is typed is not kept. The root says so, once for all editors.
    pub(super) fn history_lost(&self, reason: String) {
        let _ = self.answers.send(&Answer::HistoryLost { reason });
    }

    /// Prints a line of the editor's own. Not while a line is read.
    pub(super) fn print(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    fn show(&self, mut state: MutexGuard<'_, State>) {
        let (drawn, last) = (state.drawn.take(), state.last.take());
        let text = std::mem::take(&mut state.text);
        // The lock is kept, so that a later line is not shown before this one.
        self.write(&text);
        drop(state);
        self.tell(last.or(drawn));
    }

    fn write(&self, text: &str) {
        // Whoever reads the line finds out that the terminal is gone.
        let _ = (&*self.terminal).write_all(text.as_bytes());
    }

    fn tell(&self, shown: Option<u64>) {
        if let Some(number) = shown {
            // Without a root this process is about to end.
            let _ = self.answers.send(&Answer::Said { number });
        }
    }

    fn wake(&self) {
        // If it is being woken already, it will find this line too.
        let _ = self.wake.try_send(());
    }

    /// Whether the prompt has to be drawn again, for what waits or to know that it is written.
    fn is_due(&self) -> bool {
        let state = self.state();
        state.reading == (Reading::Edited { is_drawn: true })
            && (state.is_hidden || state.last.or(state.drawn).is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the prompt drawn again whenever a line waits, on a thread of its own: the library's printer
/// blocks while no line is read.
pub(super) fn wake_reader(
    asides: Arc<Asides>,
    woken: Receiver<()>,
    mut printer: impl ExternalPrinter + Send + 'static,
) -> io::Result<()> {
    thread::Builder::new()
        .name("editor-wake".into())
        .spawn(move || {
            for () in woken {
                if asides.is_due() && printer.print(NOTHING.to_owned()).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}

/// What has to be printed if nothing is: one line up, and the end of a line, without which the
/// library would add one.
const NOTHING: &str = "\x1b[A\n";
