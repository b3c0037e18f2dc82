//! Large blocks one way between two processes on two cores, with blocking calls.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use anyhow::{Context, Result};

use super::BLOCK_BYTES;
use crate::bench::machine::{Machine, Pinned};
use crate::bench::median;
use crate::bench::peer::{Peer, Role};

const ROUNDS: usize = 9;
/// 512 MiB a round: a tenth of a second or two.
const BLOCKS: usize = 8 * 1024;

pub(super) fn unix(machine: &Machine) -> Result<f64> {
    rate(machine, BLOCK_BYTES, BLOCKS, ROUNDS)
}

/// Bytes per second in blocks of this size, each written by a call of its own: the median of so
/// many rounds.
pub(in crate::bench) fn rate(
    machine: &Machine,
    block_bytes: usize,
    blocks: usize,
    rounds: usize,
) -> Result<f64> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let pair = machine.pair();
    let _peer = Peer::start(Role::Sink, theirs.into(), pair.map(|pair| pair.theirs))?;
    let _pinned = pair.map(|pair| Pinned::to(pair.ours)).transpose()?;
    let block = vec![7; block_bytes];
    let bytes = (blocks * block_bytes) as u64;
    let mut rates = Vec::with_capacity(rounds);
    // The first round only warms up.
    for round in 0..=rounds {
        let started = Instant::now();
        ours.write_all(&bytes.to_le_bytes())?;
        for _ in 0..blocks {
            ours.write_all(&block)?;
        }
        ours.read_exact(&mut [0])?;
        if round > 0 {
            rates.push(bytes as f64 / started.elapsed().as_secs_f64());
        }
    }
    median(rates).context("no round was measured")
}
