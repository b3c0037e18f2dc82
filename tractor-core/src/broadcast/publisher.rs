//! [`Publisher`]: a stream of items by topic, which runs while somebody subscribes.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;

use futures::Stream;

use super::hub::{Hub, Rules};
use super::{Lag, Subscription};
use crate::actor::misused;
use crate::ending::Misuse;
use crate::error::Error;

/// Items by topic, for any number of subscribers. Clones are handles to the same.
///
/// A feed makes the items: a function that gives a stream of pairs, a topic with an item. It is
/// called when the first subscriber waits for an item, its stream is read while somebody waits,
/// and dropped when the last subscriber leaves; the next one has it called again, after that drop
/// is over. So there is one stream at a time, and none that nobody wants. If the stream ends or
/// fails, that is told to those who are there, and who comes later has the feed called again.
///
/// As a static it is one for the whole actor, and a function that returns its subscriptions
/// publishes to other actors:
///
/// ```no_run
/// use std::sync::LazyLock;
/// use futures::{Stream, stream};
/// # use tractor_core as tractor;
/// use tractor::{Lag, Publisher, Topics};
///
/// type Price = (String, u64);
///
/// static PRICES: LazyLock<Publisher<String, u64>> = LazyLock::new(|| Publisher::new(feed, 64));
///
/// fn feed(topics: Topics<String>) -> impl Stream<Item = Result<Price, tractor::Error>> {
///     // A true feed asks an exchange for the prices of these.
///     stream::iter(topics.current().into_iter().map(|topic| Ok((topic, 1))))
/// }
///
/// # /*
/// #[tractor::rpc]
/// # */
/// fn prices(of: Vec<String>) -> impl Stream<Item = Result<Price, tractor::Error>> {
///     PRICES.subscribe(of, Lag::DropOldest)
/// }
/// ```
pub struct Publisher<K, T> {
    hub: Arc<Hub<BTreeSet<K>, (K, T)>>,
}

/// The topics that a [`Publisher`]'s subscribers want, for its feed.
///
/// A feed that makes items of other topics, too, does no harm: nobody gets them.
pub struct Topics<K> {
    wanted: Box<dyn Wanted<K>>,
    /// What `changed` told last.
    told: BTreeSet<K>,
}

trait Wanted<K>: Send + Sync {
    fn current(&self) -> BTreeSet<K>;
    fn register(&self, waker: &std::task::Waker);
}

impl<K, T> Publisher<K, T>
where
    K: Ord + Clone + Send + 'static,
    T: Clone + Send + 'static,
{
    /// Makes one of a feed, with a buffer for so many items (at least one) for each subscriber.
    pub fn new<S>(feed: impl Fn(Topics<K>) -> S + Send + Sync + 'static, capacity: usize) -> Self
    where
        S: Stream<Item = Result<(K, T), Error>> + Send + 'static,
    {
        let rules = Rules {
            fits: |topics: &BTreeSet<K>, (topic, _): &(K, T)| topics.contains(topic),
            start: Some(Box::new(move |hub: &Arc<_>| {
                let topics = Topics {
                    wanted: Box::new(Arc::downgrade(hub)),
                    told: BTreeSet::new(),
                };
                Box::pin(feed(topics))
            })),
        };
        Self {
            hub: Hub::new(capacity, None, rules),
        }
    }

    /// Subscribes to some topics: to all items of theirs that are read from now on. Each comes
    /// with its topic.
    ///
    /// A subscription to no topic at all gives the error [`Misuse::NoTopic`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{StreamExt, stream};
    /// use tractor_core::{Lag, Publisher}; // `tractor::{..}`
    ///
    /// # futures::executor::block_on(async {
    /// let publisher = Publisher::new(|_| stream::iter((1..=6).map(|n| Ok((n % 3, n)))), 16);
    /// let thirds = publisher.subscribe([0], Lag::Wait);
    /// let thirds: Vec<(u32, u32)> = thirds.map(Result::unwrap).collect().await;
    /// assert_eq!(thirds, [(0, 3), (0, 6)]);
    /// # });
    /// ```
    pub fn subscribe(&self, topics: impl IntoIterator<Item = K>, lag: Lag) -> Subscription<(K, T)> {
        let topics: BTreeSet<K> = topics.into_iter().collect();
        let id = if topics.is_empty() {
            self.hub.refuse(topics, misused(Misuse::NoTopic))
        } else {
            self.hub.subscribe(topics, lag)
        };
        Subscription {
            id,
            hub: self.hub.clone(),
        }
    }
}

impl<K: Ord + Clone> Topics<K> {
    /// The topics that somebody wants now.
    pub fn current(&self) -> BTreeSet<K> {
        self.wanted.current()
    }

    /// Waits until the topics are others than it gave last, and gives them. The first time, it
    /// waits until there are any.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    pub async fn changed(&mut self) -> BTreeSet<K> {
        poll_fn(|cx| {
            self.wanted.register(cx.waker());
            let current = self.wanted.current();
            if current == self.told {
                return Poll::Pending;
            }
            self.told.clone_from(&current);
            Poll::Ready(current)
        })
        .await
    }
}

// The hub owns the stream, and the stream its topics.
impl<K: Ord + Clone + Send, T: Send> Wanted<K> for Weak<Hub<BTreeSet<K>, (K, T)>> {
    fn current(&self) -> BTreeSet<K> {
        let all = |hub: Arc<Hub<_, _>>| hub.wanted(|sets| sets.flatten().cloned().collect());
        self.upgrade().map(all).unwrap_or_default()
    }

    fn register(&self, waker: &std::task::Waker) {
        if let Some(hub) = self.upgrade() {
            hub.feeder.register(waker);
        }
    }
}

impl<K, T> Clone for Publisher<K, T> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
        }
    }
}

impl<K, T> fmt::Debug for Publisher<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl<K: Ord + Clone + fmt::Debug> fmt::Debug for Topics<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Topics").field(&self.current()).finish()
    }
}
