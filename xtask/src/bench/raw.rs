//! The plain side: what a program without any runtime gets out of the operating system.

pub(super) mod bulk;
mod round_trip;
mod spawn;

use super::Measure::Plain;
use super::Measurement;

/// A small message, as a call's frame is.
pub(super) const MESSAGE_BYTES: usize = 64;

/// A large message, as a bulk stream's item is.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;

pub(super) const MEASUREMENTS: [Measurement; 5] = [
    ("raw_unix_rtt_s", Plain(round_trip::unix)),
    ("raw_tcp_rtt_s", Plain(round_trip::tcp)),
    ("raw_spawn_ready_s", Plain(spawn::ready)),
    ("raw_spawn_64_s", Plain(spawn::sixty_four)),
    ("raw_unix_64k_bytes_per_s", Plain(bulk::unix)),
];
