//! [`Pty`]: a program in a terminal of its own, with the keys and what appears.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What a terminal shows at most while one waits for something.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many columns it has.
pub(crate) const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

/// How many rows.
pub(crate) const ROWS: NonZero<u16> = NonZero::new(100).unwrap();

/// A program in a terminal of its own; dropping it kills the program.
pub(crate) struct Pty {
    master: File,
    program: Child,
    seen: Vec<u8>,
    /// How much of it has been waited for.
    passed: usize,
}

impl Pty {
    /// Starts the program with a new terminal for its input, output and errors. The command is
    /// gone then, or its end of the terminal would stay open.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let size = Winsize {
            ws_row: ROWS.get(),
            ws_col: COLUMNS.get(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size)?;
        let slave: OwnedFd = ioctl_tiocgptpeer(&master, flags)?;
        let program = command
            .stdin(Stdio::from(slave.try_clone()?))
            .stdout(Stdio::from(slave.try_clone()?))
            .stderr(Stdio::from(slave))
            .spawn()?;
        Ok(Self {
            master: master.into(),
            program,
            seen: Vec::new(),
            passed: 0,
        })
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) -> Result<()> {
        Ok(self.master.write_all(keys.as_bytes())?)
    }

    /// Waits until `text` has appeared since the last wait, and gives what came up to its end.
    pub(crate) fn until(&mut self, text: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            let new = &self.seen[self.passed..];
            let found = new.windows(text.len()).position(|it| it == text.as_bytes());
            if let Some(at) = found {
                let end = at + text.len();
                let shown = String::from_utf8_lossy(&new[..end]).into_owned();
                self.passed += end;
                return Ok(shown);
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if !matches!(self.read(left), Ok(true)) {
                let new = String::from_utf8_lossy(&self.seen[self.passed..]);
                bail!("no {text:?} on the terminal, but:\n{new}");
            }
        }
    }

    /// All that has appeared.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Waits until the program has let go of the terminal, and for its end.
    pub(crate) fn end(mut self) -> Result<Vec<u8>> {
        while self.read(PATIENCE)? {}
        self.program.wait()?;
        Ok(std::mem::take(&mut self.seen))
    }

    /// Takes what has appeared; tells whether there was something.
    fn read(&mut self, patience: Duration) -> Result<bool> {
        let patience = Timespec::try_from(patience)?;
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        ensure!(
            poll(&mut fds, Some(&patience))? > 0,
            "the terminal is silent"
        );
        let mut piece = [0; 4096];
        match self.master.read(&mut piece) {
            Ok(length) => {
                self.seen.extend_from_slice(&piece[..length]);
                Ok(length > 0)
            }
            // Nobody has the other side any more.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error).context("read the terminal"),
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended already, and nothing else can go wrong.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_and_what_appears_arrive() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "stty -echo; echo ready; read line; echo \"got $line\"; tty",
        ]);
        let mut pty = Pty::start(command).unwrap();
        pty.until("ready").unwrap();
        pty.keys("tea\r").unwrap();
        let shown = pty.until("got tea").unwrap();
        assert!(!shown.contains("ready"), "{shown}");
        let all = String::from_utf8(pty.end().unwrap()).unwrap();
        assert!(all.contains("/dev/pts/"), "{all}");
    }

    #[test]
    fn the_end_of_the_program_ends_a_wait() {
        let mut pty = Pty::start(Command::new("true")).unwrap();
        assert!(pty.until("something").is_err());
    }
}
