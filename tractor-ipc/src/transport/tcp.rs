//! TCP sockets, of the loopback interface only.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{self, AddressFamily, sockopt};

use super::invalid_input;
use crate::os;

/// Refuses what others could reach, or where it could be read on the way.
pub(super) fn check(address: &SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        Ok(())
    } else {
        Err(invalid_input(format!(
            "{address} is not an address of the loopback interface"
        )))
    }
}

/// A blocking socket.
pub(super) fn socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    Ok(os::socket(family)?)
}

/// A non-blocking socket bound to a port, and which.
pub(super) fn bind(address: &SocketAddr) -> io::Result<(OwnedFd, SocketAddr)> {
    check(address)?;
    let fd = socket(address)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    // A port whose last connections are still being wound up can be listened at again.
    sockopt::set_socket_reuseaddr(&fd, true)?;
    net::bind(&fd, address)?;
    let bound = net::getsockname(&fd)?.try_into()?;
    Ok((fd, bound))
}
