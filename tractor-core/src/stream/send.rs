//! [`SendStream`]: the end of a stream that items go into.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::Sink;
use tractor_ipc::Kind;
use tractor_ipc::codec::{self, Shared};
use tractor_ipc::limits::SHARED_BYTES_MIN;

use super::credit::cost;
use super::outbound::Shut;
use crate::actor::{self, misused};
use crate::dialog::Dialog;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::fairness;
use crate::io::gather;
use crate::io::items::Appended;
use crate::travel::Travel;

/// An item that follows another within this time waits for more of them.
const QUIET: Duration = Duration::from_micros(50);

/// The end of a stream that items go into, also as a [`Sink`].
///
/// An item that was sent leaves at the latest when the poll that sent it is over; there is
/// nothing to flush. A reader that is slow keeps [`send`](Self::send) waiting once about 256 KiB
/// (1 MiB of items of 16 KiB and more) are on their way or unread; nothing else on the link waits
/// for it.
///
/// Dropping it closes the stream: the reader gets what was sent, then the end. If it is dropped
/// because its context's block is cancelled, or panics, the reader is told that instead; a block
/// or function that returns an error closes its stream first.
pub struct SendStream<T> {
    dialog: Arc<Dialog>,
    /// Credit that was drawn and not spent; below zero if the last item exceeded it.
    purse: i64,
    /// When an item last left at once.
    left_at: Option<Instant>,
    /// Whether so much has left since that others may want to run.
    busy: bool,
    state: State,
    items: PhantomData<fn(T)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The end of the call closes it.
    Tacit,
    Closed,
}

impl<T> SendStream<T> {
    pub(crate) fn new(dialog: Arc<Dialog>) -> Self {
        Self {
            dialog,
            purse: 0,
            left_at: None,
            busy: false,
            state: State::Open,
            items: PhantomData,
        }
    }

    /// Of a function that only streams: the end of its call says how it ended.
    pub(crate) fn closed_by_call(mut self) -> Self {
        self.state = State::Tacit;
        self
    }

    /// Closes the stream: the reader gets what was sent, then the end. The other direction stays
    /// as it is. Closed again, nothing happens.
    pub fn close(&mut self) {
        if self.state == State::Open && self.dialog.outbound.finish() {
            self.dialog.send(Kind::End, &[]);
        }
        self.state = State::Closed;
    }

    /// Whether an item would be sent in vain: the other side reads no more, its call is over, or
    /// the stream was closed here.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed || self.dialog.outbound.is_shut()
    }

    fn why_closed(&self, shut: Shut) -> Error {
        match shut.why {
            Some(error) => error,
            None if self.state == State::Closed => misused(Misuse::SentAfterClose),
            None => actor::local_error(Ending::Refused(Refusal::StreamStopped), None),
        }
    }
}

impl<T: Travel> SendStream<T> {
    /// Sends an item, when there is credit for it.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe in that an item is sent whole or not at all; the item is lost if it was not.
    ///
    /// # Errors
    ///
    /// [`Refusal::StreamStopped`] if the other side reads no more; what happened to it, if
    /// something did; [`Refusal::BadItem`] for an item that refuses to be encoded, or is longer
    /// than a frame: the stream goes on without it.
    pub async fn send(&mut self, item: T) -> Result<(), Error> {
        poll_fn(|cx| self.poll_credit(cx)).await?;
        self.put(&item)
    }

    fn poll_credit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_closed() {
            let shut = self.dialog.outbound.shut();
            return Poll::Ready(Err(self.why_closed(shut)));
        }
        if std::mem::take(&mut self.busy) && fairness::must_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.purse > 0 {
            return Poll::Ready(Ok(()));
        }
        let drawn = self.dialog.outbound.poll_draw(self.purse, cx.waker());
        self.purse = 0;
        if drawn.is_pending() {
            fairness::reset();
            // The reader may be waiting for what is gathered here.
            gather::flush_planned(&self.dialog.link);
        }
        match ready!(drawn) {
            Ok(credit) => {
                self.purse = credit;
                Poll::Ready(Ok(()))
            }
            Err(shut) => Poll::Ready(Err(self.why_closed(shut))),
        }
    }

    fn put(&mut self, item: &T) -> Result<(), Error> {
        with_scratch(|encoded, shared| {
            codec::encode_shared(item, encoded, shared).map_err(|error| bad_item(&error))?;
            if shared.len() > 1 {
                // More than one large byte string in an item: rare enough to be copied.
                join(encoded, shared);
            }
            let apart = shared.first().map_or(0, |shared| shared.bytes.len());
            let link = &self.dialog.link;
            let id = self.dialog.outgoing();
            let cost = cost(1, encoded.len() + apart);
            if apart > 0 || encoded.len() >= SHARED_BYTES_MIN {
                let sent = link.send_item(id, encoded, shared.pop());
                sent.map_err(|error| bad_item(&error))?;
                self.busy = true;
            } else {
                let appended = link.append_item(id, encoded);
                self.leave(appended);
            }
            self.purse -= cost;
            Ok(())
        })
    }

    /// Has an item leave that was appended: now, or with others.
    fn leave(&mut self, appended: Appended) {
        let link = &self.dialog.link;
        if appended == Appended::Filled {
            self.left_at = Some(Instant::now());
            self.busy = true;
            link.flush();
            return;
        }
        if link.is_flush_planned() {
            return;
        }
        let now = Instant::now();
        let pause = self.left_at.is_none_or(|at| now - at > QUIET);
        if self.dialog.was_heard() || pause {
            self.left_at = Some(now);
            link.flush();
        } else {
            gather::flush_soon(link);
        }
    }
}

impl<T: Travel> Sink<T> for SendStream<T> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_credit(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Error> {
        self.put(&item)
    }

    /// Ready at once: what was sent leaves by itself.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

// Items are encoded where they are sent; none is kept.
impl<T> Unpin for SendStream<T> {}

impl<T> Drop for SendStream<T> {
    fn drop(&mut self) {
        // A panic is no end of the items: the call tells of it.
        if !std::thread::panicking() {
            self.close();
        }
    }
}

impl<T> fmt::Debug for SendStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendStream({:?}, {:?})", self.dialog, self.state)
    }
}

pub(super) fn bad_item(error: &dyn fmt::Display) -> Error {
    let refusal = Refusal::BadItem(error.to_string());
    actor::local_error(Ending::Refused(refusal), None)
}

/// Puts the byte strings that were left out of an encoding into their places.
fn join(encoded: &mut Vec<u8>, shared: &mut Vec<Shared>) {
    for Shared { at, bytes } in shared.drain(..).rev() {
        encoded.splice(at..at, bytes.iter().copied());
    }
}

/// Lends an empty buffer that keeps its memory from item to item. A nested use, by an item whose
/// encoding sends one, gets its own.
fn with_scratch<R>(f: impl FnOnce(&mut Vec<u8>, &mut Vec<Shared>) -> R) -> R {
    /// Memory beyond this is not kept.
    const KEPT_BYTES_MAX: usize = 64 * 1024;
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut encoded = SCRATCH.take();
    encoded.clear();
    let result = f(&mut encoded, &mut Vec::new());
    if encoded.capacity() <= KEPT_BYTES_MAX {
        SCRATCH.set(encoded);
    }
    result
}
