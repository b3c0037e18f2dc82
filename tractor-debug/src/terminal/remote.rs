//! [`Editor`]: the line editor as its owner sees it, a process and a socket.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tractor_core::process::{ExitStatus, Process, Program, SpawnSpec, StdioSpec, spawn_blocking};

use super::Settings;
use super::device::Device;
use crate::editor::wire::{self, Answer, Order};
use crate::editor::{EDITOR_OF, HISTORY};
use crate::lock::Lease;

/// A line editor that was started.
#[derive(Debug)]
pub(super) struct Editor {
    lease: Lease,
    process: Process,
    link: UnixStream,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl Editor {
    /// Starts one for this lease.
    pub(super) fn start(settings: &Settings, device: &Device, lease: Lease) -> io::Result<Self> {
        let (link, theirs) = UnixStream::pair()?;
        link.set_nonblocking(true)?;
        let history = settings.history.as_ref().map(|path| path.clone().into());
        let spawned = spawn_blocking(SpawnSpec {
            name: "tractor-editor".into(),
            program: Program::SelfExe,
            args: settings.arguments.clone(),
            env: vec![
                (
                    EDITOR_OF.into(),
                    Some(std::process::id().to_string().into()),
                ),
                (HISTORY.into(), history),
            ],
            clear_env: false,
            cwd: None,
            tree: settings.tree,
            stdin_link: theirs.into(),
            stdout: StdioSpec::Null,
            stderr: StdioSpec::Fd(device.for_editor()?),
        })
        .map_err(io::Error::other)?;
        Ok(Self {
            lease,
            process: spawned.process,
            link,
            outbox: Vec::new(),
            inbox: Vec::new(),
        })
    }

    /// The lease for which it was started.
    pub(super) fn lease(&self) -> Lease {
        self.lease
    }

    /// Whether there is something that it has not taken yet.
    pub(super) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Tells it something. That it is gone is noticed by [`receive`](Self::receive).
    pub(super) fn send(&mut self, order: &Order) -> io::Result<()> {
        wire::put(order, &mut self.outbox)?;
        self.flush();
        Ok(())
    }

    /// Sends what it takes now.
    pub(super) fn flush(&mut self) {
        while self.has_unsent() {
            match self.link.write(&self.outbox) {
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.outbox.clear(),
            }
        }
    }

    /// Takes what it has said.
    ///
    /// # Errors
    ///
    /// That it has ended, or says what no editor says.
    pub(super) fn receive(&mut self) -> io::Result<Vec<Answer>> {
        let mut piece = [0; 4096];
        loop {
            match self.link.read(&mut piece) {
                Ok(0) if self.inbox.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                // The end is told again, after what was said before it.
                Ok(0) => break,
                Ok(length) => self.inbox.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let mut answers = Vec::new();
        while let Some(answer) = wire::take(&mut self.inbox)? {
            answers.push(answer);
        }
        if answers.is_empty() && !self.inbox.is_empty() && self.process.has_exited() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answers)
    }

    /// Kills it and waits until it is gone, so that it touches the terminal no more.
    pub(super) fn end(self) {
        end(&self.process, "the line editor");
    }
}

impl AsFd for Editor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

/// Kills a process, with its group if it leads one, waits until it is gone, and gives its status.
pub(super) fn end(process: &Process, name: &str) -> Option<ExitStatus> {
    let pid = process.pid();
    let ended = process
        .kill_group()
        .and_then(|()| process.wait_exited(Some(KILLED_WITHIN)))
        .and_then(|exited| if exited { process.try_reap() } else { Ok(None) });
    match ended {
        Ok(Some(status)) => return Some(status),
        Ok(None) => log::warn!("{name}, process {pid}, does not end by SIGKILL"),
        Err(error) => log::warn!("{name}, process {pid}, cannot be ended: {error}"),
    }
    None
}

/// It takes about a millisecond, unless the system is inside a call that it cannot interrupt.
const KILLED_WITHIN: Duration = Duration::from_secs(1);
