//! Cutting links: sockets of this process, and how they are shut beneath the runtime.

use std::os::fd::OwnedFd;

use rustix::net::Shutdown;
use rustix::process::PidfdGetfdFlags;
use tractor_core::process::Process;
use tractor_core::process::census::open_fds;

/// The numbers of the sockets of this process.
pub(crate) fn sockets() -> Vec<i32> {
    let fds = open_fds().expect("a process may list its descriptors");
    let sockets = fds
        .iter()
        .filter(|fd| fd.target.to_string_lossy().starts_with("socket:"));
    sockets.map(|fd| fd.number).collect()
}

/// Another descriptor of a socket of this process.
pub(crate) fn socket(number: i32) -> OwnedFd {
    let this = Process::open(std::process::id()).expect("this process is there");
    rustix::process::pidfd_getfd(&this, number, PidfdGetfdFlags::empty())
        .expect("a process may take its own descriptors")
}

/// The socket that this process has and had not `before`: the link to a child that was started
/// meanwhile.
pub(crate) fn new_socket(before: &[i32]) -> OwnedFd {
    let mut new = sockets().into_iter().filter(|now| !before.contains(now));
    socket(new.next().expect("its link is new"))
}

/// Shuts a socket, at most once: it may be shut already.
pub(crate) fn shut(socket: &OwnedFd, how: Shutdown) {
    // Once the peer is gone there is nothing left to shut.
    let _ = rustix::net::shutdown(socket, how);
}

/// Shuts the link to the parent.
pub(crate) fn cut_off_from_parent(how: Shutdown) {
    let parent = rustix::process::getppid().expect("it is in our namespace");
    for number in sockets() {
        let socket = socket(number);
        let peer = rustix::net::sockopt::socket_peercred(&socket);
        if peer.is_ok_and(|peer| peer.pid == parent) {
            shut(&socket, how);
        }
    }
}
