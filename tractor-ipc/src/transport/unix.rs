//! Unix sockets: paths, modes, and who is at the other end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::net::{self, AddressFamily, SocketAddrUnix};

use super::invalid_input;
use crate::limits::SOCKET_PATH_BYTES_MAX;
use crate::os::{self, Credentials};

/// The kernel's form of a path.
pub(super) fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    if !path.is_absolute() {
        return Err(invalid_input(format!(
            "the socket path {} is not absolute",
            path.display()
        )));
    }
    let len = path.as_os_str().as_bytes().len();
    if len > SOCKET_PATH_BYTES_MAX {
        return Err(invalid_input(format!(
            "the socket path {} has {len} bytes, more than {SOCKET_PATH_BYTES_MAX}",
            path.display()
        )));
    }
    Ok(SocketAddrUnix::new(path)?)
}

/// A blocking socket.
pub(super) fn socket() -> io::Result<OwnedFd> {
    Ok(os::socket(AddressFamily::UNIX)?)
}

/// A non-blocking socket bound to a path.
pub(super) fn bind(path: &Path) -> io::Result<OwnedFd> {
    let address = address(path)?;
    let fd = socket()?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    // The file is made with the socket's own mode, so there is no moment at which others could
    // connect.
    rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    net::bind(&fd, &address)?;
    Ok(fd)
}

/// Who made the other end; `None` if this is no Unix socket.
pub(super) fn peer(fd: impl AsFd) -> Option<Credentials> {
    // Other families answer the second question too, with a process number that is none.
    if os::family(&fd).ok()? != AddressFamily::UNIX {
        return None;
    }
    os::credentials(&fd)
}
