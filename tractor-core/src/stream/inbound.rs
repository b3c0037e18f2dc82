//! [`Inbound`]: the items of a stream that have arrived and are not read.
//!
//! Whoever reads the link appends whole frames, never waiting; the one consumer takes everything
//! that is there with one exchange of buffers and decodes it without a lock. Items of many small
//! frames lie in one buffer, a large frame stays the memory that it was received into.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tractor_ipc::{Bytes, Payload};

use super::credit::{RecvCredit, cost};
use super::frame::{self, FRAME_HEAD};
use crate::error::Error;

/// An emptied buffer above this size is not kept for its memory.
const SPARE_BYTES_MAX: usize = 512 * 1024;

/// The receiving half of a stream, as the link's reader and the consumer share it.
pub(crate) struct Inbound {
    /// Whether the consumer would find anything, to be asked without the lock.
    ready: AtomicBool,
    state: Mutex<State>,
}

struct State {
    credit: RecvCredit,
    chunks: VecDeque<Chunk>,
    end: Option<Ended>,
    waker: Option<Waker>,
    spare: Vec<u8>,
}

/// Items as they arrived: `frame`s, one after the other.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Of many small frames, each behind its length.
    Small(Vec<u8>),
    /// Of one large frame.
    Bulk(Bytes),
}

impl Chunk {
    /// The frames, one after the other.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let (mut small, bulk) = match self {
            Self::Small(bytes) => (&bytes[..], None),
            Self::Bulk(bytes) => (&[][..], Some(&bytes[..])),
        };
        let small = std::iter::from_fn(move || {
            let (len, rest) = small.split_first_chunk()?;
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            let (frame, rest) = rest.split_at_checked(len)?;
            small = rest;
            Some(frame)
        });
        small.chain(bulk)
    }
}

/// Why no more items come.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The sender has sent its last.
    Well,
    /// Something happened to the sender.
    Badly(Error),
}

/// What the consumer finds.
pub(crate) enum Found {
    Items(Chunk),
    End(Ended),
    Nothing,
}

/// What a frame of items does to its reader.
pub(crate) enum Pushed {
    /// Somebody was woken.
    Woke,
    Quiet,
    /// Nothing: the stream has ended here, or goes elsewhere.
    Late,
    /// It breaks the rules, in this way.
    Violation(&'static str),
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self {
            ready: AtomicBool::new(false),
            state: Mutex::new(State {
                credit: RecvCredit::new(),
                chunks: VecDeque::new(),
                end: None,
                waker: None,
                spare: Vec::new(),
            }),
        }
    }

    /// Whether the consumer would find items or the end.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// A frame of items has arrived.
    pub(crate) fn push(&self, payload: Payload<'_>) -> Pushed {
        let Some(items) = frame::count(payload.as_slice()).filter(|items| *items > 0) else {
            return Pushed::Violation("an items frame has no items");
        };
        let bytes = payload.as_slice().len();
        let mut state = self.lock();
        if state.end.is_some() {
            return Pushed::Late;
        }
        match state.credit.receive(cost(items, bytes - FRAME_HEAD)) {
            Ok(true) => {}
            Ok(false) => return Pushed::Late,
            Err(_) => return Pushed::Violation("items were sent without credit"),
        }
        match payload {
            Payload::Bulk(bytes) => {
                state.credit.widen();
                state.chunks.push_back(Chunk::Bulk(bytes.into()));
            }
            Payload::Small(bytes) => state.append(bytes),
        }
        self.tell(state)
    }

    /// No more items come. The first reason counts.
    pub(crate) fn end(&self, end: Ended) -> Pushed {
        let mut state = self.lock();
        if state.end.is_some() {
            return Pushed::Quiet;
        }
        state.end = Some(end);
        self.tell(state)
    }

    /// Takes what is there. `empty` is a buffer to be reused.
    pub(crate) fn take(&self, empty: Option<Vec<u8>>) -> Found {
        let mut state = self.lock();
        if let Some(mut empty) = empty.filter(|empty| empty.capacity() <= SPARE_BYTES_MAX) {
            empty.clear();
            state.spare = empty;
        }
        let found = match (state.chunks.pop_front(), &state.end) {
            (Some(chunk), _) => Found::Items(chunk),
            (None, Some(end)) => Found::End(end.clone()),
            (None, None) => Found::Nothing,
        };
        let ready = !state.chunks.is_empty() || state.end.is_some();
        self.ready.store(ready, Ordering::Release);
        found
    }

    /// Has `waker` woken when there is something, unless there is by now; tells whether it waits.
    pub(crate) fn wait(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if self.is_ready() {
            return false;
        }
        if !state.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            let old = state.waker.replace(waker.clone());
            drop(state);
            drop(old);
        }
        true
    }

    /// Items of this cost were read; gives what the sender is to be granted.
    pub(crate) fn read(&self, cost: i64) -> Option<i64> {
        self.lock().credit.read(cost)
    }

    /// Nobody reads any more. Tells whether the sender has to hear of it.
    pub(crate) fn stop(&self) -> bool {
        let mut state = self.lock();
        let is_news = state.credit.stop() && state.end.is_none();
        let (chunks, waker) = (mem::take(&mut state.chunks), state.waker.take());
        drop(state);
        drop((chunks, waker));
        is_news
    }

    /// Has everything that is here go elsewhere, and the end, if it is known. What comes later is
    /// late.
    pub(crate) fn divert(&self) -> (Vec<Chunk>, Option<Ended>) {
        let mut state = self.lock();
        let chunks = mem::take(&mut state.chunks).into();
        let end = state.end.replace(Ended::Well);
        (chunks, end)
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.lock().end.clone()
    }

    /// Has the consumer look again.
    pub(crate) fn nudge(&self) {
        let waker = self.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) -> Pushed {
        self.ready.store(true, Ordering::Release);
        let waker = state.waker.take();
        drop(state);
        match waker {
            Some(waker) => {
                waker.wake();
                Pushed::Woke
            }
            None => Pushed::Quiet,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, frame: &[u8]) {
        if !matches!(self.chunks.back(), Some(Chunk::Small(_))) {
            let spare = mem::take(&mut self.spare);
            self.chunks.push_back(Chunk::Small(spare));
        }
        if let Some(Chunk::Small(buffer)) = self.chunks.back_mut() {
            // A frame that does not fit 32 bits cannot be received.
            let len = frame.len() as u32;
            buffer.extend_from_slice(&len.to_le_bytes());
            buffer.extend_from_slice(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::credit::WINDOW;
    use super::*;

    /// A frame of `items` items in `bytes` bytes.
    fn items(items: u32, bytes: usize) -> Vec<u8> {
        [&items.to_le_bytes()[..], &vec![7; bytes]].concat()
    }

    fn push(inbound: &Inbound, frame: &[u8]) -> Pushed {
        inbound.push(Payload::Small(frame))
    }

    #[test]
    fn small_frames_are_taken_together() {
        let inbound = Inbound::new();
        assert!(!inbound.is_ready());
        push(&inbound, &items(1, 2));
        push(&inbound, &items(3, 4));
        assert!(inbound.is_ready());
        let Found::Items(Chunk::Small(bytes)) = inbound.take(None) else {
            panic!("there are two frames");
        };
        assert_eq!(bytes.len(), 2 * (4 + 4) + 2 + 4);
        assert!(!inbound.is_ready());
        assert!(matches!(inbound.take(Some(bytes)), Found::Nothing));
    }

    #[test]
    fn what_has_arrived_comes_before_the_end() {
        let inbound = Inbound::new();
        push(&inbound, &items(1, 1));
        inbound.push(Payload::Bulk(items(1, 100_000)));
        inbound.end(Ended::Well);
        push(&inbound, &items(1, 1));
        assert!(matches!(
            inbound.take(None),
            Found::Items(Chunk::Small(bytes)) if bytes.len() == 9
        ));
        assert!(matches!(inbound.take(None), Found::Items(Chunk::Bulk(_))));
        assert!(matches!(inbound.take(None), Found::End(Ended::Well)));
        assert!(
            matches!(inbound.take(None), Found::End(Ended::Well)),
            "the end is found again and again"
        );
    }

    #[test]
    fn what_is_diverted_goes_with_its_end_and_nothing_follows() {
        let inbound = Inbound::new();
        push(&inbound, &items(1, 1));
        inbound.push(Payload::Bulk(items(1, 100_000)));
        let (chunks, end) = inbound.divert();
        assert!(matches!(&chunks[..], [Chunk::Small(_), Chunk::Bulk(_)]));
        let frames = chunks.iter().flat_map(Chunk::frames);
        assert!(frames.eq([&items(1, 1)[..], &items(1, 100_000)]));
        assert!(end.is_none());
        assert!(matches!(push(&inbound, &items(1, 1)), Pushed::Late));
        let (chunks, end) = inbound.divert();
        assert!(chunks.is_empty() && matches!(end, Some(Ended::Well)));
    }

    #[test]
    fn a_sender_without_credit_is_found_out() {
        let inbound = Inbound::new();
        let frame = items(1, WINDOW as usize + 10);
        assert!(matches!(push(&inbound, &frame), Pushed::Quiet));
        assert!(matches!(
            push(&inbound, &items(1, 1)),
            Pushed::Violation("items were sent without credit")
        ));
        assert!(matches!(push(&inbound, &[1, 2]), Pushed::Violation(_)));
    }

    #[test]
    fn who_reads_no_more_keeps_nothing() {
        let inbound = Inbound::new();
        push(&inbound, &items(1, 1000));
        assert!(inbound.stop());
        assert!(!inbound.stop(), "the sender knows");
        push(&inbound, &items(1, 1000));
        assert!(inbound.lock().chunks.is_empty());
    }
}
