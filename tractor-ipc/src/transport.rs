//! Sockets: [`Socket`], [`Listener`], and nothing else of this crate touches one.
//!
//! All are stream sockets, close-on-exec and non-blocking. Unix sockets are the rule, TCP works
//! on the loopback interface only: what is sent is not encrypted.

mod tcp;
mod unix;

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{self, AddressFamily, RecvFlags, SendAncillaryBuffer, Shutdown, sockopt};

use crate::addr::Address;
use crate::limits::{CONNECT_MS_MAX, LISTEN_BACKLOG};
use crate::os::{self, Credentials};

/// One end of a connection. Dropping it closes it.
///
/// # Examples
///
/// ```
/// use std::io::{IoSlice, IoSliceMut};
/// use tractor_ipc::Socket;
///
/// let (ours, theirs) = Socket::pair()?;
/// let theirs = Socket::from_owned_fd(theirs)?;
/// ours.send(&[IoSlice::new(b"ab"), IoSlice::new(b"c")])?;
///
/// let mut buf = [0; 8];
/// assert_eq!(theirs.recv(&mut [IoSliceMut::new(&mut buf)])?, 3);
/// assert_eq!(&buf[..3], b"abc");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Makes a connected pair: one end for us, the other to be handed to a child, blocking until
    /// the child makes it a `Socket` (the flag belongs to each end, not to the pair).
    ///
    /// # Errors
    ///
    /// Those of `socketpair(2)`: too many open files.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = os::pair()?;
        Ok((Self::from_owned_fd(ours)?, theirs))
    }

    /// Takes over a connected stream socket and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of `ioctl(2)`.
    pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self { fd })
    }

    /// Connects to where an actor listens.
    ///
    /// # Blocking
    ///
    /// At most [`CONNECT_MS_MAX`], and only if the listener's queue is full.
    ///
    /// # Errors
    ///
    /// `NotFound` and `ConnectionRefused`: nobody listens there (any more). `WouldBlock` or
    /// `TimedOut`: the listener does not accept. `InvalidInput`: the path is not absolute or too
    /// long, or the IP address is not of the loopback interface.
    pub fn connect(address: &Address) -> io::Result<Self> {
        let fd = match address {
            Address::Unix(path) => {
                let address = unix::address(path)?;
                let fd = unix::socket()?;
                connect_within_limit(&fd, &address)?;
                fd
            }
            Address::Tcp(address) => {
                tcp::check(address)?;
                let fd = tcp::socket(address)?;
                connect_within_limit(&fd, address)?;
                sockopt::set_tcp_nodelay(&fd, true)?;
                fd
            }
        };
        Self::from_owned_fd(fd)
    }

    /// Reads what has arrived into the slices, first to last. 0 is the end of the stream,
    /// provided that there was room.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing has arrived; `ConnectionReset` and others of `recv(2)` if nothing
    /// ever will.
    #[inline]
    pub fn recv(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        loop {
            let result = match &mut *slices {
                // The plain call is the cheaper one, and nearly every read fills one slice.
                [first, rest @ ..] if rest.iter().all(|slice| slice.is_empty()) => {
                    net::recv(&self.fd, &mut **first, RecvFlags::empty()).map(|(n, _)| n)
                }
                slices => rustix::io::readv(&self.fd, slices),
            };
            match result {
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Writes from the slices, first to last, and tells how many bytes were taken. Of more than
    /// 1024 slices only the first 1024 are looked at, which is the kernel's limit.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the peer does not read fast enough; `BrokenPipe` and others of
    /// `sendmsg(2)` if it never will. There is no SIGPIPE.
    #[inline]
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let result = match slices {
                [only] => net::send(&self.fd, only, os::WITHOUT_SIGNAL),
                _ => {
                    let slices = &slices[..slices.len().min(1024)];
                    let mut nothing = SendAncillaryBuffer::default();
                    net::sendmsg(&self.fd, slices, &mut nothing, os::WITHOUT_SIGNAL)
                }
            };
            match result {
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Ends our direction: the peer reads what was sent, then the end of the stream. We can
    /// still read.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection has ended already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        Ok(net::shutdown(&self.fd, Shutdown::Write)?)
    }

    /// Whether it is a TCP connection: what the peer sent last may arrive when it has ended.
    pub fn is_tcp(&self) -> bool {
        let domain = os::family(&self.fd);
        domain.is_ok_and(|domain| domain != AddressFamily::UNIX)
    }

    /// The user who made the other end, `None` for TCP.
    ///
    /// Of a pair both ends were made by the process that called [`pair`](Self::pair).
    pub fn peer_uid(&self) -> Option<u32> {
        unix::peer(&self.fd).map(|peer| peer.uid)
    }

    /// The process that made the other end, `None` for TCP.
    ///
    /// Of a pair both ends were made by the process that called [`pair`](Self::pair).
    pub fn peer_pid(&self) -> Option<i32> {
        unix::peer(&self.fd).map(|peer| peer.pid)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

/// Where others connect to. Dropping it closes it and removes the path of a Unix socket.
///
/// # Examples
///
/// ```
/// use tractor_ipc::{Address, Listener, Socket};
///
/// let listener = Listener::bind(&Address::Tcp(([127, 0, 0, 1], 0).into()))?;
/// assert!(listener.accept()?.is_none());
/// let client = Socket::connect(listener.address())?;
/// # let mut wait = [rustix::event::PollFd::new(&listener, rustix::event::PollFlags::IN)];
/// # rustix::event::poll(&mut wait, None)?;
/// assert!(listener.accept()?.is_some());
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    address: Address,
}

impl Listener {
    /// Listens at `address`. TCP port 0 picks a free one; a Unix socket's file is accessible to
    /// its owner only, whatever the umask.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is something at the address, alive or not; `InvalidInput` if a path
    /// is not absolute or longer than [`SOCKET_PATH_BYTES_MAX`](crate::limits::SOCKET_PATH_BYTES_MAX),
    /// or an IP address is not of the loopback interface (a wildcard least of all).
    pub fn bind(address: &Address) -> io::Result<Self> {
        let (fd, address) = match address {
            Address::Unix(path) => (unix::bind(path)?, address.clone()),
            Address::Tcp(address) => {
                let (fd, address) = tcp::bind(address)?;
                (fd, Address::Tcp(address))
            }
        };
        // From here on the path is ours and is removed on failure too.
        let listener = Self { fd, address };
        net::listen(&listener.fd, LISTEN_BACKLOG)?;
        Ok(listener)
    }

    /// Takes the next connection, or `None` if there is none. It never waits.
    ///
    /// # Errors
    ///
    /// [`AcceptError::ForeignUser`] for a connection that was refused, the next may be fine;
    /// [`AcceptError::Io`] if none can be accepted now, most likely for too many open files.
    pub fn accept(&self) -> Result<Option<Socket>, AcceptError> {
        let fd = loop {
            match os::accept(&self.fd) {
                Ok(fd) => break fd,
                Err(Errno::AGAIN) => return Ok(None),
                // One that went away while it waited is no reason to stop.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(AcceptError::Io(error.into())),
            }
        };
        let socket = Socket { fd };
        match self.address {
            Address::Unix(_) => {
                let ours = rustix::process::geteuid().as_raw();
                // Without an answer it is nobody we know.
                let uid = socket.peer_uid().unwrap_or(u32::MAX);
                if uid != ours {
                    return Err(AcceptError::ForeignUser { uid });
                }
            }
            Address::Tcp(_) => {
                sockopt::set_tcp_nodelay(&socket.fd, true).map_err(io::Error::from)?
            }
        }
        Ok(Some(socket))
    }

    /// Where it listens, with the port that was picked.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // Its directory may have been removed as a whole, which is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Why a connection was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Another user connected, and was disconnected.
    #[error("accept a connection of another user (uid {uid})")]
    ForeignUser {
        /// Who.
        uid: u32,
    },
    /// The system refused.
    #[error("accept a connection")]
    Io(#[from] io::Error),
}

/// Who made the other end of a descriptor that is not ours to take over; `None` if it is no
/// connected Unix socket.
pub fn peer_of(fd: impl AsFd) -> Option<Credentials> {
    unix::peer(fd)
}

/// Connects a blocking socket, for a bounded time.
fn connect_within_limit(fd: &OwnedFd, address: &impl SocketAddrArg) -> io::Result<()> {
    let limit = Duration::from_millis(CONNECT_MS_MAX);
    sockopt::set_socket_timeout(fd, sockopt::Timeout::Send, Some(limit))?;
    loop {
        match net::connect(fd, address) {
            // Calling again goes on with the same attempt.
            Err(Errno::INTR) => {}
            // What TCP says when the time is over.
            Err(Errno::INPROGRESS) => return Err(Errno::TIMEDOUT.into()),
            result => return Ok(result?),
        }
    }
}

fn invalid_input(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
