//! [`Ring`]: the items of a stream that not every subscriber has had, and who is how far.
//!
//! Pure: it is told what was asked and says what there is; it neither reads the stream nor wakes
//! anybody.

use std::collections::{BTreeMap, VecDeque};

use super::Lag;

/// A subscriber of one ring. Never used twice.
pub(super) type Id = u64;

/// What a subscriber finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T, E> {
    Item(T),
    /// So many items are gone that it has not had. It goes on behind them, if its lag is
    /// [`Lag::DropOldest`]; else its subscription is over.
    Lagged(u64),
    /// The stream has ended, with this error if it did not end well. The error is told once.
    End(Option<E>),
    /// Nothing yet.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Ring<T, E> {
    capacity: usize,
    items: VecDeque<T>,
    /// The number of the oldest item in it, or of the next if it is empty.
    first: u64,
    subscribers: BTreeMap<Id, Subscriber>,
    next_id: Id,
    end: Option<Option<E>>,
    /// What nobody has to have any more, for the owner to drop.
    spent: Vec<T>,
}

#[derive(Debug)]
struct Subscriber {
    lag: Lag,
    /// The number of the item that it has next.
    next: u64,
    /// It has failed, or was told of the error that ended the stream.
    over: bool,
}

impl<T, E> Ring<T, E> {
    /// Makes one for so many items; at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            items: VecDeque::new(),
            first: 0,
            subscribers: BTreeMap::new(),
            next_id: 0,
            end: None,
            spent: Vec::new(),
        }
    }

    /// Adds a subscriber, for all items from now on.
    pub(super) fn subscribe(&mut self, lag: Lag) -> Id {
        let subscriber = Subscriber {
            lag,
            next: self.tail(),
            over: false,
        };
        self.next_id += 1;
        self.subscribers.insert(self.next_id, subscriber);
        self.next_id
    }

    /// Removes a subscriber, with what only it has not had.
    pub(super) fn unsubscribe(&mut self, id: Id) {
        self.subscribers.remove(&id);
        self.trim();
    }

    /// What has left the ring since this was last asked.
    pub(super) fn spent(&mut self) -> Vec<T> {
        std::mem::take(&mut self.spent)
    }

    /// Whether the stream may be read: there is room, or nobody whom the ring waits for is at its
    /// oldest item.
    pub(super) fn wants_item(&self) -> bool {
        let holds = |it: &Subscriber| it.lag == Lag::Wait && it.next == self.first;
        self.end.is_none()
            && (self.items.len() < self.capacity || !self.subscribers.values().any(holds))
    }

    /// The stream has given an item, for which the oldest one may have to make room.
    pub(super) fn push(&mut self, item: T) {
        self.items.push_back(item);
        if self.subscribers.is_empty() || self.items.len() > self.capacity {
            self.first += 1;
            self.spent.extend(self.items.pop_front());
        }
    }

    /// The stream has ended.
    pub(super) fn end(&mut self, error: Option<E>) {
        self.end.get_or_insert(error);
    }

    fn tail(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Takes out what all have had.
    fn trim(&mut self) {
        let waiting = self.subscribers.values().filter(|it| !it.over);
        let keep_from = waiting
            .map(|it| it.next)
            .min()
            .unwrap_or_else(|| self.tail());
        let had = keep_from
            .saturating_sub(self.first)
            .min(self.items.len() as u64);
        self.first += had;
        // At most all of them, which fits.
        self.spent.extend(self.items.drain(..had as usize));
    }
}

impl<T: Clone, E: Clone> Ring<T, E> {
    /// What there is for a subscriber. The last one of an item gets the item itself.
    pub(super) fn take(&mut self, id: Id) -> Found<T, E> {
        let (first, tail) = (self.first, self.tail());
        let Some(subscriber) = self.subscribers.get_mut(&id).filter(|it| !it.over) else {
            return Found::End(None);
        };
        if subscriber.next < first {
            let missed = first - subscriber.next;
            subscriber.next = first;
            if subscriber.lag == Lag::Fail {
                subscriber.over = true;
                self.trim();
            }
            return Found::Lagged(missed);
        }
        if subscriber.next == tail {
            let Some(end) = &self.end else {
                return Found::Nothing;
            };
            subscriber.over = end.is_some();
            return Found::End(end.clone());
        }
        let at = subscriber.next;
        subscriber.next += 1;
        self.trim();
        let item = match at.checked_sub(self.first) {
            // A position in memory.
            Some(index) => self.items[index as usize].clone(),
            None => self.spent.pop().expect("it was taken out last"),
        };
        Found::Item(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(capacity: usize) -> Ring<u64, &'static str> {
        Ring::new(capacity)
    }

    #[test]
    fn each_has_every_item_from_its_beginning_on() {
        let mut ring = ring(4);
        let early = ring.subscribe(Lag::Wait);
        ring.push(1);
        let late = ring.subscribe(Lag::Wait);
        ring.push(2);
        ring.end(None);
        assert_eq!(ring.take(early), Found::Item(1));
        assert_eq!(ring.take(early), Found::Item(2));
        assert_eq!(ring.take(late), Found::Item(2));
        for id in [early, late] {
            assert_eq!(ring.take(id), Found::End(None));
            assert_eq!(ring.take(id), Found::End(None), "the end stays");
        }
        assert!(ring.items.is_empty());
        assert_eq!(ring.spent(), [], "each went to who had it last");
    }

    #[test]
    fn who_is_waited_for_holds_the_stream_until_it_reads_or_leaves() {
        let mut ring = ring(2);
        let (slow, quick) = (ring.subscribe(Lag::Wait), ring.subscribe(Lag::Wait));
        ring.push(1);
        ring.push(2);
        assert_eq!(ring.take(quick), Found::Item(1));
        assert!(!ring.wants_item());
        assert_eq!(ring.take(slow), Found::Item(1));
        assert!(ring.wants_item());
        ring.push(3);
        assert!(!ring.wants_item());
        ring.unsubscribe(slow);
        assert_eq!(ring.take(quick), Found::Item(2));
        assert!(ring.wants_item());
    }

    #[test]
    fn who_lags_misses_the_oldest_and_goes_on_or_fails() {
        let mut ring = ring(2);
        let (lossy, strict) = (ring.subscribe(Lag::DropOldest), ring.subscribe(Lag::Fail));
        for item in 1..=5 {
            assert!(ring.wants_item());
            ring.push(item);
        }
        ring.end(None);
        assert_eq!(ring.take(lossy), Found::Lagged(3));
        assert_eq!(ring.take(lossy), Found::Item(4));
        assert_eq!(ring.take(strict), Found::Lagged(3));
        assert_eq!(ring.take(strict), Found::End(None));
        assert_eq!(ring.take(lossy), Found::Item(5));
        assert_eq!(ring.take(lossy), Found::End(None));
    }

    #[test]
    fn an_error_is_told_to_each_behind_the_items_once() {
        let mut ring = ring(2);
        let ids = [Lag::Wait, Lag::Fail].map(|lag| ring.subscribe(lag));
        ring.push(1);
        ring.end(Some("broken"));
        for id in ids {
            assert_eq!(ring.take(id), Found::Item(1));
            assert_eq!(ring.take(id), Found::End(Some("broken")));
            assert_eq!(ring.take(id), Found::End(None));
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Subscribe(Lag),
        Unsubscribe(usize),
        Push,
        Take(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let lag = prop_oneof![Just(Lag::Wait), Just(Lag::DropOldest), Just(Lag::Fail)];
        prop_oneof![
            1 => lag.prop_map(Step::Subscribe),
            1 => (0..8_usize).prop_map(Step::Unsubscribe),
            6 => Just(Step::Push),
            8 => (0..8_usize).prop_map(Step::Take),
        ]
    }

    proptest! {
        /// Items and losses add up for everybody, in order; memory is bounded; who is waited for
        /// loses nothing.
        #[test]
        fn nobody_loses_more_than_it_is_told(
            capacity in 1..5_usize,
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut ring = ring(capacity);
            // Of each subscriber: its lag, and the item that it must have next.
            let mut seats: Vec<(Id, Lag, u64, bool)> = Vec::new();
            let mut pushed = 0;
            for step in steps {
                match step {
                    Step::Subscribe(lag) => seats.push((ring.subscribe(lag), lag, pushed, false)),
                    Step::Unsubscribe(at) if at < seats.len() => {
                        ring.unsubscribe(seats.remove(at).0);
                    }
                    Step::Push if ring.wants_item() => {
                        ring.push(pushed);
                        pushed += 1;
                    }
                    Step::Take(at) if at < seats.len() => {
                        let (id, lag, next, over) = &mut seats[at];
                        match ring.take(*id) {
                            Found::Item(item) => {
                                prop_assert_eq!(item, *next);
                                *next += 1;
                            }
                            Found::Lagged(missed) => {
                                prop_assert!(*lag != Lag::Wait && missed > 0);
                                *next += missed;
                                *over = *lag == Lag::Fail;
                            }
                            Found::End(_) => prop_assert!(*over),
                            Found::Nothing => prop_assert_eq!(*next, pushed),
                        }
                    }
                    Step::Unsubscribe(_) | Step::Push | Step::Take(_) => {}
                }
                prop_assert!(ring.items.len() <= capacity);
                let waited_for = seats.iter().any(|(_, lag, next, _)| {
                    *lag == Lag::Wait && pushed - next >= capacity as u64
                });
                prop_assert_eq!(ring.wants_item(), !waited_for);
            }
        }
    }
}
