//! [`Window`]: the items of a map that were taken from its iterator and whose results were not
//! given out, with how many there may be.
//!
//! Pure: it knows neither workers nor wakers, and what a job and a result is, is the map's affair.

use std::collections::{BTreeMap, VecDeque};

/// The number of an item, in the order of the iterator.
pub(crate) type ItemId = u64;

/// How far a map has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The items that have a result, the failed ones included.
    pub done: usize,
    /// The items whose result is an error.
    pub failed: usize,
    /// How many items there are, if the iterator said so when the map was made.
    pub total: Option<usize>,
    /// The items that are being worked at.
    pub in_flight: usize,
    /// How often an item was tried again.
    pub retried: usize,
}

/// Items between the iterator and whoever asks for results.
#[derive(Debug)]
pub(crate) struct Window<J, R> {
    in_order: bool,
    /// How often an item whose worker is lost is tried again.
    retries: u32,
    total: Option<usize>,
    /// The number of the next item to be taken.
    next: ItemId,
    /// The number of the next result to be given out.
    next_out: u64,
    done: usize,
    failed: usize,
    retried: usize,
    in_flight: BTreeMap<ItemId, Item<J>>,
    /// Items that wait for another worker, the oldest first.
    again: VecDeque<(ItemId, Item<J>)>,
    /// Results by the place at which they are given out: the item's, or that of their arrival.
    results: BTreeMap<u64, R>,
}

/// An item without a result.
#[derive(Debug)]
struct Item<J> {
    job: J,
    /// How often it was given up as lost.
    lost: u32,
}

impl<J, R> Window<J, R> {
    /// An empty window for so many items, if that is known.
    pub(crate) fn new(total: Option<usize>) -> Self {
        Self {
            in_order: true,
            retries: 0,
            total,
            next: 0,
            next_out: 0,
            done: 0,
            failed: 0,
            retried: 0,
            in_flight: BTreeMap::new(),
            again: VecDeque::new(),
            results: BTreeMap::new(),
        }
    }

    /// Gives results out in the order in which they arrive.
    pub(crate) fn set_unordered(&mut self) {
        self.in_order = false;
    }

    pub(crate) fn set_retries(&mut self, retries: u32) {
        self.retries = retries;
    }

    /// How many items were taken and have not left it.
    pub(crate) fn len(&self) -> usize {
        self.in_flight.len() + self.again.len() + self.results.len()
    }

    /// Whether an item waits to be tried again.
    pub(crate) fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Numbers an item that was taken from the iterator.
    pub(crate) fn take(&mut self) -> ItemId {
        self.next += 1;
        self.next - 1
    }

    /// An item that is to be tried again, with how often it was lost.
    pub(crate) fn take_again(&mut self) -> Option<(ItemId, u32, J)> {
        let (id, Item { job, lost }) = self.again.pop_front()?;
        Some((id, lost, job))
    }

    /// An item is being worked at.
    pub(crate) fn begin(&mut self, id: ItemId, lost: u32, job: J) {
        self.in_flight.insert(id, Item { job, lost });
    }

    /// An item was not begun: it is the next to be tried, and that does not count.
    pub(crate) fn put_back(&mut self, id: ItemId, lost: u32, job: J) {
        self.again.push_front((id, Item { job, lost }));
    }

    /// The work at an item is over.
    pub(crate) fn end(&mut self, id: ItemId) -> Option<(u32, J)> {
        let Item { job, lost } = self.in_flight.remove(&id)?;
        Some((lost, job))
    }

    /// An item was lost with its worker. It is tried again, unless that was done often enough:
    /// then it is given back.
    pub(crate) fn try_again(&mut self, id: ItemId, lost: u32, job: J) -> Option<J> {
        if lost >= self.retries {
            return Some(job);
        }
        let lost = lost + 1;
        self.retried += 1;
        self.again.push_back((id, Item { job, lost }));
        None
    }

    /// An item has its result.
    pub(crate) fn finish(&mut self, id: ItemId, failed: bool, result: R) {
        let place = match self.in_order {
            true => id,
            false => self.done as u64,
        };
        self.done += 1;
        self.failed += usize::from(failed);
        self.results.insert(place, result);
    }

    /// The next result, if it is there.
    pub(crate) fn give_out(&mut self) -> Option<R> {
        let result = self.results.remove(&self.next_out)?;
        self.next_out += 1;
        Some(result)
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &J> {
        self.in_flight.values().map(|item| &item.job)
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            failed: self.failed,
            total: self.total,
            in_flight: self.in_flight.len(),
            retried: self.retried,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A window that has begun this many items.
    fn begun(items: u32) -> Window<&'static str, u64> {
        let mut window = Window::new(None);
        for _ in 0..items {
            let id = window.take();
            window.begin(id, 0, "job");
        }
        window
    }

    fn finish(window: &mut Window<&'static str, u64>, id: ItemId) {
        window.end(id).expect("it was begun");
        window.finish(id, id % 2 == 1, id);
    }

    fn all(window: &mut Window<&'static str, u64>) -> Vec<u64> {
        std::iter::from_fn(|| window.give_out()).collect()
    }

    #[test]
    fn results_wait_for_those_before_them_unless_the_order_does_not_matter() {
        let mut window = begun(3);
        finish(&mut window, 2);
        finish(&mut window, 1);
        assert_eq!((all(&mut window), window.len()), (vec![], 3));
        finish(&mut window, 0);
        assert_eq!((all(&mut window), window.len()), (vec![0, 1, 2], 0));

        let mut window = begun(3);
        window.set_unordered();
        finish(&mut window, 2);
        assert_eq!(all(&mut window), [2]);
        finish(&mut window, 0);
        finish(&mut window, 1);
        assert_eq!((all(&mut window), window.len()), (vec![0, 1], 0));
    }

    #[test]
    fn a_lost_item_is_tried_again_as_often_as_wanted() {
        let mut window = begun(2);
        window.set_retries(2);
        for lost in 0..2 {
            let (told, job) = window.end(0).expect("it was begun");
            assert_eq!(told, lost);
            assert_eq!(window.try_again(0, lost, job), None);
            assert!(window.has_again());
            let (id, lost, job) = window.take_again().expect("it waits");
            window.begin(id, lost, job);
        }
        let (lost, job) = window.end(0).expect("it was begun");
        assert_eq!(window.try_again(0, lost, job), Some("job"));
        assert_eq!(window.progress().retried, 2);
        assert_eq!(
            window.end(0),
            None,
            "an answer that comes twice counts once"
        );
    }

    #[test]
    fn an_item_that_was_not_begun_goes_first_and_keeps_its_tries() {
        let mut window = begun(2);
        window.set_retries(1);
        let (lost, job) = window.end(0).expect("it was begun");
        window.try_again(0, lost, job);
        let (lost, job) = window.end(1).expect("it was begun");
        window.put_back(1, lost, job);
        assert_eq!(window.take_again(), Some((1, 0, "job")));
        assert_eq!(window.take_again(), Some((0, 1, "job")));
    }

    #[test]
    fn progress_counts_what_failed_as_done() {
        let mut window = begun(3);
        finish(&mut window, 0);
        finish(&mut window, 1);
        let expected = Progress {
            done: 2,
            failed: 1,
            total: None,
            in_flight: 1,
            retried: 0,
        };
        assert_eq!(window.progress(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whatever the order of arrival, each item comes out once, and in its place.
        #[test]
        fn every_item_comes_out_once(
            order in Just((0..12_u64).collect::<Vec<_>>()).prop_shuffle(),
            in_order: bool,
        ) {
            let mut window = begun(12);
            if !in_order {
                window.set_unordered();
            }
            let mut out = Vec::new();
            for id in &order {
                finish(&mut window, *id);
                out.extend(all(&mut window));
            }
            let expected = if in_order { (0..12).collect() } else { order };
            prop_assert_eq!(out, expected);
            prop_assert_eq!(window.len(), 0);
        }
    }
}
