//! [`Channel`]: whole messages in order over one socket, blocking, with a stated reason when it
//! closes.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::addr::Address;
use crate::frame::{self, FrameDecoder, FrameError, PayloadTooLong};
use crate::handshake::{Handshake, HandshakeError, Local, Peer, Step};
use crate::limits::{FRAME_BYTES_MAX, HANDSHAKE_FRAME_BYTES_MAX, HANDSHAKE_MS_MAX};
use crate::message::Kind;
use crate::transport::Socket;

/// A frame for keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFrame {
    /// What it is.
    pub kind: Kind,
    /// What it belongs to.
    pub id: u64,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// One end of a connection, for a thread that may wait.
///
/// Both directions end at the first failure: from then on every operation gives the same
/// [`ChannelError::Closed`] at once. Two ends that both send more than the kernel buffers
/// without receiving wait for each other for ever, unless [`set_send_timeout`] is used.
///
/// [`set_send_timeout`]: Self::set_send_timeout
#[derive(Debug)]
pub struct Channel {
    socket: Socket,
    decoder: FrameDecoder,
    send_timeout: Option<Duration>,
    closed: Option<CloseReason>,
}

impl Channel {
    /// A channel whose peer is known already, such as one end of a pair, with payloads up to
    /// [`FRAME_BYTES_MAX`].
    pub fn new(socket: Socket) -> Self {
        let decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        Self {
            socket,
            decoder,
            send_timeout: None,
            closed: None,
        }
    }

    /// Connects to an actor, and proves and checks that both belong to one tree.
    ///
    /// # Blocking
    ///
    /// At most [`CONNECT_MS_MAX`](crate::limits::CONNECT_MS_MAX) and [`HANDSHAKE_MS_MAX`].
    ///
    /// # Errors
    ///
    /// [`ChannelError::Closed`] with [`CloseReason::Os`] if nobody accepts there, otherwise as
    /// [`handshake`](Self::handshake).
    pub fn connect(address: &Address, local: Local) -> Result<(Self, Peer), ChannelError> {
        let socket = Socket::connect(address)
            .map_err(|error| ChannelError::Closed(CloseReason::from_os(&error)))?;
        Self::new(socket).handshake(Handshake::initiator(local))
    }

    /// Goes through a handshake, before anything else is sent or received.
    ///
    /// # Blocking
    ///
    /// At most [`HANDSHAKE_MS_MAX`] in all, however the peer spreads its messages.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Closed`] with [`CloseReason::Handshake`] if either side refused the
    /// other, [`ChannelError::TimedOut`] if the peer did not answer, otherwise as
    /// [`recv`](Self::recv). The connection is closed in each case.
    pub fn handshake(mut self, mut handshake: Handshake) -> Result<(Self, Peer), ChannelError> {
        let deadline = after(Duration::from_millis(HANDSHAKE_MS_MAX));
        self.decoder.set_max_payload(HANDSHAKE_FRAME_BYTES_MAX);
        if let Some((kind, payload)) = handshake.opening() {
            self.send_before(kind, 0, &payload, deadline)?;
        }
        let peer = loop {
            let message = self.recv_before(deadline)?;
            match handshake.handle(message.kind, &message.payload) {
                Ok(Step::Send(kind, payload)) => self.send_before(kind, 0, &payload, deadline)?,
                Ok(Step::SendAndDone(kind, payload, peer)) => {
                    self.send_before(kind, 0, &payload, deadline)?;
                    break peer;
                }
                Ok(Step::Done(peer)) => break peer,
                Err(error) => {
                    if let Some((kind, payload)) = handshake.farewell() {
                        // Only a courtesy: the reason that is reported is the first one.
                        let _ = self.send_before(kind, 0, &payload, deadline);
                    }
                    return Err(ChannelError::Closed(CloseReason::Handshake(error)));
                }
            }
        };
        self.decoder.set_max_payload(FRAME_BYTES_MAX);
        Ok((self, peer))
    }

    /// Bounds every [`send`](Self::send) from now on; by default it waits for ever.
    pub fn set_send_timeout(&mut self, timeout: Option<Duration>) {
        self.send_timeout = timeout;
    }

    /// Sends one frame, waiting until the kernel has all of it.
    ///
    /// # Errors
    ///
    /// [`ChannelError::TooLong`] if the payload exceeds [`FRAME_BYTES_MAX`]; nothing was sent.
    /// [`ChannelError::Closed`] if the peer is gone, or with [`CloseReason::SendStalled`] if it
    /// did not read within the send timeout.
    pub fn send(&mut self, kind: Kind, id: u64, payload: &[u8]) -> Result<(), ChannelError> {
        let deadline = self.send_timeout.and_then(after);
        self.send_before(kind, id, payload, deadline)
    }

    /// Receives one frame, waiting for at most `timeout`, or for ever. A zero timeout takes only
    /// what has arrived.
    ///
    /// # Errors
    ///
    /// [`ChannelError::TimedOut`] if no frame has wholly arrived in time; what came of it is
    /// kept for the next call. [`ChannelError::Closed`] if no frame will come any more.
    pub fn recv(&mut self, timeout: Option<Duration>) -> Result<OwnedFrame, ChannelError> {
        self.recv_before(timeout.and_then(after))
    }

    /// Why the channel is closed, if it is.
    pub fn closed(&self) -> Option<&CloseReason> {
        self.closed.as_ref()
    }

    /// The socket, for what the channel does not do itself.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Takes the channel apart. The decoder may hold frames that have arrived already.
    pub fn into_parts(self) -> (Socket, FrameDecoder) {
        (self.socket, self.decoder)
    }

    fn send_before(
        &mut self,
        kind: Kind,
        id: u64,
        payload: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        self.check_open()?;
        if payload.len() > FRAME_BYTES_MAX {
            return Err(PayloadTooLong { len: payload.len() }.into());
        }
        let header = frame::header(kind, id, payload.len());
        let mut slices = [IoSlice::new(&header), IoSlice::new(payload)];
        let mut slices = &mut slices[..];
        // Also drops empty slices, so that nothing left means nothing to send.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.socket.send(slices) {
                Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(PollFlags::OUT, deadline)? {
                        return Err(self.close(CloseReason::SendStalled));
                    }
                }
                Err(error) => return Err(self.close(CloseReason::from_os(&error))),
            }
        }
        Ok(())
    }

    fn recv_before(&mut self, deadline: Option<Instant>) -> Result<OwnedFrame, ChannelError> {
        self.check_open()?;
        loop {
            match self.decoder.next() {
                Ok(Some(frame)) => {
                    let (kind, id) = (frame.kind, frame.id);
                    return Ok(OwnedFrame {
                        kind,
                        id,
                        payload: frame.payload.into_vec(),
                    });
                }
                Ok(None) => {}
                Err(error) => return Err(self.close(CloseReason::Frame(error))),
            }
            match self.socket.recv(&mut self.decoder.room()) {
                Ok(0) => {
                    let cut_off = self.decoder.eof().err();
                    let reason = cut_off.map_or(CloseReason::PeerClosed, CloseReason::Frame);
                    return Err(self.close(reason));
                }
                Ok(n) => self.decoder.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(PollFlags::IN, deadline)? {
                        return Err(ChannelError::TimedOut);
                    }
                }
                Err(error) => return Err(self.close(CloseReason::from_os(&error))),
            }
        }
    }

    /// Waits for the socket, and tells whether it is ready before the deadline.
    fn wait(&mut self, flags: PollFlags, deadline: Option<Instant>) -> Result<bool, ChannelError> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(
                &mut [PollFd::new(&self.socket.as_fd(), flags)],
                timeout.as_ref(),
            ) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => {
                    return Err(self.close(CloseReason::from_os(&io::Error::from(error))));
                }
            }
        }
    }

    fn check_open(&self) -> Result<(), ChannelError> {
        match &self.closed {
            Some(reason) => Err(ChannelError::Closed(reason.clone())),
            None => Ok(()),
        }
    }

    fn close(&mut self, reason: CloseReason) -> ChannelError {
        // So that the peer learns of it now and not when the channel is dropped. It fails only
        // if the peer knows already.
        let _ = self.socket.shutdown_write();
        self.closed = Some(reason.clone());
        ChannelError::Closed(reason)
    }
}

/// The moment when a timeout is over; `None`, that is never, if the clock does not reach it.
fn after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Why a frame was not sent or received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Nothing came in time; the channel is as before.
    #[error("receive a frame in time")]
    TimedOut,
    /// The payload does not fit a frame; the channel is as before.
    #[error(transparent)]
    TooLong(#[from] PayloadTooLong),
    /// The channel is closed.
    #[error("use a closed channel")]
    Closed(#[source] CloseReason),
}

/// Why a channel is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer ended the stream, after a whole frame.
    #[error("the peer closed the channel")]
    PeerClosed,
    /// The peer sent something that is no frame, or only part of one.
    #[error(transparent)]
    Frame(FrameError),
    /// One side refused the other.
    #[error(transparent)]
    Handshake(HandshakeError),
    /// The peer did not read what was sent to it.
    #[error("the peer did not read in time")]
    SendStalled,
    /// The operating system says so.
    #[error("{message}")]
    Os {
        /// The kind of error.
        kind: io::ErrorKind,
        /// Its text.
        message: String,
    },
}

impl CloseReason {
    fn from_os(error: &io::Error) -> Self {
        Self::Os {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}
