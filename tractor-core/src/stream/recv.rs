//! [`RecvStream`]: the end of a stream that items come out of.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::Stream;
use tractor_ipc::{Kind, bytes};

use super::arrivals::Received;
use super::credit::cost;
use super::frame::Cursor;
use super::inbound::{Chunk, Ended, Found, Inbound};
use super::send::bad_item;
use super::way::Way;
use crate::broadcast::Broadcast;
use crate::dialog::Dialog;
use crate::error::Error;
use crate::fairness;
use crate::io::{engine, looking};
use crate::travel::Travel;

/// The end of a stream that items come out of: a [`Stream`] of results.
///
/// It ends after the sender's last item. If something happens to the sender, it gives all items
/// that arrived before, then the error, then ends. Dropping it tells the sender that nobody reads
/// any more; of a function that only streams, it cancels the function.
///
/// One of a [`fresh_stream`](crate::fresh_stream) that was not used may also be an argument or a
/// result of a call.
///
/// [`Stream`]: https://docs.rs/futures/latest/futures/stream/trait.Stream.html
pub struct RecvStream<T> {
    way: Way,
    chunk: Option<Chunk>,
    cursor: Cursor,
    /// What the frame that is being read has cost its sender.
    cost: i64,
    waiting: Waiting,
    over: bool,
    /// Cancels the call that streams, when this is dropped.
    call: Option<Box<dyn Send + Sync>>,
    items: PhantomData<fn() -> T>,
}

/// What is remembered of the present wait.
#[derive(Default)]
struct Waiting {
    looked: bool,
    /// Since when, in a case in which looking might have paid.
    since: Option<Instant>,
}

impl<T> RecvStream<T> {
    pub(crate) fn new(dialog: Arc<Dialog>) -> Self {
        Self::over(Way::Dialog(dialog))
    }

    pub(super) fn over(way: Way) -> Self {
        Self {
            way,
            chunk: None,
            cursor: Cursor::default(),
            cost: 0,
            waiting: Waiting::default(),
            over: false,
            call: None,
            items: PhantomData,
        }
    }

    /// The same, with what is dropped when it is.
    pub(crate) fn owning(mut self, call: Box<dyn Send + Sync>) -> Self {
        self.call = Some(call);
        self
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    fn inbound(&self) -> &Inbound {
        match &self.way {
            Way::Dialog(dialog) => &dialog.inbound,
            Way::Home(end) => &end.home().inbound,
        }
    }

    /// Reads on where the sender is now; tells whether that is elsewhere.
    fn go_on(&mut self) -> bool {
        let next = match &self.way {
            Way::Dialog(dialog) => {
                let next = dialog.tie.as_ref().and_then(|tie| tie.take_next());
                next.map(Received::into_way)
            }
            Way::Home(end) => end.other_end().map(Way::Dialog),
        };
        let goes_on = next.is_some();
        if let Some(next) = next {
            self.way = next;
        }
        goes_on
    }
}

impl<T: Travel> RecvStream<T> {
    /// The next item; `None` after the last one.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: no item is lost.
    ///
    /// # Errors
    ///
    /// What happened to the sender, after all items that arrived before; then the stream is over.
    /// [`Refusal::BadItem`](crate::Refusal::BadItem) for an item that cannot be decoded; then it is
    /// over, too.
    pub async fn recv(&mut self) -> Result<Option<T>, Error> {
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// The same items for several tasks of this actor, with a buffer for so many of them (at least
    /// one); each then [`subscribe`](Broadcast::subscribe)s.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use tractor_core::{Error, Lag, RecvStream};
    /// # async fn both(prices: RecvStream<u64>) -> Result<(), Error> {
    /// let prices = prices.broadcast(64);
    /// let mut all = prices.subscribe(Lag::Wait);
    /// let mut latest = prices.subscribe(Lag::DropOldest);
    /// # all.recv().await?; latest.recv().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(self, capacity: usize) -> Broadcast<T>
    where
        T: Clone + Send + 'static,
    {
        Broadcast::new(self, capacity)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        if let Way::Home(end) = &self.way {
            end.begin();
        }
        while !self.over {
            if !self.cursor.is_done() {
                return Poll::Ready(Some(self.decode()));
            }
            self.settle();
            if self.enter_frame() {
                if fairness::must_yield() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            let spent = self.spent();
            match self.inbound().take(spent) {
                Found::Items(chunk) => {
                    self.arrived();
                    self.begin(chunk);
                }
                Found::End(Ended::Well) => self.over = !self.go_on(),
                Found::End(Ended::Badly(error)) => {
                    self.over = true;
                    if let Way::Dialog(dialog) = &self.way {
                        // A sender that came meanwhile sends in vain.
                        drop(dialog.tie.as_ref().map(|tie| tie.take_next()));
                    }
                    return Poll::Ready(Some(Err(error)));
                }
                Found::Nothing => {
                    if !self.look() && self.inbound().wait(cx.waker()) && !self.is_elsewhere() {
                        fairness::reset();
                        return Poll::Pending;
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    /// Whether the sender of a stream that was made here has left; then it is read from there.
    fn is_elsewhere(&mut self) -> bool {
        matches!(self.way, Way::Home(_)) && self.go_on()
    }

    fn decode(&mut self) -> Result<T, Error> {
        let decoded = match &self.chunk {
            Some(Chunk::Small(chunk)) => self.cursor.decode(chunk),
            Some(Chunk::Bulk(chunk)) => bytes::sharing(chunk, || self.cursor.decode(chunk)),
            None => self.cursor.decode(&[]),
        };
        decoded.map_err(|error| {
            self.over = true;
            bad_item(&error)
        })
    }

    /// Begins to read what was taken.
    fn begin(&mut self, chunk: Chunk) {
        self.cursor = Cursor::default();
        if let Chunk::Bulk(bulk) = &chunk {
            let items = self.cursor.enter(bulk, 0..bulk.len());
            self.cost = cost(items, bulk.len() - super::frame::FRAME_HEAD);
        }
        self.chunk = Some(chunk);
    }

    /// Begins with the next frame of the chunk, if there is one.
    fn enter_frame(&mut self) -> bool {
        let Some(Chunk::Small(chunk)) = &self.chunk else {
            return false;
        };
        let Some(items) = self.cursor.enter_next(chunk) else {
            return false;
        };
        self.cost = cost(items, self.cursor.left_bytes());
        true
    }

    /// The chunk that was read, for its memory.
    fn spent(&mut self) -> Option<Vec<u8>> {
        match self.chunk.take() {
            Some(Chunk::Small(chunk)) => Some(chunk),
            Some(Chunk::Bulk(_)) | None => None,
        }
    }

    /// A frame was read to its end: its cost is given back.
    fn settle(&mut self) {
        let cost = std::mem::take(&mut self.cost);
        if cost > 0
            && let Some(grant) = self.inbound().read(cost)
        {
            match &self.way {
                Way::Dialog(dialog) => dialog.send(Kind::Credit, &grant.to_le_bytes()),
                Way::Home(end) => drop(end.home().outbound.grant(grant)),
            }
        }
    }

    fn arrived(&mut self) {
        if let (Some(since), Some(dialog)) = (self.waiting.since, self.way.dialog()) {
            dialog.look.waited(since.elapsed());
        }
        self.waiting = Waiting::default();
    }

    /// Reads the link itself for a moment, once in a wait; tells whether something came.
    fn look(&mut self) -> bool {
        if std::mem::replace(&mut self.waiting.looked, true) {
            return false;
        }
        // With calls in flight the leader is faster for all.
        if engine().calls_out.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let Way::Dialog(dialog) = &self.way else {
            return false;
        };
        let Dialog { link, look, .. } = &**dialog;
        if !look.is_good() {
            self.waiting.since = Some(Instant::now());
        }
        looking::look(link, look, || dialog.inbound.is_ready())
    }
}

impl<T: Travel> Stream for RecvStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

// Items are decoded when they are asked for; none is kept.
impl<T> Unpin for RecvStream<T> {}

impl<T> Drop for RecvStream<T> {
    fn drop(&mut self) {
        if let Way::Dialog(dialog) = &self.way
            && dialog.inbound.stop()
            && self.call.is_none()
        {
            // An empty grant says that nobody reads any more.
            dialog.send(Kind::Credit, &[]);
        }
    }
}

impl<T> fmt::Debug for RecvStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvStream({:?})", self.way)
    }
}
