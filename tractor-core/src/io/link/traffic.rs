//! What has gone over a link, and what is under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tractor_ipc::ActorId;

use super::Link;

/// A link in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatistics {
    /// Who is at the other end.
    pub peer: ActorId,
    /// How long the link has been open.
    pub age: Duration,
    /// Bytes received, headers included.
    pub bytes_in: u64,
    /// Bytes sent or queued, headers included.
    pub bytes_out: u64,
    /// Bytes of the latter that the peer has not taken yet.
    pub bytes_queued: usize,
    /// Calls to the peer that await an answer.
    pub calls: usize,
    /// What these call, the longest wait first.
    pub calls_in_flight: Vec<String>,
    /// Tasks that the peer started here.
    pub tasks: usize,
}

/// What is counted.
#[derive(Debug)]
pub(super) struct Traffic {
    opened: Instant,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Traffic {
    pub(super) fn begin() -> Self {
        Self {
            opened: Instant::now(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Link {
    /// The link in numbers; `None` before the peer proved itself.
    pub fn statistics(&self) -> Option<LinkStatistics> {
        let calls_in_flight = self.calls().in_flight();
        Some(LinkStatistics {
            peer: self.peer()?.clone(),
            age: self.traffic.opened.elapsed(),
            bytes_in: self.traffic.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.traffic.bytes_out.load(Ordering::Relaxed),
            bytes_queued: self.writer.queued_bytes(),
            calls: calls_in_flight.len(),
            calls_in_flight,
            tasks: self.tasks().len(),
        })
    }
}
