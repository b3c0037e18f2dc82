//! Linux.

use std::os::fd::AsFd;

use rustix::net::sockopt;

use super::Credentials;

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
