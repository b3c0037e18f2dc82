//! A small message there and back between two processes on two cores, with blocking calls.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use anyhow::{Context, Result};

use super::MESSAGE_BYTES;
use crate::bench::machine::{Machine, Pinned};
use crate::bench::median;
use crate::bench::peer::{Peer, Role};

const ROUNDS: usize = 10_000;
/// Until the processors run at speed and every page is there.
const ROUNDS_WARM_UP: usize = 1_000;

pub(super) fn unix(machine: &Machine) -> Result<f64> {
    let (ours, theirs) = UnixStream::pair()?;
    measure(machine, ours, theirs.into())
}

pub(super) fn tcp(machine: &Machine) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    measure(machine, ours, theirs.into())
}

fn measure(machine: &Machine, mut ours: impl Read + Write, theirs: OwnedFd) -> Result<f64> {
    let pair = machine.pair();
    let _peer = Peer::start(Role::Echo, theirs, pair.map(|pair| pair.theirs))?;
    let _pinned = pair.map(|pair| Pinned::to(pair.ours)).transpose()?;
    let mut message = [7; MESSAGE_BYTES];
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS_WARM_UP + ROUNDS {
        let started = Instant::now();
        ours.write_all(&message)?;
        ours.read_exact(&mut message)?;
        if round >= ROUNDS_WARM_UP {
            times.push(started.elapsed().as_secs_f64());
        }
    }
    median(times).context("no round was measured")
}
