//! [`Pty`]: a terminal between what the tree prints and the real one.
//!
//! Standard output and error lead to it for as long as it is there, and whoever is started
//! meanwhile inherits them. It changes nothing of what it is given: the real terminal does that.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio;
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, isatty, tcgetattr, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};
use signal_hook::SigId;
use signal_hook::consts::SIGWINCH;
use signal_hook::low_level;

use crate::os;

/// The pair, and what it stands before.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    /// Kept, so that what was written can be read when nobody else has it any more.
    _slave: OwnedFd,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    resized: UnixStream,
    notice: SigId,
}

impl Pty {
    /// Makes one that is like the `real` terminal, and leads to it what of standard output and
    /// error went there. `None`: neither did.
    pub(super) fn before(real: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let to_real = |fd: BorrowedFd<'_>| is_same(fd, real);
        let (out, err) = (to_real(stdio::stdout()), to_real(stdio::stderr()));
        if !out && !err {
            return Ok(None);
        }
        let (master, slave) = pair(real)?;
        let keep = |fd, is_kept: bool| is_kept.then(|| fcntl_dupfd_cloexec(fd, 3)).transpose();
        let (resized, writer) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        let pty = Self {
            stdout: keep(stdio::stdout(), out)?,
            stderr: keep(stdio::stderr(), err)?,
            resized,
            notice: low_level::pipe::register(SIGWINCH, writer)?,
            master,
            _slave: slave,
        };
        // The size may have changed since it was read.
        pty.resize(real);
        if out {
            stdio::dup2_stdout(&pty._slave)?;
        }
        if err {
            stdio::dup2_stderr(&pty._slave)?;
        }
        Ok(Some(pty))
    }

    /// Lets standard output and error lead to where they did. What was written before can still be
    /// read.
    pub(super) fn put_back(&mut self) {
        low_level::unregister(self.notice);
        let out = self.stdout.take().map(stdio::dup2_stdout);
        let err = self.stderr.take().map(stdio::dup2_stderr);
        for result in [out, err].into_iter().flatten() {
            if let Err(error) = result {
                log::warn!("the standard output cannot be put back: {error}");
            }
        }
    }

    /// The next of what was written, if there is something.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match rustix::io::read(&self.master, &mut piece) {
                Ok(0) => return None,
                Ok(length) => {
                    piece.truncate(length);
                    return Some(piece);
                }
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// What becomes readable when the real terminal may have another size.
    pub(super) fn resized(&self) -> &UnixStream {
        &self.resized
    }

    /// Takes such notices, and the size of the `real` terminal if there were any.
    pub(super) fn follow(&self, real: BorrowedFd<'_>) {
        let mut notices = 0;
        while let Ok(count @ 1..) = (&self.resized).read(&mut [0; 64]) {
            notices += count;
        }
        if notices > 0 {
            self.resize(real);
        }
    }

    fn resize(&self, real: BorrowedFd<'_>) {
        // One that has hung up has no size, and nobody who sees it.
        if let Ok(size) = tcgetwinsize(real) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.put_back();
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// A terminal that nobody sees: its two sides. Reads of the first never wait.
fn pair(real: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (master, slave) = os::open_pty()?;
    fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
    let mut settings = tcgetattr(real)?;
    // What is written is read as it is, and nothing comes back.
    settings.output_modes.remove(OutputModes::OPOST);
    settings
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::TOSTOP);
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    Ok((master, slave))
}

/// Whether this is the same terminal. /dev/tty is another name for the one of the session.
fn is_same(fd: BorrowedFd<'_>, real: BorrowedFd<'_>) -> bool {
    let device = |fd| fstat(fd).ok().map(|found| found.st_rdev);
    let (theirs, ours) = (device(fd), device(real));
    let is_alias = |device: Option<_>| device.is_some_and(os::is_alias);
    isatty(fd) && (theirs == ours || is_alias(theirs) || is_alias(ours))
}

/// A terminal gives no more at a time.
const PIECE_BYTES: usize = 4096;
