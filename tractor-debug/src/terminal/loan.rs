//! [`Loan`]: a native debugger that has the terminal, as the terminal's owner sees it: a process,
//! and a socket over which it says why it did not begin.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tractor_core::process::{
    ExitStatus, Process, Program, Signal, SpawnSpec, StdioSpec, spawn_blocking,
};

use super::Settings;
use super::device::Device;
use super::remote::end;
use crate::editor::EDITOR_OF;
use crate::editor::wire;
use crate::launcher::LAUNCHER;
use crate::native::{Launch, Outcome};

/// A native debugger that was started.
#[derive(Debug)]
pub(super) struct Loan {
    process: Process,
    link: UnixStream,
}

impl Loan {
    /// Starts it. It takes the foreground of the terminal itself, before it does anything else.
    pub(super) fn start(settings: &Settings, device: &Device, launch: &Launch) -> io::Result<Self> {
        let (mut link, theirs) = UnixStream::pair()?;
        link.set_nonblocking(true)?;
        let root = std::process::id().to_string();
        let spawned = spawn_blocking(SpawnSpec {
            name: "tractor-native".into(),
            program: Program::SelfExe,
            args: settings.arguments.clone(),
            env: vec![
                (EDITOR_OF.into(), Some(root.into())),
                (LAUNCHER.into(), Some("1".into())),
            ],
            clear_env: false,
            cwd: None,
            tree: settings.tree,
            stdin_link: theirs.into(),
            stdout: StdioSpec::Null,
            stderr: StdioSpec::Fd(device.for_editor()?),
        })
        .map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        let told = wire::put(launch, &mut bytes).and_then(|()| link.write_all(&bytes));
        let loan = Self {
            process: spawned.process,
            link,
        };
        if let Err(error) = told {
            loan.end();
            return Err(error);
        }
        Ok(loan)
    }

    /// Its process group.
    pub(super) fn group(&self) -> u32 {
        self.process.pid()
    }

    /// Whether a signal has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.process.state() == Some('T')
    }

    /// Lets it go on after that.
    pub(super) fn go_on(&self) {
        if let Err(error) = self.process.signal_group(Signal::Continue) {
            log::warn!("{NAME} cannot be continued: {error}");
        }
    }

    /// How it went, if it is over. All of its process group is gone then.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        self.process.has_exited().then(|| {
            let mut reason = String::new();
            // The other side has closed it by now; what is not there is not said.
            let _ = self.link.read_to_string(&mut reason);
            match end(&self.process, NAME) {
                Some(status) if reason.is_empty() => Outcome::Ended {
                    code: match status {
                        ExitStatus::Exited(code) => Some(code),
                        ExitStatus::Signaled { .. } | ExitStatus::Lost => None,
                    },
                    how: status.to_string(),
                },
                _ => Outcome::NotStarted(reason),
            }
        })
    }

    /// Ends it with its process group and waits until it is gone.
    ///
    /// It is asked first: then it takes its breakpoints out, and what it has stopped goes on as if
    /// nothing had been. To a process whose debugger is killed the system gives the trap that was
    /// its last step, of which it dies.
    pub(super) fn end(self) {
        let asked = self.process.signal_group(Signal::Terminate);
        let ended = asked.and_then(|()| self.process.wait_exited(Some(ASKED_WITHIN)));
        if let Err(error) = ended {
            log::warn!("{NAME} cannot be asked to end: {error}");
        }
        end(&self.process, NAME);
    }
}

impl AsFd for Loan {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

/// How long it may take to let its process go; it is a matter of milliseconds.
const ASKED_WITHIN: Duration = Duration::from_millis(500);

/// What the log calls it.
const NAME: &str = "the native debugger";
