//! [`Counts`]: what peers did that nobody of this build does.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tractor_ipc::CloseReason;

/// Counted since this process began.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    links_broken: AtomicU64,
    frames_ignored: AtomicU64,
}

impl Counts {
    /// A link to a peer was broken, by its end inside a frame or by what it said.
    pub(crate) fn link_broke(&self) {
        self.links_broken.fetch_add(1, Relaxed);
    }

    /// A frame was not obeyed, or nobody had asked for it.
    pub(crate) fn ignored_frame(&self) {
        self.frames_ignored.fetch_add(1, Relaxed);
    }

    pub(crate) fn links_broken(&self) -> u64 {
        self.links_broken.load(Relaxed)
    }

    pub(crate) fn frames_ignored(&self) -> u64 {
        self.frames_ignored.load(Relaxed)
    }
}

/// Whether a link that ended for this reason was broken, and not only closed. `in_frame` tells
/// that part of a frame had come.
pub(crate) fn is_broken(reason: &CloseReason, in_frame: bool) -> bool {
    match reason {
        CloseReason::Frame(_) => true,
        // What the rules of the protocol forbid is told so.
        CloseReason::Os { kind, .. } => *kind == io::ErrorKind::InvalidData || in_frame,
        CloseReason::PeerClosed | CloseReason::Handshake(_) | CloseReason::SendStalled => false,
    }
}

#[cfg(test)]
mod tests {
    use tractor_ipc::FrameError;

    use super::*;

    #[test]
    fn a_link_is_broken_by_its_peer_or_inside_a_frame() {
        let os = |kind| CloseReason::Os {
            kind,
            message: String::new(),
        };
        for (reason, in_frame, expected) in [
            (CloseReason::PeerClosed, false, false),
            (CloseReason::Frame(FrameError::Truncated), false, true),
            (os(io::ErrorKind::InvalidData), false, true),
            (os(io::ErrorKind::ConnectionReset), false, false),
            (os(io::ErrorKind::ConnectionReset), true, true),
        ] {
            assert_eq!(is_broken(&reason, in_frame), expected, "{reason:?}");
        }
    }
}
