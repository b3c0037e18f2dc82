//! Linux.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};

use super::Credentials;

/// A blocking stream socket, close-on-exec.
pub(crate) fn socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// A connected pair of them.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Takes the next connection, close-on-exec and non-blocking.
pub(crate) fn accept(listener: impl AsFd) -> Result<OwnedFd, Errno> {
    net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// Sends without SIGPIPE.
pub(crate) const WITHOUT_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Of which family a socket is.
pub(crate) fn family(fd: impl AsFd) -> Result<AddressFamily, Errno> {
    sockopt::socket_domain(fd)
}

/// What the kernel's address of a Unix socket holds besides its final zero.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Who made the other end of a connected Unix socket. Other families answer too, with a process
/// that is none.
pub(crate) fn credentials(fd: impl AsFd) -> Option<Credentials> {
    let peer = sockopt::socket_peercred(&fd).ok()?;
    Some(Credentials {
        pid: peer.pid.as_raw_pid(),
        uid: peer.uid.as_raw(),
    })
}
