//! What an actor does to itself that nobody should.

use std::fs;
use std::os::fd::AsFd;

use rustix::net::Shutdown;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, getppid, pidfd_getfd, pidfd_open};

/// Shuts the link to the parent beneath the runtime.
pub(crate) fn cut_off_from_parent() {
    let Ok(this) = pidfd_open(getpid(), PidfdFlags::empty()) else {
        return;
    };
    let numbers = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers = numbers
        .flatten()
        .filter_map(|fd| fd.file_name().to_str()?.parse().ok());
    for number in numbers {
        let Ok(fd) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let peer = socket_peercred(fd.as_fd());
        if peer.is_ok_and(|peer| Some(peer.pid) == getppid()) {
            // It may be shut already.
            let _ = rustix::net::shutdown(&fd, Shutdown::Both);
        }
    }
}
