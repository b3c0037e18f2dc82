//! The launcher: what a process is that the owner of the terminal has started to become a native
//! debugger.
//!
//! A program that is started from elsewhere would touch the terminal before it has it, and be
//! stopped for that; if it is attached to the root by then, nobody could give it the terminal any
//! more. So this process takes the terminal itself, ties its life to the root's, and becomes the
//! program.

// Which program works here.
mod choice;

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal as Masked};
use rustix::io::Errno;
use rustix::process::{self as sys, Pid};
use rustix::stdio;
use rustix::termios::tcsetpgrp;
use tractor_core::process::marks;

use crate::editor::wire;
use crate::editor::{EDITOR_OF, HISTORY};
use crate::native::Launch;
use crate::os;

/// Set for an editor that is to be a launcher instead.
pub(crate) const LAUNCHER: &str = "TRACTOR_EDITOR_LAUNCHES";

/// Whether this process, which the owner of the terminal has started, is one.
pub(crate) fn is_wanted() -> bool {
    env::var_os(LAUNCHER).is_some()
}

/// Becomes the program, or says over the socket why not.
pub(crate) fn launch(root: Pid) {
    let Ok(mut link) = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), 3).map(UnixStream::from)
    else {
        return;
    };
    let Err(error) = become_program(root, &mut link);
    // Nobody hears it if the root is gone.
    let _ = link.write_all(error.to_string().as_bytes());
}

fn become_program(root: Pid, link: &mut UnixStream) -> io::Result<std::convert::Infallible> {
    // It holds for the program as well, and this thread is the one that becomes it. By this signal,
    // unlike SIGKILL, a debugger puts the terminal back.
    os::end_with_parent()?;
    if sys::getppid() != Some(root) {
        return Err(io::Error::other("its root is gone"));
    }
    let launch = receive(link)?;
    stdio::dup2_stdin(stdio::stderr())?;
    stdio::dup2_stdout(stdio::stderr())?;
    take_foreground()?;
    Err(choice::choose(&launch)?.exec())
}

fn receive(link: &mut UnixStream) -> io::Result<Launch> {
    let (mut inbox, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(launch) = wire::take(&mut inbox)? {
            return Ok(launch);
        }
        match link.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => inbox.extend_from_slice(&piece[..length]),
        }
    }
}

/// From the background that stops a process, unless its thread blocks SIGTTOU.
fn take_foreground() -> io::Result<()> {
    let stop = SigSet::from(Masked::SIGTTOU);
    stop.thread_block()?;
    let taken = tcsetpgrp(stdio::stdin(), sys::getpgrp());
    stop.thread_unblock()?;
    match taken {
        // Without job control nobody has it.
        Ok(()) | Err(Errno::NOTTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process is no actor, and is about to be the program"
)]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    // Nothing is to be downloaded, and nobody asked whether it may be.
    let unset = ["DEBUGINFOD_URLS", EDITOR_OF, HISTORY, LAUNCHER];
    for name in unset.into_iter().chain([marks::CHILD_OF]) {
        command.env_remove(name);
    }
    command
}
