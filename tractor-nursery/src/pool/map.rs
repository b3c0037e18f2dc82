//! [`PoolMap`]: the results of the calls that a pool makes of items.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tractor_core::portal::Started;
use tractor_core::{Call, Ending, Error, Failure, Refusal};
use tractor_ipc::ActorId;

use super::arrivals::{Answer, Arrival, Arrivals};
use super::dispatch::MapId;
use super::shared::{Asked, Shared, Ticket, Worker};
use super::window::{ItemId, Progress, Window};

/// The results of calls that are made of items: a [`Stream`] of one result for each item.
///
/// Given by [`WorkerPool::map`](crate::WorkerPool::map). Options can be given before it is polled.
/// It ends after the result of the last item. An item whose call fails is an error in the stream,
/// which goes on after it: the function's own error, a panic, or the death of the worker that had
/// the item, told once for each item that it had.
///
/// The calls run while it is not polled, and workers that are done with them serve other maps;
/// new calls are made only when it is. A deadline of the scope in which it is polled holds for the
/// calls that are made in that poll, as for any call.
///
/// [`Stream`]: https://docs.rs/futures/latest/futures/stream/trait.Stream.html
///
/// # Cancellation
///
/// Dropping it cancels the calls in flight. A worker has room again when the function that was
/// cancelled there is dropped; if it is a plain one, which nobody can stop, at once.
///
/// # Errors
///
/// Each item's are those of [`Run`](tractor_core::Run). If the pool is closed before all items are
/// taken, there is one more, of [`Refusal::NurseryClosed`], and the stream ends.
#[must_use = "a map does nothing before it is polled"]
pub struct PoolMap<R, E: Failure, F, I> {
    pool: Arc<Shared>,
    map: MapId,
    make_call: F,
    /// `None` when there are no more.
    items: Option<I>,
    calls_per_worker: usize,
    /// How many results may wait, unless it is as many as there may be calls.
    buffer: Option<usize>,
    window: Window<Job<R, E>, Result<R, Error>>,
    arrivals: Arc<Arrivals>,
    on_progress: Option<Box<dyn FnMut(Progress) + Send>>,
}

/// The work at one item.
struct Job<R, E: Failure> {
    call: Call<R, E>,
    /// What the call is cancelled by while a worker has it.
    started: Option<Started>,
    worker: Option<ActorId>,
}

impl<R, E: Failure, F, I: Iterator> PoolMap<R, E, F, I> {
    pub(super) fn new(pool: Arc<Shared>, make_call: F, items: I) -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let (least, most) = items.size_hint();
        Self {
            map: pool.add_map(arrivals.clone()),
            pool,
            make_call,
            items: Some(items),
            calls_per_worker: 1,
            buffer: None,
            window: Window::new(most.filter(|most| *most == least)),
            arrivals,
            on_progress: None,
        }
    }
}

impl<R, E: Failure, F, I> PoolMap<R, E, F, I> {
    /// Gives results in the order in which they arrive, so that a slow item holds up no other.
    pub fn unordered(mut self) -> Self {
        self.window.set_unordered();
        self
    }

    /// Lets a worker have so many calls of this map at a time; 0 counts as 1. The default is 1,
    /// for calls that compute; those that wait for something can be many. A worker that serves
    /// several maps has at most as many calls in all as the map that allows the most.
    pub fn calls_per_worker(mut self, calls: usize) -> Self {
        self.calls_per_worker = calls.max(1);
        self
    }

    /// Lets so many results wait for those before them, or for being asked for, while the workers
    /// go on. With it the items that are taken and have not left the stream are bounded, by this
    /// number and that of the calls that may be in flight; the default is as many as those.
    pub fn buffer(mut self, results: usize) -> Self {
        self.buffer = Some(results);
        self
    }

    /// Tries an item so often again whose worker died or was cancelled with it, on another worker.
    /// The error of the last try is the item's. The default is 0: a function that was begun is not
    /// repeated unless that is known to do no harm. An error that the function returns, and a
    /// panic in it, are results.
    pub fn retries(mut self, times: u32) -> Self {
        self.window.set_retries(times);
        self
    }

    /// Calls `hook` each time an item has its result, while the stream is polled.
    pub fn on_progress(mut self, hook: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(hook));
        self
    }

    /// How far it has come, by what was heard when it was polled last.
    pub fn progress(&self) -> Progress {
        self.window.progress()
    }

    /// How many items may be taken and not have left the stream.
    fn window_max(&self) -> usize {
        let calls = self.pool.size.saturating_mul(self.calls_per_worker);
        calls.saturating_add(self.buffer.unwrap_or(calls))
    }

    /// An item has its result.
    fn finish(&mut self, id: ItemId, result: Result<R, Error>) {
        self.window.finish(id, result.is_err(), result);
        let progress = self.window.progress();
        if let Some(hook) = &mut self.on_progress {
            hook(progress);
        }
    }

    /// Takes in what has arrived.
    fn take_arrivals(&mut self, cx: &Context<'_>) {
        for Arrival { item, answer } in self.arrivals.take_or_wait(cx.waker()) {
            let Some((lost, mut job)) = self.window.end(item) else {
                continue;
            };
            job.started = None;
            match answer {
                Answer::Lost(error) => {
                    if self.window.try_again(item, lost, job).is_some() {
                        self.finish(item, Err(error));
                    }
                }
                Answer::Result(answer) => {
                    let result = answer.and_then(|bytes| job.decode(&bytes));
                    self.finish(item, result);
                }
            }
        }
    }
}

impl<R, E, F, I> PoolMap<R, E, F, I>
where
    E: Failure,
    I: Iterator,
    F: FnMut(I::Item) -> Call<R, E>,
{
    /// The result of the next item; `None` after the last one.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe: the calls go on, and no result is lost.
    ///
    /// # Errors
    ///
    /// As the stream's.
    pub async fn next(&mut self) -> Option<Result<R, Error>> {
        poll_fn(|cx| self.poll_result(cx)).await
    }

    fn poll_result(&mut self, cx: &Context<'_>) -> Poll<Option<Result<R, Error>>> {
        self.take_arrivals(cx);
        self.make_calls(cx);
        if let Some(result) = self.window.give_out() {
            return Poll::Ready(Some(result));
        }
        match self.items.is_none() && self.window.len() == 0 {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// Makes as many calls as there is room for.
    fn make_calls(&mut self, cx: &Context<'_>) {
        let max = self.window_max();
        while self.window.has_again() || self.items.is_some() && self.window.len() < max {
            match self.pool.ask(self.map, self.calls_per_worker) {
                Asked::Granted(ticket, worker) => {
                    // The room may be that of a call that was answered meanwhile.
                    self.take_arrivals(cx);
                    let Some((id, lost, job)) = self.next_job() else {
                        return;
                    };
                    self.start(ticket, &worker, (id, lost, job));
                }
                Asked::Wait => return,
                Asked::Refused(error) => self.refuse_rest(&error),
            }
        }
    }

    /// What is to be done next: what has to be tried again, or a new item.
    fn next_job(&mut self) -> Option<(ItemId, u32, Job<R, E>)> {
        if let Some(again) = self.window.take_again() {
            return Some(again);
        }
        let Some(item) = self.items.as_mut().and_then(Iterator::next) else {
            self.items = None;
            return None;
        };
        let job = Job {
            call: (self.make_call)(item),
            started: None,
            worker: None,
        };
        Some((self.window.take(), 0, job))
    }

    fn start(
        &mut self,
        ticket: Ticket,
        worker: &Worker,
        (id, lost, mut job): (ItemId, u32, Job<R, E>),
    ) {
        let (pool, worker_id) = (self.pool.clone(), ticket.worker);
        let answered = {
            let (arrivals, child) = (self.arrivals.clone(), worker.child.clone());
            let mut ticket = ticket;
            move |answer| {
                let answer = Answer::of(answer, &child);
                ticket.served = true;
                if let Answer::Lost(_) = answer {
                    ticket.leaving();
                }
                // First the result, then the room: whoever gets that has seen this.
                let waker = arrivals.add(Arrival { item: id, answer });
                drop(ticket);
                waker.into_iter().for_each(Waker::wake);
            }
        };
        match worker.portal.start(&job.call, answered) {
            Ok(started) => {
                job.started = Some(started);
                job.worker = Some(worker.child.aid.clone());
                self.window.begin(id, lost, job);
            }
            Err(error) if matches!(error.ending(), Ending::Refused(_)) => {
                self.finish(id, Err(error));
            }
            // The link is lost, and the worker's end will be heard of.
            Err(_) => {
                pool.leaving(worker_id);
                self.window.put_back(id, lost, job);
            }
        }
    }

    /// The pool is closed: nothing that was not begun will be.
    fn refuse_rest(&mut self, error: &Error) {
        while let Some((id, ..)) = self.window.take_again() {
            self.finish(id, Err(error.clone()));
        }
        let more = self.items.take().and_then(|mut items| items.next());
        if more.is_some() {
            let id = self.window.take();
            self.finish(id, Err(error.clone()));
        }
    }
}

impl<R, E, F, I> Stream for PoolMap<R, E, F, I>
where
    E: Failure,
    I: Iterator,
    F: FnMut(I::Item) -> Call<R, E>,
{
    type Item = Result<R, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_result(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let inside = self.window.len();
        let (least, most) = match &self.items {
            Some(items) => items.size_hint(),
            None => (0, Some(0)),
        };
        let most = most.and_then(|most| most.checked_add(inside));
        (least.saturating_add(inside), most)
    }
}

// Nothing in it is pinned.
impl<R, E: Failure, F, I> Unpin for PoolMap<R, E, F, I> {}

impl<R, E: Failure, F, I> Drop for PoolMap<R, E, F, I> {
    fn drop(&mut self) {
        for job in self.window.jobs() {
            job.started.iter().for_each(Started::cancel);
        }
        self.pool.remove_map(self.map);
    }
}

impl<R, E: Failure, F, I> fmt::Debug for PoolMap<R, E, F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolMap")
            .field("map", &self.map)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

impl<R, E: Failure> Job<R, E> {
    fn decode(&self, bytes: &[u8]) -> Result<R, Error> {
        (self.call.decoder())(bytes).map_err(|error| {
            let refusal = Refusal::BadResult(error.to_string());
            let worker = self.worker.clone().expect("it was answered by one");
            Error::new(worker, Ending::Refused(refusal)).in_call(self.call.export().path())
        })
    }
}
