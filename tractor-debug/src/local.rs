//! [`converse`]: a prompt on this process's own terminal, where there is no tree.

use std::sync::mpsc;

use crate::lock::Lease;
use crate::repl::{Repl, Step};
use crate::session::Verdict;
use crate::terminal::{NoTerminal, Read, Settings, Terminal};
use crate::this_actor::ThisActor;

/// The one lease of a terminal that nobody else wants.
const LEASE: Lease = Lease(1);

/// Shows the prompt until it is left, and blocks this thread meanwhile.
///
/// # Errors
///
/// That there is no terminal, before anything was shown.
pub(crate) fn converse(repl: &mut Repl) -> Result<Verdict, NoTerminal> {
    let terminal = Terminal::open(Settings {
        arguments: std::env::args_os().skip(1).collect(),
        ..Settings::default()
    })?;
    let mut text = repl.opening() + "\n";
    loop {
        let Some(Read::Line(line)) = read(&terminal, text, repl) else {
            return Ok(Verdict::Continue);
        };
        text = match repl.run(&line, &ThisActor) {
            Step::Show(text) if text.is_empty() => text,
            Step::Show(text) => text + "\n",
            Step::Continue => return Ok(Verdict::Continue),
            Step::Quit => return Ok(Verdict::Quit),
            _ => "There is no tree here, only this process; `continue` goes on.\n".to_owned(),
        };
    }
}

/// How the reading of one line ends; `None` if the terminal's thread is gone.
fn read(terminal: &Terminal, text: String, repl: &Repl) -> Option<Read> {
    let (tell, told) = mpsc::channel();
    terminal.read(LEASE, text, repl.prompt(), repl.words(), move |read| {
        // Whoever waits for it is right below.
        let _ = tell.send(read);
    });
    told.recv().ok()
}
