//! What is left of a tree whose root was killed: nothing, after a moment.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::{grove, seconds_since, times};
use crate::bench::{ROOT_COMMAND, median};

const ROUNDS: usize = 15;
/// Twelve actors below the root.
const LEVELS: u32 = 2;

pub(super) async fn gone() -> Result<f64> {
    median(times(ROUNDS, async || kill_a_root()).await?).context("no round was measured")
}

/// Kills the root of another tree, and tells how long it took until all of its actors were gone.
fn kill_a_root() -> Result<f64> {
    let exe = std::env::current_exe()?;
    let mut root = Command::new(exe)
        .arg(ROOT_COMMAND)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let output = root.stdout.take().context("the output is a pipe")?;
    BufReader::new(output).read_line(&mut line)?;
    let actors: Vec<OwnedFd> = line
        .split_whitespace()
        .map(|pid| descriptor(pid.parse()?))
        .collect::<Result<_>>()?;
    ensure!(actors.len() >= 9, "a tree of {} actors only", actors.len());

    let root_fd = descriptor(root.id().cast_signed())?;
    let started = Instant::now();
    pidfd_send_signal(&root_fd, Signal::KILL)?;
    exited(&actors)?;
    let passed = seconds_since(started);
    root.wait()?;
    for actor in &actors {
        // They came to us, the next process above that adopts orphans; our own runtime may have
        // reaped them.
        match waitid(WaitId::PidFd(actor.as_fd()), WaitIdOptions::EXITED) {
            Ok(_) | Err(Errno::CHILD) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(passed)
}

/// Waits until all have exited: a zombie counts as gone.
pub(super) fn exited(processes: &[OwnedFd]) -> Result<()> {
    for process in processes {
        poll(&mut [PollFd::new(process, PollFlags::IN)], None)?;
    }
    Ok(())
}

pub(super) fn descriptor(pid: i32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid).context("no process has this number")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The whole life of the root that is killed: it writes the numbers of its actors and waits.
pub(crate) fn be_root() -> Result<()> {
    tractor::run(tractor::Options::default(), async || {
        grove::grow(LEVELS, async |pids| {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            let mut output = std::io::stdout();
            writeln!(output, "{}", pids.join(" "))?;
            output.flush()?;
            std::future::pending().await
        })
        .await
    })
}
