//! One stream for many: [`Broadcast`] for tasks that each want all of it, [`Publisher`] for those
//! that each want some topics.
//!
//! What each has still to get is kept by `broadcast/board.rs`; `broadcast/hub.rs` reads the stream.

// Who is to get which items; pure.
mod board;

// The stream, read by whoever waits for it.
mod hub;

// Items by topic.
mod publisher;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use self::board::Id;
use self::hub::{Hub, Rules, Seats};
use crate::error::Error;

pub use publisher::{Publisher, Topics};

/// What happens when a subscriber is a whole buffer behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lag {
    /// The stream is not read until it has read: nobody gets ahead of it by more than the buffer,
    /// and in the end the sender waits, too.
    Wait,
    /// It loses the oldest items. It is told how many by an error,
    /// [`Refusal::Lagged`](crate::Refusal::Lagged), and then goes on.
    DropOldest,
    /// Its subscription ends with the error [`Refusal::Lagged`](crate::Refusal::Lagged).
    Fail,
}

/// A stream that any number of tasks can subscribe to. Clones are handles to the same.
///
/// It reads nothing by itself: items are taken from the stream when a subscriber waits for one.
/// When the last handle and the last subscription are gone, the stream is dropped. Items are
/// cloned for all subscribers but one; [`Bytes`](crate::Bytes) and what is in an [`Arc`] are
/// cloned at no cost.
///
/// # Examples
///
/// ```
/// use futures::{StreamExt, stream};
/// use tractor_core::{Broadcast, Lag}; // `tractor::{..}`
///
/// # futures::executor::block_on(async {
/// let numbers = Broadcast::new(stream::iter((1..=3).map(Ok)), 16);
/// let (mut a, b) = (numbers.subscribe(Lag::Wait), numbers.subscribe(Lag::DropOldest));
/// assert_eq!(a.recv().await?, Some(1));
/// let all: Vec<u32> = b.map(Result::unwrap).collect().await;
/// assert_eq!(all, [1, 2, 3]);
/// # Ok::<(), tractor_core::Error>(())
/// # }).unwrap();
/// ```
pub struct Broadcast<T> {
    hub: Arc<Hub<(), T>>,
}

/// One task's copy of a [`Broadcast`], or of some topics of a [`Publisher`]: a [`Stream`] of
/// results.
///
/// It ends after the last item. If something happens to the sender, it gives the error behind the
/// items, then ends.
///
/// [`Stream`]: https://docs.rs/futures/latest/futures/stream/trait.Stream.html
pub struct Subscription<T> {
    id: Id,
    hub: Arc<dyn Seats<T>>,
}

impl<T: Clone + Send + 'static> Broadcast<T> {
    /// Makes one of a stream, with a buffer for so many items (at least one) for each subscriber.
    pub fn new(
        stream: impl Stream<Item = Result<T, Error>> + Send + 'static,
        capacity: usize,
    ) -> Self {
        let rules = Rules {
            fits: |(), _| true,
            start: None,
        };
        Self {
            hub: Hub::new(capacity, Some(Box::pin(stream)), rules),
        }
    }

    /// Subscribes to all items from now on: those that nobody has read from the stream yet.
    pub fn subscribe(&self, lag: Lag) -> Subscription<T> {
        Subscription {
            id: self.hub.subscribe((), lag),
            hub: self.hub.clone(),
        }
    }
}

impl<T> Subscription<T> {
    /// The next item; `None` after the last one.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: no subscriber loses an item.
    ///
    /// # Errors
    ///
    /// [`Refusal::Lagged`](crate::Refusal::Lagged), see [`Lag`]; what the stream itself gives,
    /// after the items before it.
    pub async fn recv(&mut self) -> Result<Option<T>, Error> {
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        self.hub.clone().poll_item(self.id, cx)
    }
}

impl<T> Stream for Subscription<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
        }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
