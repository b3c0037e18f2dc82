//! Prompts in a real terminal: how soon one comes after a crash, and after another one.
//!
//! What is debugged is the root of another tree, this program again, in a terminal of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Context as _, Error, Result, anyhow};
use rustix::time::{ClockId, clock_gettime};
use tractor::open_nursery;

use super::{seconds_since, times};
use crate::bench::{DEBUGGED_COMMAND, median};
use crate::pty::Pty;

const ROUNDS_CRASH: usize = 15;
const ROUNDS_HANDOVER: usize = 50;

/// Before the time at which a task fails, in its error.
const FAILED_AT: &str = "failed at ";

/// The time from the failure of a task in a child, the first of its tree, until its prompt.
pub(super) async fn crash() -> Result<f64> {
    let scratch = Scratch::new()?;
    let round = async || {
        let mut terminal = debugged("crash", &scratch)?;
        let shown = terminal.until("(tdb@failing) ")?;
        let now = nanoseconds();
        let (_, at) = shown
            .split_once(FAILED_AT)
            .context("it does not say when")?;
        let digits: String = at.chars().take_while(char::is_ascii_digit).collect();
        let at: u64 = digits.parse()?;
        terminal.keys("c\r")?;
        terminal.until("(tdb@root) ")?;
        terminal.keys("c\r")?;
        terminal.end()?;
        Ok((now - at) as f64 / 1e9)
    };
    median(times(ROUNDS_CRASH, round).await?).context("no round was measured")
}

/// The time from Enter after `c` at one actor's prompt until the prompt of the next, which waits.
pub(super) async fn handover() -> Result<f64> {
    let scratch = Scratch::new()?;
    let mut terminal = debugged("handover", &scratch)?;
    terminal.until("(tdb@")?;
    let mut name = terminal.until(") ")?;
    let mut measured = Vec::with_capacity(ROUNDS_HANDOVER);
    while measured.len() < ROUNDS_HANDOVER {
        wait_for_waiter(&mut terminal, &name)?;
        let started = Instant::now();
        terminal.keys("c\r")?;
        name = match &*name {
            "left) " => "right) ",
            _ => "left) ",
        }
        .to_owned();
        terminal.until(&format!("(tdb@{name}"))?;
        measured.push(seconds_since(started));
    }
    terminal.keys("kill\rkill\r")?;
    terminal.end()?;
    median(measured).context("no round was measured")
}

/// Asks at the prompt who waits, until somebody does.
fn wait_for_waiter(terminal: &mut Pty, name: &str) -> Result<()> {
    loop {
        terminal.keys("queue\r")?;
        terminal.until("has it: ")?;
        let answer = terminal.until(&format!("(tdb@{name}"))?;
        if answer.contains("waits: ") {
            return Ok(());
        }
        thread::yield_now();
    }
}

fn debugged(what: &str, scratch: &Scratch) -> Result<Pty> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([DEBUGGED_COMMAND, what])
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", scratch.path());
    Pty::start(command)
}

/// A directory for the history of the prompts, so that the user's own is left alone.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let name = format!("tractor-bench-{}-{}", std::process::id(), nanoseconds());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is small, and lies where such things are removed at times.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The whole life of a root that is debugged.
pub(crate) fn be_debugged(what: &str) -> Result<()> {
    let options = tractor::Options::default().debug_mode(true);
    match what {
        "crash" => tractor::run(options, async || {
            open_nursery(async |nursery| {
                let failing = nursery.start_actor("failing").await?;
                Ok::<_, Error>(failing.run(fail()).await?)
            })
            .await
        }),
        _ => tractor::run(options, async || {
            open_nursery(async |nursery| {
                nursery.run_in_actor("left", pause_again()).await?;
                nursery.run_in_actor("right", pause_again()).await?;
                Ok::<_, Error>(())
            })
            .await
        }),
    }
}

#[tractor::rpc]
async fn fail() -> Result<()> {
    Err(anyhow!("{FAILED_AT}{}", nanoseconds()))
}

#[tractor::rpc]
async fn pause_again() {
    loop {
        tractor::breakpoint!().await;
    }
}

/// Of the clock that all processes of a machine have.
fn nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
