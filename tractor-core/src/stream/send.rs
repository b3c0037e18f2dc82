//! [`SendStream`]: the end of a stream that items go into.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, Sink};
use tractor_ipc::codec::{self, Shared};
use tractor_ipc::limits::{FRAME_BYTES_MAX, SHARED_BYTES_MIN};
use tractor_ipc::{Payload, PayloadTooLong};

use super::credit::cost;
use super::frame::FRAME_HEAD;
use super::inbound::Pushed;
use super::outbound::Shut;
use super::way::Way;
use crate::actor::{self, misused};
use crate::dialog::Dialog;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::fairness;
use crate::io::gather;
use crate::io::items::Appended;
use crate::scope::{self, Cancellation};
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
///
/// One of a [`fresh_stream`](crate::fresh_stream) that was not used may also be an argument or a
/// result of a call.
///
/// [`Sink`]: https://docs.rs/futures/latest/futures/sink/trait.Sink.html
pub struct SendStream<T> {
    way: Way,
    /// On its way to where the reader is.
    moving: Option<Mutex<Moving>>,
    /// Credit that was drawn and not spent; below zero if the last item exceeded it.
    purse: i64,
    /// When an item last left at once.
    left_at: Option<Instant>,
    /// Whether so much has left since that others may want to run.
    busy: bool,
    state: State,
    items: PhantomData<fn(T)>,
}

type Moving = BoxFuture<'static, Result<(Way, i64), Error>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The end of the call closes it.
    Tacit,
    Closed,
}

impl<T> SendStream<T> {
    pub(crate) fn new(dialog: Arc<Dialog>) -> Self {
        Self::over(Way::Dialog(dialog))
    }

    pub(super) fn over(way: Way) -> Self {
        Self {
            way,
            moving: None,
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
        if self.state == State::Open {
            match &self.way {
                Way::Dialog(dialog) => dialog.finish(),
                Way::Home(end) => end.close(None),
            }
        }
        self.state = State::Closed;
        self.moving = None;
    }

    /// Whether an item would be sent in vain: the other side reads no more, its call is over, or
    /// the stream was closed here.
    pub fn is_closed(&self) -> bool {
        let is_shut = || match &self.way {
            Way::Dialog(dialog) => dialog.outbound.is_shut() && !self.is_moving(),
            Way::Home(end) => end.is_shut(),
        };
        self.state == State::Closed || is_shut()
    }

    /// Whether it goes on elsewhere.
    fn is_moving(&self) -> bool {
        let tie = self.way.dialog().and_then(|dialog| dialog.tie.as_ref());
        self.moving.is_some() || tie.is_some_and(|tie| tie.is_introduced())
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    fn why_closed(&self, shut: Shut) -> Error {
        match shut.why {
            None if self.state == State::Closed => misused(Misuse::SentAfterClose),
            _ => shut.into_error(),
        }
    }

    /// Gives it up: the reader gets what was sent, then the error.
    fn abandon(&mut self, error: Error) {
        match &self.way {
            Way::Dialog(dialog) => dialog.abandon(&error),
            Way::Home(end) => end.close(Some(error)),
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
        let Way::Dialog(dialog) = &self.way else {
            return self.poll_home(cx);
        };
        if self.state == State::Closed || dialog.outbound.is_shut() {
            return self.poll_shut(cx);
        }
        if std::mem::take(&mut self.busy) && fairness::must_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.purse > 0 {
            return Poll::Ready(Ok(()));
        }
        let drawn = dialog.outbound.poll_draw(self.purse, cx.waker());
        self.purse = 0;
        if drawn.is_pending() {
            fairness::reset();
            // The reader may be waiting for what is gathered here.
            gather::flush_planned(&dialog.link);
        }
        match ready!(drawn) {
            Ok(credit) => {
                self.purse = credit;
                Poll::Ready(Ok(()))
            }
            Err(shut) => Poll::Ready(Err(self.why_closed(shut))),
        }
    }

    /// Goes on to where the reader is, if it was told to; otherwise nothing can be sent any more.
    #[cold]
    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Way::Dialog(dialog) = &self.way else {
            return Poll::Pending;
        };
        if self.state != State::Closed && self.moving.is_none() {
            let tie = dialog.tie.as_ref();
            let introduction = tie.and_then(|tie| tie.take_introduction());
            self.moving = introduction.map(|to| Mutex::new(to.follow().boxed()));
        }
        let Some(moving) = &mut self.moving else {
            let shut = dialog.outbound.shut();
            return Poll::Ready(Err(self.why_closed(shut)));
        };
        let moving = moving.get_mut().unwrap_or_else(PoisonError::into_inner);
        let moved = ready!(moving.poll_unpin(cx));
        self.moving = None;
        match moved {
            Ok((way, credit)) => {
                // What follows comes from here, as far as the reader is concerned.
                dialog.finish();
                (self.way, self.purse) = (way, credit);
                // From the beginning: no function of the usual way calls this one and is called.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => {
                let why = dialog.outbound.shut().why.unwrap_or(error);
                dialog.abandon(&why);
                dialog.outbound.stop(Some(why.clone()));
                Poll::Ready(Err(why))
            }
        }
    }

    /// The same of a stream that was made here, whose reader has not left as far as is known.
    #[cold]
    fn poll_home(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Way::Home(end) = &self.way else {
            return Poll::Pending;
        };
        if self.state == State::Closed {
            return Poll::Ready(Err(self.why_closed(Shut { why: None })));
        }
        end.begin();
        if let Some(dialog) = end.other_end() {
            // What was sent was paid there.
            (self.way, self.purse) = (Way::Dialog(dialog), 0);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if std::mem::take(&mut self.busy) && fairness::must_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.purse > 0 && !end.is_shut() {
            return Poll::Ready(Ok(()));
        }
        let drawn = end.home().outbound.poll_draw(self.purse, cx.waker());
        self.purse = 0;
        match drawn {
            Poll::Ready(Ok(credit)) => {
                self.purse = credit;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(shut)) => Poll::Ready(Err(self.why_closed(shut))),
            Poll::Pending => {
                if end.has_dialog() {
                    // Perhaps since a moment ago, and then nobody would wake it.
                    cx.waker().wake_by_ref();
                }
                fairness::reset();
                Poll::Pending
            }
        }
    }

    fn put(&mut self, item: &T) -> Result<(), Error> {
        if matches!(self.way, Way::Home(_)) && self.put_home(item)? {
            return Ok(());
        }
        with_scratch(|encoded, shared| {
            let Way::Dialog(dialog) = &self.way else {
                return Ok(());
            };
            codec::encode_shared(item, encoded, shared).map_err(|error| bad_item(&error))?;
            if shared.len() > 1 {
                // More than one large byte string in an item: rare enough to be copied.
                join(encoded, shared);
            }
            let apart = shared.first().map_or(0, |shared| shared.bytes.len());
            let link = &dialog.link;
            let id = dialog.outgoing();
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

    /// Leaves an item for a reader in this actor; tells whether that was possible, or the reader
    /// has left since there was credit.
    #[cold]
    fn put_home(&mut self, item: &T) -> Result<bool, Error> {
        let Way::Home(end) = &self.way else {
            return Ok(false);
        };
        let mut frame = 1_u32.to_le_bytes().to_vec();
        codec::encode_into(item, &mut frame).map_err(|error| bad_item(&error))?;
        let cost = cost(1, frame.len() - FRAME_HEAD);
        if frame.len() > FRAME_BYTES_MAX {
            return Err(bad_item(&PayloadTooLong { len: frame.len() }));
        }
        let payload = match frame.len() < SHARED_BYTES_MIN {
            true => Payload::Small(&frame),
            false => Payload::Bulk(frame),
        };
        let pushed = end.home().inbound.push(payload);
        if matches!(pushed, Pushed::Woke | Pushed::Quiet) {
            self.busy = true;
            self.purse -= cost;
            return Ok(true);
        }
        let Some(dialog) = end.other_end() else {
            let shut = end.home().outbound.shut();
            return Err(self.why_closed(shut));
        };
        // There is as much as there was here.
        let drawn = dialog.outbound.poll_draw(0, Waker::noop());
        self.way = Way::Dialog(dialog);
        match drawn {
            Poll::Ready(Ok(credit)) => self.purse = credit,
            Poll::Ready(Err(shut)) => return Err(self.why_closed(shut)),
            Poll::Pending => unreachable!("an item was permitted"),
        }
        Ok(false)
    }

    /// Has an item leave that was appended: now, or with others.
    fn leave(&mut self, appended: Appended) {
        let Way::Dialog(dialog) = &self.way else {
            return;
        };
        let link = &dialog.link;
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
        if dialog.was_heard() || pause {
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
        let of_call = self.way.dialog().is_some_and(|dialog| dialog.tie.is_none());
        match why_dropped() {
            // A panic is no end of the items, nor is a cancel; of those the call tells, if there
            // is one.
            Some(error) if !of_call && self.state == State::Open => self.abandon(error),
            Some(_) if std::thread::panicking() => {}
            Some(_) | None => self.close(),
        }
    }
}

/// What drops whatever is dropped now, if it is no regular end.
fn why_dropped() -> Option<Error> {
    if std::thread::panicking() {
        let message = "the task that held the sending end of a stream panicked".to_owned();
        let location = None;
        return Some(actor::local_error(
            Ending::Panicked { message, location },
            None,
        ));
    }
    let Cancellation { by, reason } = scope::current()?.cancelled_by()?;
    Some(actor::local_error(Ending::Cancelled { by, reason }, None))
}

impl<T> fmt::Debug for SendStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendStream({:?}, {:?})", self.way, self.state)
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
#[inline]
fn with_scratch<R>(f: impl FnOnce(&mut Vec<u8>, &mut Vec<Shared>) -> R) -> R {
    /// Memory beyond this is not kept.
    const KEPT_BYTES_MAX: usize = 64 * 1024;
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with(|scratch| {
        // Borrowed, not moved out and in again: that costs as much as encoding a number.
        let (mut own, mut kept) = (Vec::new(), scratch.try_borrow_mut());
        let encoded = match &mut kept {
            Ok(kept) => &mut **kept,
            Err(_) => &mut own,
        };
        encoded.clear();
        let result = f(encoded, &mut Vec::new());
        if encoded.capacity() > KEPT_BYTES_MAX {
            *encoded = Vec::new();
        }
        result
    })
}
