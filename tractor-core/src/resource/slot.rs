//! [`Slot`]: the resource of one key, as its users and its keeper share it, and [`Visit`]: one
//! user of it.
//!
//! All that is decided is decided by the machine; this file keeps what it decides about, and
//! wakes those whom it tells something.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::shelf::{self, Place};
use super::state::{Action, Event, Generation, Machine, User};
use crate::error::Error;
use crate::scope;

/// The resource of one key.
pub(super) struct Slot<R> {
    place: Place,
    state: Mutex<Shared<R>>,
}

struct Shared<R> {
    machine: Machine<Arc<R>>,
    seats: BTreeMap<User, Seat>,
    desk: Desk<R>,
}

/// What one user has been told and not taken in yet.
struct Seat {
    news: Option<News>,
    waker: Option<Waker>,
}

enum News {
    /// It is to begin the keeper.
    Open(Generation),
    /// It may enter.
    Enter,
    /// It has left.
    Dismissed,
    /// The keeper has ended.
    Ended(Arc<Outcome>),
}

/// What the latest keeper has been told and not taken in yet.
struct Desk<R> {
    generation: Generation,
    /// The resource, when nobody uses it any more.
    released: Option<Arc<R>>,
    /// Wakes the keeper where it serves.
    serving: Option<Waker>,
    /// Wakes the task that the keeper runs in.
    task: Option<Waker>,
}

/// How a keeper ended, for all whom it concerns.
pub(super) struct Outcome {
    result: Result<(), Error>,
    heard: AtomicBool,
}

/// What is left to be done, in this order, when the slot is no longer locked.
struct Afterwards<R> {
    wakers: Vec<Waker>,
    discarded: Option<Arc<R>>,
    refused: Option<Arc<R>>,
    forget: bool,
}

impl<R> Slot<R> {
    /// Makes the slot of a key that nobody uses, for a first user.
    pub(super) fn new(place: Place) -> (Arc<Self>, Visit<R>) {
        let user = next_user();
        let (machine, generation) = Machine::new(user);
        let news = Some(News::Open(generation));
        let seat = Seat { news, waker: None };
        let slot = Arc::new(Self {
            place,
            state: Mutex::new(Shared {
                machine,
                seats: BTreeMap::from([(user, seat)]),
                desk: Desk::new(0),
            }),
        });
        let visit = Visit::new(slot.clone(), user);
        (slot, visit)
    }

    /// Enters a user, unless the key has been freed here.
    pub(super) fn arrive(self: &Arc<Self>) -> Option<Visit<R>> {
        let user = next_user();
        let mut state = self.lock();
        let seat = Seat {
            news: None,
            waker: None,
        };
        state.seats.insert(user, seat);
        for action in state.machine.handle::<Arc<Outcome>>(Event::Arrived(user)) {
            match action {
                Action::Enter(user) => _ = state.tell(user, News::Enter),
                Action::Retry(user) => _ = state.seats.remove(&user),
                _ => {}
            }
        }
        let is_in = state.seats.contains_key(&user);
        drop(state);
        is_in.then(|| Visit::new(self.clone(), user))
    }

    /// Where it is kept.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The chosen user begins the keeper.
    fn begin(&self, generation: Generation) {
        let mut desk = Desk::new(generation);
        std::mem::swap(&mut self.lock().desk, &mut desk);
        // Wakers of the keeper before.
        drop(desk);
        self.step(Event::Began(generation));
    }

    /// The keeper offers the resource. It is given back by the keeper that does not count.
    pub(super) fn offer(&self, generation: Generation, resource: Arc<R>) -> Option<Arc<R>> {
        self.step(Event::Offered(generation, resource))
    }

    /// The keeper does not serve any longer, whether or not it was asked to close.
    pub(super) fn withdraw(&self, generation: Generation) {
        self.step(Event::Withdrawn(generation));
    }

    /// The keeper is over.
    pub(super) fn end(&self, generation: Generation, result: Result<(), Error>) {
        let mut state = self.lock();
        let is_its_desk = state.desk.generation == generation;
        let left_behind = is_its_desk.then(|| state.desk.released.take()).flatten();
        drop(state);
        // Before anybody opens it anew.
        destroy(left_behind);
        // The last one to drop it logs what nobody heard, which must not happen inside the step.
        let outcome = Arc::new(Outcome {
            result,
            heard: AtomicBool::new(false),
        });
        self.step(Event::Ended(generation, outcome.clone()));
    }

    /// The resource, when nobody uses it any more; until then `waker` is woken at that moment.
    pub(super) fn poll_release(&self, generation: Generation, waker: &Waker) -> Poll<Arc<R>> {
        let mut waker = Some(waker.clone());
        let mut state = self.lock();
        let desk = &mut state.desk;
        if desk.generation == generation {
            if let Some(resource) = desk.released.take() {
                return Poll::Ready(resource);
            }
            std::mem::swap(&mut desk.serving, &mut waker);
        }
        drop(state);
        Poll::Pending
    }

    /// Whether the keeper is to stop opening; otherwise `waker` is woken at that moment.
    pub(super) fn is_abandoned(&self, generation: Generation, waker: &Waker) -> bool {
        let mut waker = Some(waker.clone());
        let mut state = self.lock();
        let is_abandoned = state.machine.is_abandoned(generation);
        if state.desk.generation == generation {
            std::mem::swap(&mut state.desk.task, &mut waker);
        }
        drop(state);
        is_abandoned
    }

    /// Does what the machine makes of an event, and gives what it refuses.
    fn step(&self, event: Event<Arc<R>, Arc<Outcome>>) -> Option<Arc<R>> {
        let mut afterwards = Afterwards {
            wakers: Vec::new(),
            discarded: None,
            refused: None,
            forget: false,
        };
        {
            let mut state = self.lock();
            for action in state.machine.handle(event) {
                state.perform(action, &mut afterwards);
            }
        }
        let Afterwards {
            wakers,
            discarded,
            refused,
            forget,
        } = afterwards;
        if forget {
            shelf::remove(self.place);
        }
        for waker in wakers {
            // One that panics must not keep the others from being told.
            scope::caught("what waits for a resource", || waker.wake());
        }
        destroy(discarded);
        refused
    }

    fn lock(&self) -> MutexGuard<'_, Shared<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Shared<R> {
    fn perform(&mut self, action: Action<Arc<R>, Arc<Outcome>>, out: &mut Afterwards<R>) {
        match action {
            Action::Open(user, generation) => {
                out.wakers.extend(self.tell(user, News::Open(generation)));
            }
            Action::Enter(user) => out.wakers.extend(self.tell(user, News::Enter)),
            Action::Dismiss(user) => out.wakers.extend(self.tell(user, News::Dismissed)),
            Action::Tell(user, outcome) => {
                out.wakers.extend(self.tell(user, News::Ended(outcome)));
            }
            Action::Abandon => out.wakers.extend(self.desk.task.take()),
            Action::Release(resource) => {
                self.desk.released = Some(resource);
                out.wakers.extend(self.desk.serving.take());
            }
            Action::Refuse(resource) => out.refused = Some(resource),
            Action::Discard(resource) => out.discarded = Some(resource),
            Action::Forget => out.forget = true,
            // Only an arrival is answered so, and it has a step of its own.
            Action::Retry(_) => {}
        }
    }

    /// Notes the news of a user, who is to be woken by what this gives.
    fn tell(&mut self, user: User, news: News) -> Option<Waker> {
        let seat = self.seats.get_mut(&user)?;
        seat.news = Some(news);
        seat.waker.take()
    }
}

impl<R> Desk<R> {
    fn new(generation: Generation) -> Self {
        Self {
            generation,
            released: None,
            serving: None,
            task: None,
        }
    }
}

impl Outcome {
    fn hear(&self) -> Result<(), Error> {
        self.heard.store(true, Ordering::Relaxed);
        self.result.clone()
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        // That an opening was cancelled for which nobody waited is no news.
        if let Err(error) = &self.result
            && !*self.heard.get_mut()
            && !error.is_cancelled()
        {
            log::error!("a resource ended when nobody was left to be told: {error}");
        }
    }
}

/// One user of a slot, from its arrival until it has left or is dropped.
pub(super) struct Visit<R> {
    slot: Arc<Slot<R>>,
    user: User,
    /// Dropped before the machine hears of the leaving: the keeper gets the only one back.
    resource: Option<Arc<R>>,
    /// Whether the machine has nothing more to hear of it.
    over: bool,
}

/// What a user has to do next.
pub(super) enum Turn {
    /// To begin the keeper, and then to ask again.
    Begin(Generation),
    /// To use the resource.
    Use,
    /// To give up: this is how the keeper ended.
    GiveUp(Result<(), Error>),
}

impl<R> Visit<R> {
    fn new(slot: Arc<Slot<R>>, user: User) -> Self {
        Self {
            slot,
            user,
            resource: None,
            over: false,
        }
    }

    pub(super) fn slot(&self) -> &Arc<Slot<R>> {
        &self.slot
    }

    /// The resource, after [`Turn::Use`].
    pub(super) fn resource(&self) -> Option<&R> {
        self.resource.as_deref()
    }

    /// Waits for its turn.
    pub(super) async fn turn(&mut self) -> Turn {
        loop {
            match self.news().await {
                News::Open(generation) => {
                    self.slot.begin(generation);
                    return Turn::Begin(generation);
                }
                News::Enter => {
                    let state = self.slot.lock();
                    let resource = state.machine.resource(self.user).cloned();
                    drop(state);
                    // None if the keeper has ceased to serve since; then it tells how it ended.
                    if resource.is_some() {
                        self.resource = resource;
                        return Turn::Use;
                    }
                }
                News::Ended(outcome) => {
                    self.over = true;
                    return Turn::GiveUp(outcome.hear());
                }
                News::Dismissed => {}
            }
        }
    }

    /// Leaves. The last one waits until the keeper has ended, and gets the error of its end; so
    /// does everybody who was in when the keeper ceased to serve.
    pub(super) async fn leave(mut self) -> Result<(), Error> {
        if self.over {
            return Ok(());
        }
        destroy(self.resource.take());
        self.slot.step(Event::Left(self.user));
        loop {
            match self.news().await {
                News::Ended(outcome) => {
                    self.over = true;
                    return outcome.hear();
                }
                News::Dismissed => {
                    self.over = true;
                    return Ok(());
                }
                // It was told so before it left.
                News::Open(_) | News::Enter => {}
            }
        }
    }

    fn news(&self) -> impl Future<Output = News> {
        poll_fn(|cx| {
            let mut waker = Some(cx.waker().clone());
            let mut state = self.slot.lock();
            let news = state.seats.get_mut(&self.user).and_then(|seat| {
                std::mem::swap(&mut seat.waker, &mut waker);
                seat.news.take()
            });
            drop(state);
            news.map_or(Poll::Pending, Poll::Ready)
        })
    }
}

impl<R> Drop for Visit<R> {
    fn drop(&mut self) {
        destroy(self.resource.take());
        if !self.over {
            self.slot.step(Event::Dropped(self.user));
        }
        let seat = self.slot.lock().seats.remove(&self.user);
        drop(seat);
    }
}

impl<R> fmt::Debug for Visit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Drops a copy of the resource, where no lock is held. It may be the last.
fn destroy<R>(resource: Option<Arc<R>>) {
    scope::caught("a resource's destructor", || drop(resource));
}

/// Users are numbered in the order in which they arrive, whatever their key.
fn next_user() -> User {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}
