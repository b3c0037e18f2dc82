//! The second process of a measurement: this program again, started under a hidden command.
//!
//! It is kept as plain as a program can be, because what it takes to start and to answer is what
//! the runtime is compared with. Its socket is its standard input, its byte goes to its output.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::PEER_COMMAND;
use super::machine::Pinned;
use super::raw::{BLOCK_BYTES, MESSAGE_BYTES};

/// What the second process does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Sends each message back until the other end closes.
    Echo,
    /// Reads blocks, and sends a byte back whenever it has read the announced amount.
    Sink,
    /// Writes one byte to its standard output and ends.
    Ready,
}

/// The argument that stands for "on any processor".
const ANY_CPU: &str = "any";

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Sink => "sink",
            Self::Ready => "ready",
        }
    }
}

/// A running second process with a socket; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
}

impl Peer {
    /// Starts a peer with this end of a connection, on this processor.
    pub(crate) fn start(role: Role, socket: OwnedFd, cpu: Option<usize>) -> Result<Self> {
        let cpu = cpu.map_or_else(|| ANY_CPU.to_owned(), |cpu| cpu.to_string());
        let child = command(role, &cpu)?.stdin(Stdio::from(socket)).spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("cannot end the second process: {error}");
        }
    }
}

/// Starts a process that writes one byte; the caller reads it.
pub(crate) fn start_ready() -> Result<(Child, ChildStdout)> {
    let mut child = command(Role::Ready, ANY_CPU)?
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the output is a pipe")?;
    Ok((child, output))
}

/// Nothing is set that would make the standard library fork instead of using `posix_spawn`.
fn command(role: Role, cpu: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([PEER_COMMAND, role.name(), cpu]);
    Ok(command)
}

/// The whole life of the second process.
pub(crate) fn run(role: &str, cpu: &str) -> Result<()> {
    let pinned = if cpu == ANY_CPU {
        None
    } else {
        Some(Pinned::to(cpu.parse()?)?)
    };
    match role {
        "ready" => ready()?,
        "echo" => echo()?,
        "sink" => sink()?,
        other => bail!("unknown role {other}"),
    }
    drop(pinned);
    Ok(())
}

fn ready() -> io::Result<()> {
    let mut output = io::stdout();
    output.write_all(&[1])?;
    output.flush()
}

fn echo() -> Result<()> {
    let mut socket = socket()?;
    let mut message = [0; MESSAGE_BYTES];
    while read_or_end(&mut socket, &mut message)? {
        socket.write_all(&message)?;
    }
    Ok(())
}

fn sink() -> Result<()> {
    let mut socket = socket()?;
    let mut announced = [0; 8];
    let mut block = vec![0; BLOCK_BYTES];
    while read_or_end(&mut socket, &mut announced)? {
        let mut left = u64::from_le_bytes(announced);
        while left > 0 {
            let count = socket.read(&mut block)?;
            ensure!(
                count > 0,
                "the other end closed in the middle of a transfer"
            );
            left = left
                .checked_sub(count as u64)
                .context("more came than was announced")?;
        }
        socket.write_all(&[1])?;
    }
    Ok(())
}

/// The standard input as a stream socket. The type only lends its `read` and `write`, which are
/// the same system calls for every kind of stream socket.
fn socket() -> io::Result<TcpStream> {
    Ok(TcpStream::from(rustix::io::dup(io::stdin())?))
}

/// Fills the buffer; false if the other end closed before its first byte.
fn read_or_end(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    let count = socket.read(buffer)?;
    if count == 0 {
        return Ok(false);
    }
    socket.read_exact(&mut buffer[count..])?;
    Ok(true)
}
