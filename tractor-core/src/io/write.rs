//! [`WriteQueue`]: frames of many threads, whole and in order, on one socket.
//!
//! Whoever finds the socket free writes at once, outside the lock; whoever finds it busy appends
//! and leaves, and the writer takes it along. What the socket does not take waits for the leader
//! to say that it is writable.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tractor_ipc::{Bytes, Kind, Socket, frame};

use super::items::Growing;
use super::role::is_leader;

/// Frames are gathered in one piece up to about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// Payloads from here on are sent from where they lie.
const OWNED_BYTES_MIN: usize = 16 * 1024;

/// How many pieces the leader writes before it serves others.
const PIECES_MAX: usize = 16;
/// How often a writer waits for room in one piece before it leaves the rest to the leader.
const PATIENCE: u32 = 4;
/// How long it waits each time.
const ROOM_WAIT: Duration = Duration::from_micros(100);

/// What is left to do after an operation on the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an outcome says what the link has to do"]
pub(crate) enum Written {
    /// Nothing.
    Done,
    /// The socket is full: watch it, and call [`WriteQueue::writable`] then.
    Full,
    /// The socket is broken: nothing can be sent ever.
    Broken,
}

/// The sending half of a link.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    out: Mutex<Out>,
}

#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) pieces: VecDeque<Piece>,
    pub(super) state: State,
    /// Whether what is queued is to be sent now. What is corked behind it is not: a writer that
    /// ran after every item would send them one by one.
    urgent: bool,
    /// The frame of items at the end of the last piece, as long as it may grow.
    pub(super) growing: Option<Growing>,
    /// An emptied piece, kept for its memory.
    spare: Vec<u8>,
}

/// Who is to write next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Whoever comes first.
    #[default]
    Free,
    /// Somebody does.
    Writing,
    /// The leader, when the socket is writable.
    Full,
    /// Nobody any more.
    Broken,
}

/// Bytes of whole frames, or a part of one between its other parts, sent up to `sent`.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Content,
    sent: usize,
}

/// What a piece holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Frames, to which others may be appended.
    Frames(Vec<u8>),
    /// Memory that was handed over, or is shared.
    Kept(Bytes),
}

impl WriteQueue {
    /// Sends a frame, at once if the socket is free and `corked` is false; a corked one waits
    /// for [`flush`](Self::flush).
    pub(crate) fn send(
        &self,
        socket: &Socket,
        (kind, id): (Kind, u64),
        payload: &[u8],
        corked: bool,
    ) -> Written {
        let mut out = self.lock();
        if out.state != State::Free || corked {
            out.append(kind, id, payload);
            out.urgent |= !corked;
            return Written::Done;
        }
        out.state = State::Writing;
        if !out.pieces.is_empty() {
            out.append(kind, id, payload);
            out.urgent = true;
            return self.write_out(socket, out);
        }
        drop(out);
        let rest = with_scratch(|scratch| {
            scratch.extend_from_slice(&frame::header(kind, id, payload.len()));
            scratch.extend_from_slice(payload);
            let sent = write_some(socket, &[scratch])?;
            Ok([Piece::new(Content::Frames(scratch[sent..].to_vec()))])
        });
        self.after_direct_write(socket, rest)
    }

    /// Sends a frame whose payload is handed over, so that a large one is not copied.
    pub(crate) fn send_owned(
        &self,
        socket: &Socket,
        (kind, id): (Kind, u64),
        payload: Vec<u8>,
        corked: bool,
    ) -> Written {
        if payload.len() < OWNED_BYTES_MIN {
            return self.send(socket, (kind, id), &payload, corked);
        }
        let header = frame::header(kind, id, payload.len());
        let payload = Piece::new(Content::Kept(payload.into()));
        self.send_pieces(
            socket,
            [Piece::new(Content::Frames(header.to_vec())), payload],
        )
    }

    /// Sends what makes whole frames together, at once if the socket is free.
    pub(super) fn send_pieces<const N: usize>(
        &self,
        socket: &Socket,
        mut pieces: [Piece; N],
    ) -> Written {
        let mut out = self.lock();
        out.growing = None;
        if out.state == State::Broken {
            return Written::Done;
        }
        if out.state != State::Free || !out.pieces.is_empty() {
            // Whatever is appended behind the last of them follows a whole frame.
            out.pieces.extend(pieces);
            out.urgent = true;
            if out.state != State::Free {
                return Written::Done;
            }
            out.state = State::Writing;
            return self.write_out(socket, out);
        }
        out.state = State::Writing;
        drop(out);
        let slices = pieces.each_ref().map(|piece| piece.bytes.as_slice());
        let sent = write_some(socket, &slices);
        let rest = sent.map(|mut sent| {
            for piece in &mut pieces {
                piece.sent = sent.min(piece.bytes.as_slice().len());
                sent -= piece.sent;
            }
            pieces
        });
        self.after_direct_write(socket, rest)
    }

    /// Sends what was corked.
    pub(crate) fn flush(&self, socket: &Socket) -> Written {
        let mut out = self.lock();
        if out.pieces.is_empty() {
            return Written::Done;
        }
        out.urgent = true;
        if out.state != State::Free {
            return Written::Done;
        }
        out.state = State::Writing;
        self.write_out(socket, out)
    }

    /// The socket takes bytes again.
    pub(crate) fn writable(&self, socket: &Socket) -> Written {
        let mut out = self.lock();
        if out.state != State::Full {
            return Written::Done;
        }
        out.state = State::Writing;
        self.write_out(socket, out)
    }

    /// How many bytes wait to be sent.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.lock()
            .pieces
            .iter()
            .map(|piece| piece.bytes.as_slice().len() - piece.sent)
            .sum()
    }

    /// Gives up everything that waits, and everything that is sent from now on.
    pub(crate) fn close(&self) {
        let mut out = self.lock();
        out.state = State::Broken;
        out.pieces.clear();
        out.growing = None;
    }

    /// Ends a write that was made outside the lock by the one whose turn it was.
    fn after_direct_write<const N: usize>(
        &self,
        socket: &Socket,
        rest: io::Result<[Piece; N]>,
    ) -> Written {
        let mut out = self.lock();
        match rest {
            Err(_) => return out.broke(),
            Ok(rest) => {
                for piece in rest.into_iter().rev().filter(|piece| !piece.is_sent()) {
                    out.pieces.push_front(piece);
                    out.urgent = true;
                }
            }
        }
        self.write_out(socket, out)
    }

    /// Writes until nothing urgent is left or the socket is full. The state is `Writing` on entry,
    /// or `Broken` if the queue was closed meanwhile.
    fn write_out<'a>(&'a self, socket: &Socket, mut out: MutexGuard<'a, Out>) -> Written {
        // The leader has others to serve: if threads append faster than it writes, it comes back.
        let pieces_max = if is_leader() { PIECES_MAX } else { usize::MAX };
        let mut pieces = 0;
        loop {
            if out.state == State::Broken {
                return Written::Done;
            }
            let next = if out.urgent {
                out.pieces.pop_front()
            } else {
                None
            };
            let Some(mut piece) = next else {
                out.state = State::Free;
                return Written::Done;
            };
            if pieces == pieces_max {
                out.pieces.push_front(piece);
                out.state = State::Full;
                return Written::Full;
            }
            pieces += 1;
            if out.pieces.is_empty() {
                (out.urgent, out.growing) = (false, None);
            }
            drop(out);
            let result = write_patiently(socket, &mut piece);
            out = self.lock();
            if result.is_err() {
                return out.broke();
            }
            if out.state == State::Broken {
                return Written::Done;
            }
            if !piece.is_sent() {
                out.pieces.push_front(piece);
                (out.urgent, out.state) = (true, State::Full);
                return Written::Full;
            }
            out.keep_spare(piece);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Out> {
        // Nothing in here panics between two changes that belong together.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    fn append(&mut self, kind: Kind, id: u64, payload: &[u8]) {
        self.growing = None;
        if let Some(bytes) = self.room() {
            bytes.extend_from_slice(&frame::header(kind, id, payload.len()));
            bytes.extend_from_slice(payload);
        }
    }

    /// The end of the queue, to append frames there; `None` if nothing is sent any more.
    pub(super) fn room(&mut self) -> Option<&mut Vec<u8>> {
        if self.state == State::Broken {
            return None;
        }
        let has_room = |piece: &Piece| matches!(&piece.bytes, Content::Frames(bytes) if bytes.len() < PIECE_BYTES);
        if !self.pieces.back().is_some_and(has_room) {
            let spare = mem::take(&mut self.spare);
            self.pieces.push_back(Piece::new(Content::Frames(spare)));
        }
        self.end()
    }

    /// The last piece, if frames can be appended to it.
    pub(super) fn end(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.pieces.back_mut()?.bytes {
            Content::Frames(bytes) => Some(bytes),
            Content::Kept(_) => None,
        }
    }

    fn keep_spare(&mut self, piece: Piece) {
        if let Content::Frames(mut bytes) = piece.bytes
            && bytes.capacity() <= 2 * PIECE_BYTES
            && bytes.capacity() > self.spare.capacity()
        {
            bytes.clear();
            self.spare = bytes;
        }
    }

    fn broke(&mut self) -> Written {
        let before = mem::replace(&mut self.state, State::Broken);
        self.pieces.clear();
        self.growing = None;
        if before == State::Broken {
            Written::Done
        } else {
            Written::Broken
        }
    }
}

impl Piece {
    pub(super) fn new(bytes: Content) -> Self {
        Self { bytes, sent: 0 }
    }

    fn is_sent(&self) -> bool {
        self.sent == self.bytes.as_slice().len()
    }
}

impl Content {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Frames(bytes) => bytes,
            Self::Kept(bytes) => bytes,
        }
    }
}

/// Writes until all is written or the socket is full, and tells how many bytes were taken.
fn write_some(socket: &Socket, parts: &[&[u8]]) -> io::Result<usize> {
    // A test may have it take less.
    let first = parts.first().copied().unwrap_or_default();
    let cut = [&first[..crate::fault!("link.write", short, first.len())]];
    let parts = if cut[0].len() < first.len() {
        &cut
    } else {
        parts
    };
    let mut slices: Vec<IoSlice<'_>>;
    let mut only;
    let mut left: &mut [IoSlice<'_>] = match parts {
        [part] => {
            only = [IoSlice::new(part)];
            &mut only
        }
        parts => {
            slices = parts.iter().map(|part| IoSlice::new(part)).collect();
            &mut slices
        }
    };
    let mut taken = 0;
    // Also drops empty slices, so that nothing left means nothing to send.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match socket.send(left) {
            Ok(n) => {
                taken += n;
                IoSlice::advance_slices(&mut left, n);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Writes a piece as far as the socket takes it. Who does not lead waits a little for a reader
/// that is just taking bytes out: handing the rest to the leader costs more.
fn write_patiently(socket: &Socket, piece: &mut Piece) -> io::Result<()> {
    for patience in 0..=PATIENCE {
        piece.sent += write_some(socket, &[&piece.bytes.as_slice()[piece.sent..]])?;
        if piece.is_sent() || patience == PATIENCE || is_leader() || !has_room(socket) {
            break;
        }
    }
    Ok(())
}

/// Waits a moment for room, and tells whether there is some.
fn has_room(socket: &Socket) -> bool {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: ROOM_WAIT.subsec_nanos().into(),
    };
    poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// Lends an empty buffer that keeps its memory from frame to frame.
fn with_scratch<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        f(scratch)
    })
}

#[cfg(test)]
mod tests {
    use tractor_ipc::FrameDecoder;
    use tractor_ipc::limits::FRAME_BYTES_MAX;

    use super::*;

    fn pair() -> (Socket, Socket) {
        let (ours, theirs) = Socket::pair().unwrap();
        (ours, Socket::from_owned_fd(theirs).unwrap())
    }

    /// Ids and payload lengths of all frames that have arrived.
    fn received(socket: &Socket, decoder: &mut FrameDecoder) -> Vec<(u64, usize)> {
        let mut frames = Vec::new();
        loop {
            while let Some(frame) = decoder.next().unwrap() {
                frames.push((frame.id, frame.payload.as_slice().len()));
            }
            match socket.recv(&mut decoder.room()) {
                Ok(n) => decoder.advance(n),
                Err(_) => return frames,
            }
        }
    }

    #[test]
    fn corked_frames_wait_and_keep_their_order() {
        let (ours, theirs) = pair();
        let (queue, mut decoder) = (WriteQueue::default(), FrameDecoder::new(FRAME_BYTES_MAX));
        assert_eq!(
            queue.send(&ours, (Kind::Ping, 1), b"a", true),
            Written::Done
        );
        assert_eq!(received(&theirs, &mut decoder), []);
        assert_eq!(
            queue.send(&ours, (Kind::Ping, 2), b"bc", false),
            Written::Done
        );
        assert_eq!(queue.flush(&ours), Written::Done);
        assert_eq!(received(&theirs, &mut decoder), [(1, 1), (2, 2)]);
        assert_eq!(queue.queued_bytes(), 0);
    }

    #[test]
    fn a_full_socket_keeps_whole_frames_in_order() {
        let (ours, theirs) = pair();
        let (queue, mut decoder) = (WriteQueue::default(), FrameDecoder::new(FRAME_BYTES_MAX));
        let mut full = false;
        for id in 0..64 {
            let payload = vec![7; if id % 2 == 0 { 100_000 } else { 10 }];
            let written = queue.send_owned(&ours, (Kind::Ping, id), payload, false);
            full |= written == Written::Full;
        }
        assert!(full);
        let mut frames = received(&theirs, &mut decoder);
        while queue.queued_bytes() > 0 {
            let _ = queue.writable(&ours);
            frames.extend(received(&theirs, &mut decoder));
        }
        let expected: Vec<_> = (0..64)
            .map(|id| (id, if id % 2 == 0 { 100_000 } else { 10 }))
            .collect();
        assert_eq!(frames, expected);
    }

    #[test]
    fn a_broken_socket_is_reported_once_and_swallows_the_rest() {
        let (ours, theirs) = pair();
        drop(theirs);
        let queue = WriteQueue::default();
        assert_eq!(
            queue.send(&ours, (Kind::Ping, 1), b"", false),
            Written::Broken
        );
        assert_eq!(
            queue.send(&ours, (Kind::Ping, 2), b"", false),
            Written::Done
        );
        assert_eq!(queue.queued_bytes(), 0);
    }

    #[test]
    fn frames_of_many_threads_stay_whole() {
        let (ours, theirs) = pair();
        let queue = WriteQueue::default();
        let (senders, each) = (4, 500);
        std::thread::scope(|scope| {
            for sender in 0..senders {
                let (queue, ours) = (&queue, &ours);
                scope.spawn(move || {
                    for id in 0..each {
                        let payload = vec![sender as u8; (id % 300) as usize];
                        let _ = queue.send(ours, (Kind::Ping, sender << 32 | id), &payload, false);
                    }
                });
            }
            let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
            let mut next = vec![0; senders as usize];
            while next.iter().sum::<u64>() < senders * each {
                let _ = queue.writable(&ours);
                while let Some(frame) = decoder.next().unwrap() {
                    let (sender, id) = ((frame.id >> 32) as usize, frame.id & 0xffff_ffff);
                    assert_eq!(id, next[sender], "the order of one thread is kept");
                    assert_eq!(
                        frame.payload.as_slice(),
                        vec![sender as u8; (id % 300) as usize]
                    );
                    next[sender] += 1;
                }
                if let Ok(n) = theirs.recv(&mut decoder.room()) {
                    decoder.advance(n);
                }
            }
        });
    }
}
