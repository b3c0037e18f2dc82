//! [`Board`]: who subscribes to what, and which items each has still to get.
//!
//! Pure: it is told what was asked and what came, and says what there is for whom; it neither
//! reads the stream nor wakes anybody.

use std::collections::{BTreeMap, VecDeque};

use super::Lag;

/// A subscriber of one board. Never used twice.
pub(super) type Id = u64;

/// What a subscriber finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T, E> {
    Item(T),
    /// So many items for it are gone that it has not had. It goes on behind them, if its lag is
    /// [`Lag::DropOldest`]; else its subscription is over.
    Lagged(u64),
    /// The stream has ended, with this error if it did not end well. The error is told once.
    End(Option<E>),
    /// Nothing yet.
    Nothing,
}

/// Subscribers that want what their `W` says, and are kept so many items each.
#[derive(Debug)]
pub(super) struct Board<W, T, E> {
    capacity: usize,
    seats: BTreeMap<Id, Seat<W, T, E>>,
    next_id: Id,
    /// What nobody is going to get, for the owner to drop.
    spent: Vec<T>,
}

#[derive(Debug)]
struct Seat<W, T, E> {
    wants: W,
    lag: Lag,
    items: VecDeque<T>,
    /// What it lost and was not told of yet.
    missed: u64,
    /// What it gets behind its items.
    end: Option<Option<E>>,
}

impl<W, T, E> Board<W, T, E> {
    /// Makes one that keeps so many items for each; at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            seats: BTreeMap::new(),
            next_id: 0,
            spent: Vec::new(),
        }
    }

    /// Adds a subscriber, for what comes from now on.
    pub(super) fn subscribe(&mut self, wants: W, lag: Lag) -> Id {
        let seat = Seat {
            wants,
            lag,
            items: VecDeque::new(),
            missed: 0,
            end: None,
        };
        self.next_id += 1;
        self.seats.insert(self.next_id, seat);
        self.next_id
    }

    /// Adds a subscriber for whom nothing but this end comes.
    pub(super) fn subscribe_late(&mut self, wants: W, end: Option<E>) -> Id {
        let id = self.subscribe(wants, Lag::Wait);
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.end = Some(end);
        }
        id
    }

    /// Removes a subscriber, with what it has not had.
    pub(super) fn unsubscribe(&mut self, id: Id) {
        if let Some(seat) = self.seats.remove(&id) {
            self.spent.extend(seat.items);
        }
    }

    /// What those want for whom something may come.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &W> {
        self.seats
            .values()
            .filter(|it| it.end.is_none())
            .map(|it| &it.wants)
    }

    /// Whether the stream may be read: somebody is there, and nobody whom it waits for has as much
    /// as can be kept.
    pub(super) fn wants_item(&self) -> bool {
        let mut seats = self.seats.values().filter(|it| it.end.is_none()).peekable();
        seats.peek().is_some()
            && !seats.any(|it| it.lag == Lag::Wait && it.items.len() >= self.capacity)
    }

    /// The stream has ended, for all who are there.
    pub(super) fn end(&mut self, error: Option<E>)
    where
        E: Clone,
    {
        for seat in self.seats.values_mut() {
            seat.end.get_or_insert_with(|| error.clone());
        }
    }

    /// What was lost since this was last asked.
    pub(super) fn spent(&mut self) -> Vec<T> {
        std::mem::take(&mut self.spent)
    }

    /// What there is for a subscriber.
    pub(super) fn take(&mut self, id: Id) -> Found<T, E> {
        let Some(seat) = self.seats.get_mut(&id) else {
            return Found::End(None);
        };
        if seat.missed > 0 {
            return Found::Lagged(std::mem::take(&mut seat.missed));
        }
        if let Some(item) = seat.items.pop_front() {
            return Found::Item(item);
        }
        match &mut seat.end {
            Some(end) => Found::End(end.take()),
            None => Found::Nothing,
        }
    }
}

impl<W, T: Clone, E> Board<W, T, E> {
    /// The stream has given an item, for those whose `W` fits it. The last of them gets the item
    /// itself, the others clones.
    pub(super) fn publish(&mut self, item: T, fits: impl Fn(&W, &T) -> bool) {
        let capacity = self.capacity;
        let mut seats = self
            .seats
            .values_mut()
            .filter(|it| it.end.is_none() && fits(&it.wants, &item));
        let mut last = seats.next();
        for next in seats {
            if let Some(seat) = last.replace(next) {
                self.spent.extend(seat.receive(item.clone(), capacity));
            }
        }
        match last {
            Some(seat) => self.spent.extend(seat.receive(item, capacity)),
            None => self.spent.push(item),
        }
    }
}

impl<W, T, E> Seat<W, T, E> {
    /// Keeps an item for it. Gives what it loses.
    fn receive(&mut self, item: T, capacity: usize) -> VecDeque<T> {
        self.items.push_back(item);
        if self.items.len() <= capacity {
            return VecDeque::new();
        }
        if self.lag == Lag::Fail {
            self.missed = self.items.len() as u64;
            self.end = Some(None);
            return std::mem::take(&mut self.items);
        }
        self.missed += 1;
        self.items.pop_front().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type OfNumbers = Board<(), u64, &'static str>;

    fn all((): &(), _: &u64) -> bool {
        true
    }

    #[test]
    fn each_gets_every_item_from_its_beginning_on() {
        let mut board = OfNumbers::new(4);
        let early = board.subscribe((), Lag::Wait);
        board.publish(1, all);
        let late = board.subscribe((), Lag::Wait);
        board.publish(2, all);
        board.end(None);
        assert_eq!(board.take(early), Found::Item(1));
        assert_eq!(board.take(early), Found::Item(2));
        assert_eq!(board.take(late), Found::Item(2));
        for id in [early, late] {
            assert_eq!(board.take(id), Found::End(None));
            assert_eq!(board.take(id), Found::End(None), "the end stays");
        }
        assert_eq!(board.spent(), []);
    }

    #[test]
    fn an_item_goes_to_whom_it_fits() {
        let mut board: Board<u64, u64, ()> = Board::new(4);
        let (twos, threes) = (board.subscribe(2, Lag::Wait), board.subscribe(3, Lag::Wait));
        for item in 1..=6 {
            board.publish(item, |of, item| item % of == 0);
        }
        assert_eq!(
            [2, 4, 6].map(Found::Item),
            [(); 3].map(|()| board.take(twos))
        );
        assert_eq!(
            [3, 6].map(Found::Item),
            [(); 2].map(|()| board.take(threes))
        );
        assert_eq!(board.spent(), [1, 5], "for nobody");
        assert!(board.wanted().eq(&[2, 3]));
    }

    #[test]
    fn who_is_waited_for_holds_the_stream_until_it_reads_or_leaves() {
        let mut board = OfNumbers::new(2);
        let (slow, quick) = (
            board.subscribe((), Lag::Wait),
            board.subscribe((), Lag::Wait),
        );
        board.publish(1, all);
        board.publish(2, all);
        assert_eq!(board.take(quick), Found::Item(1));
        assert!(!board.wants_item());
        assert_eq!(board.take(slow), Found::Item(1));
        assert!(board.wants_item());
        board.publish(3, all);
        assert!(!board.wants_item());
        board.unsubscribe(slow);
        assert_eq!(board.spent(), [2, 3]);
        assert_eq!(board.take(quick), Found::Item(2));
        assert!(board.wants_item());
        board.unsubscribe(quick);
        assert!(!board.wants_item(), "nobody is there");
    }

    #[test]
    fn who_lags_misses_the_oldest_and_goes_on_or_fails() {
        let mut board = OfNumbers::new(2);
        let lossy = board.subscribe((), Lag::DropOldest);
        let strict = board.subscribe((), Lag::Fail);
        for item in 1..=5 {
            assert!(board.wants_item());
            board.publish(item, all);
        }
        board.end(None);
        assert_eq!(board.take(lossy), Found::Lagged(3));
        assert_eq!(board.take(lossy), Found::Item(4));
        assert_eq!(board.take(strict), Found::Lagged(3));
        assert_eq!(board.take(strict), Found::End(None));
        assert_eq!(board.take(lossy), Found::Item(5));
        assert_eq!(board.take(lossy), Found::End(None));
    }

    #[test]
    fn an_error_is_told_to_each_behind_the_items_once_and_not_to_those_who_come_later() {
        let mut board = OfNumbers::new(2);
        let ids = [Lag::Wait, Lag::Fail].map(|lag| board.subscribe((), lag));
        board.publish(1, all);
        board.end(Some("broken"));
        for id in ids {
            assert_eq!(board.take(id), Found::Item(1));
            assert_eq!(board.take(id), Found::End(Some("broken")));
            assert_eq!(board.take(id), Found::End(None));
        }
        let next = board.subscribe((), Lag::Wait);
        assert_eq!(board.take(next), Found::Nothing);
        let late = board.subscribe_late((), Some("broken"));
        board.publish(2, all);
        assert_eq!(board.take(late), Found::End(Some("broken")));
        assert_eq!(board.take(next), Found::Item(2));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Subscribe(Lag),
        Unsubscribe(usize),
        Publish,
        Take(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let lag = prop_oneof![Just(Lag::Wait), Just(Lag::DropOldest), Just(Lag::Fail)];
        prop_oneof![
            1 => lag.prop_map(Step::Subscribe),
            1 => (0..8_usize).prop_map(Step::Unsubscribe),
            6 => Just(Step::Publish),
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
            let mut board = OfNumbers::new(capacity);
            // Of each subscriber: its lag, the item that it must have next, whether it has failed.
            let mut seats: Vec<(Id, Lag, u64, bool)> = Vec::new();
            let mut published = 0;
            for step in steps {
                match step {
                    Step::Subscribe(lag) => {
                        seats.push((board.subscribe((), lag), lag, published, false));
                    }
                    Step::Unsubscribe(at) if at < seats.len() => {
                        board.unsubscribe(seats.remove(at).0);
                    }
                    Step::Publish if board.wants_item() => {
                        board.publish(published, all);
                        published += 1;
                    }
                    Step::Take(at) if at < seats.len() => {
                        let (id, lag, next, over) = &mut seats[at];
                        match board.take(*id) {
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
                            Found::Nothing => prop_assert_eq!(*next, published),
                        }
                    }
                    Step::Unsubscribe(_) | Step::Publish | Step::Take(_) => {}
                }
                for seat in board.seats.values() {
                    prop_assert!(seat.items.len() <= capacity);
                }
                let waited_for = seats.iter().any(|(_, lag, next, _)| {
                    *lag == Lag::Wait && published - next >= capacity as u64
                });
                let open = board.seats.values().any(|it| it.end.is_none());
                prop_assert_eq!(board.wants_item(), open && !waited_for);
            }
        }
    }
}
