//! `cargo xtask record SVG`: a session with the debugger, run for real, as a picture for the README.
//!
//! The example `debugging taking_turns` runs in a terminal, three of its processes have their
//! turns, and what is then to be seen is drawn.

mod svg;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::pty::{COLUMNS, Pty, ROWS};

/// What is typed at each of the first prompts, before the next actor has its turn, and how its
/// answer begins.
const TYPED: [&[(&str, &str)]; 3] = [
    &[("order.items[0]", "items[0] = "), ("queue", "has it: ")],
    &[("tree", "root")],
    &[],
];

/// The first has its turn before the second asks for it at times; it is tried so often.
const TRIALS: usize = 30;

/// Before the name of the actor in a prompt.
const PROMPT: &str = "(tdb@";

/// In the answer of `queue`.
const WAITS: &[u8] = b"waits: ";

pub(crate) fn run(root: &Path, picture: &str) -> Result<()> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--example", "debugging"])
        .current_dir(root)
        .status()?;
    ensure!(built.success(), "the example does not build");
    for _ in 0..TRIALS {
        if let Some(seen) = session(root)? {
            let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
            screen.process(&seen);
            let drawn = svg::draw(screen.screen());
            return fs::write(picture, drawn).with_context(|| format!("cannot write {picture}"));
        }
    }
    bail!("the second actor never waited for the first")
}

/// Has a session, and gives what was to be seen in the third turn, if somebody had to wait.
fn session(root: &Path) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new(root.join("target/debug/examples/debugging"));
    command
        .arg("taking_turns")
        .current_dir(root)
        .env("TERM", "xterm-256color")
        .env("RUST_BACKTRACE", "0")
        .env_remove("NO_COLOR")
        .env("XDG_STATE_HOME", root.join("target/record"));
    let mut terminal = Pty::start(command)?;
    for (number, lines) in TYPED.into_iter().enumerate() {
        if number > 0 {
            terminal.keys("c\r")?;
        }
        terminal.until("ed actor '")?;
        terminal.until(PROMPT)?;
        for (line, answer) in lines {
            terminal.keys(&format!("{line}\r"))?;
            terminal.until(answer)?;
            terminal.until(PROMPT)?;
        }
    }
    terminal.until(") ")?;
    let seen = terminal.seen().to_owned();
    terminal.keys("c\r")?;
    terminal.until("(tdb@root) ")?;
    terminal.keys("c\r")?;
    terminal.end()?;
    let waited = seen.windows(WAITS.len()).any(|it| it == WAITS);
    Ok(waited.then_some(seen))
}
