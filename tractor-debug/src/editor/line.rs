//! [`Reader`]: reads one line with editing, history and completion.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, iter};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History as _, MemHistory};
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter, Helper};

use super::asides::Asides;
use super::history::History;
use super::keys::Keys;

/// Reads lines.
pub(super) struct Reader {
    editor: Editor<Companion, MemHistory>,
    history: Option<History>,
    asides: Arc<Asides>,
    is_edited: bool,
    /// Whether Ctrl-C has ended the line.
    interrupted: Arc<AtomicBool>,
}

impl Reader {
    /// A reader with what was typed before, if there is a place where that is kept. If it cannot be
    /// used the root is told.
    pub(super) fn new(
        keys: Keys,
        history: Option<PathBuf>,
        asides: Arc<Asides>,
    ) -> io::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            // Or what waits would not be drawn for a user who wants no colours.
            .color_mode(ColorMode::Forced)
            .build();
        let entered = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, entered).map_err(into_io)?;
        editor.set_helper(Some(Companion {
            asides: asides.clone(),
            words: Vec::new(),
        }));
        let interrupted = keys.interrupted();
        for (key, handler) in keys.handlers() {
            editor.bind_sequence(key, handler);
        }
        let mut reader = Self {
            editor,
            history: None,
            asides,
            is_edited: false,
            interrupted,
        };
        if let Some(path) = history {
            match History::open(&path) {
                Ok((history, entries)) => reader.remember(history, &entries),
                Err(error) => {
                    let reason = format!("{}: {error}", path.display());
                    reader.asides.history_lost(reason);
                }
            }
        }
        Ok(reader)
    }

    /// What draws the prompt again from another thread. None for a terminal that cannot do it.
    pub(super) fn printer(&mut self) -> Option<impl ExternalPrinter + Send + use<>> {
        let printer = self.editor.create_external_printer().ok();
        self.is_edited = printer.is_some();
        printer
    }

    /// Reads a line; `None` is the end of input. Ctrl-C only begins again.
    ///
    /// # Errors
    ///
    /// That the terminal cannot be read, which is also how its end is told by some.
    pub(super) fn read(&mut self, prompt: &str, words: Vec<String>) -> io::Result<Option<String>> {
        if let Some(companion) = self.editor.helper_mut() {
            companion.words = words;
        }
        let mut interrupts = 0;
        loop {
            self.asides.begin_read(prompt, self.is_edited);
            let typed = self.editor.readline(prompt);
            self.asides.end_read();
            let typed = match self.interrupted.swap(false, Ordering::SeqCst) {
                true => Err(ReadlineError::Interrupted),
                false => typed,
            };
            match typed {
                Ok(line) if line.len() > LINE_BYTES_MAX => {
                    let text = format!("a line of {} bytes is too long", line.len());
                    self.asides.print(&text);
                }
                Ok(line) => {
                    self.keep(&line);
                    return Ok(Some(line));
                }
                Err(ReadlineError::Eof) => return Ok(None),
                Err(ReadlineError::Interrupted) => {
                    interrupts += 1;
                    if interrupts % INTERRUPTS_FOR_HINT == 0 {
                        self.asides.print(HINT);
                    }
                }
                Err(ReadlineError::Signal(_)) => {}
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.asides.print("what was typed is no text in UTF-8");
                }
                Err(error) => return Err(into_io(error)),
            }
        }
    }

    fn remember(&mut self, history: History, entries: &[String]) {
        for entry in entries {
            // It cannot fail in memory.
            let _ = self.editor.history_mut().add(entry);
        }
        self.history = Some(history);
    }

    fn keep(&mut self, line: &str) {
        let _ = self.editor.history_mut().add(line);
        if let Some(history) = &mut self.history
            && let Err(error) = history.append(line)
        {
            self.history = None;
            self.asides.history_lost(error.to_string());
        }
    }
}

/// What the library asks while it edits.
struct Companion {
    asides: Arc<Asides>,
    words: Vec<String>,
}

impl Helper for Companion {}
impl Hinter for Companion {
    type Hint = String;
}
impl Validator for Companion {}

impl Completer for Companion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, matches) = completions(&line[..position], &self.words);
        Ok((start, matches.map(String::from).collect()))
    }
}

impl Highlighter for Companion {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.asides.take() {
            Some(above) => Cow::Owned(above + prompt),
            None => Cow::Borrowed(prompt),
        }
    }
}

/// The words that begin like the last one of the text, and where that begins.
fn completions<'a>(text: &str, words: &'a [String]) -> (usize, impl Iterator<Item = &'a str>) {
    let start = text
        .char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace())
        .map_or(0, |(index, c)| index + c.len_utf8());
    let begun = text[start..].to_owned();
    let mut words = words.iter().map(String::as_str);
    let matches = iter::from_fn(move || words.find(|word| word.starts_with(&begun)));
    (start, matches)
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => errno.into(),
        error => io::Error::other(error),
    }
}

/// What a user sees who presses Ctrl-C again and again.
const HINT: &str = "`c` continues, `q` quits, `kill` ends the tree";

/// After so many it is likely that something else was meant.
const INTERRUPTS_FOR_HINT: u32 = 3;

/// Longer lines are pasted by mistake.
const LINE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, start: usize, matches: &[&str]) {
        let words = ["continue", "clear", "order.id", "order.lines"].map(String::from);
        let (at, found) = completions(text, &words);
        assert_eq!((at, found.collect::<Vec<_>>()), (start, matches.to_vec()));
    }

    #[test]
    fn the_last_word_is_completed() {
        check("co", 0, &["continue"]);
        check("p ord", 2, &["order.id", "order.lines"]);
        check("p order.l", 2, &["order.lines"]);
        check("é\u{a0}c", 4, &["continue", "clear"]);
        check("xyz", 0, &[]);
    }

    #[test]
    fn after_a_space_every_word_fits() {
        check("p ", 2, &["continue", "clear", "order.id", "order.lines"]);
    }
}
