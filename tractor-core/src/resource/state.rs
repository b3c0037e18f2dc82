//! [`Machine`]: who uses the resource of one key, who waits for it, and whose turn it is to open
//! or close it.
//!
//! Pure: it is told what happened and says what to do, in the order given. It does not know what
//! a resource is, how anybody is told, or where keys are kept. Read [`State`] first, then
//! [`Event`].
//!
//! What it promises, whatever comes in any order: a keeper is begun only when the one before has
//! ended; the last user's leaving asks the keeper to close, once; a user enters only what is
//! neither being closed nor over; and everybody who waits is told when the keeper has ended, if
//! not before.

use std::collections::BTreeSet;
use std::mem;

/// A user of the key. Numbers grow in the order of arrival and are never used twice.
pub(super) type User = u64;

/// Which keeper of the key: numbers grow, and what an earlier one still says is not heard.
pub(super) type Generation = u64;

/// What became of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State<R> {
    /// Nobody keeps it, and this user is to begin a keeper. Left for [`State::Opening`] when it
    /// has, or for [`State::Gone`] if everybody leaves before.
    Chosen {
        opener: User,
        waiters: BTreeSet<User>,
    },
    /// A keeper is opening it, for these. Left for [`State::Open`] by its offer, for
    /// [`State::Abandoned`] if everybody leaves, for [`State::Gone`] if it fails.
    Opening { waiters: BTreeSet<User> },
    /// A keeper is opening it, and should stop, because nobody waits for that any more. Left as
    /// [`State::Closing`] is, for which it is also left if the keeper offers all the same.
    Abandoned(Farewell),
    /// It can be used. Left for [`State::Closing`] when the last user leaves, or when the keeper
    /// does not serve it any longer.
    Open { users: BTreeSet<User>, resource: R },
    /// A keeper is closing it. Left when that has ended: for [`State::Chosen`] if somebody waits,
    /// else for [`State::Gone`].
    Closing(Farewell),
    /// The key is free. Never left: the next user has a machine of its own.
    Gone,
}

/// Who waits for the end of a keeper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Farewell {
    /// Those who are to hear how it ended: who left as the last, or who was in when the keeper
    /// ceased to serve.
    owed: BTreeSet<User>,
    /// Those who came too late for it.
    waiters: BTreeSet<User>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event<R, O> {
    /// A user wants the resource.
    Arrived(User),
    /// A user has no more use for it, and waits for what it has to hear.
    Left(User),
    /// As `Left`, and nobody listens: the user's future was dropped.
    Dropped(User),
    /// The chosen user has begun the keeper.
    Began(Generation),
    /// The keeper has opened the resource.
    Offered(Generation, R),
    /// The keeper does not serve the resource any longer, although nobody asked it to close.
    Withdrawn(Generation),
    /// The keeper is over, and this is how it ended.
    Ended(Generation, O),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action<R, O> {
    /// Have this user begin the keeper.
    Open(User, Generation),
    /// Let this user in.
    Enter(User),
    /// Tell this user that it has left, and nothing else concerns it.
    Dismiss(User),
    /// Tell this user how the keeper ended.
    Tell(User, O),
    /// Have this user look the key up again: here it is gone.
    Retry(User),
    /// Cancel the keeper's opening.
    Abandon,
    /// Give the resource back to the keeper: nobody uses it.
    Release(R),
    /// Give the resource back to who offered it: this is no keeper of the present.
    Refuse(R),
    /// Destroy this copy of the resource.
    Discard(R),
    /// Free the key.
    Forget,
}

/// The users and the keeper of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine<R> {
    state: State<R>,
    generation: Generation,
}

impl<R: Clone> Machine<R> {
    /// Makes the machine of a free key and its first user, who is to begin the keeper of this
    /// generation.
    pub(super) fn new(first: User) -> (Self, Generation) {
        let machine = Self {
            state: State::Chosen {
                opener: first,
                waiters: BTreeSet::new(),
            },
            generation: 1,
        };
        (machine, 1)
    }

    /// The resource, if this user may use it now.
    pub(super) fn resource(&self, user: User) -> Option<&R> {
        match &self.state {
            State::Open { users, resource } if users.contains(&user) => Some(resource),
            _ => None,
        }
    }

    /// Whether this keeper is to stop opening.
    pub(super) fn is_abandoned(&self, generation: Generation) -> bool {
        self.generation == generation && matches!(self.state, State::Abandoned(_))
    }

    /// Takes in what happened. An event that does not fit the state is out of date and changes
    /// nothing.
    pub(super) fn handle<O: Clone>(&mut self, event: Event<R, O>) -> Vec<Action<R, O>> {
        let mut out = Vec::new();
        match event {
            Event::Arrived(user) => self.arrived(user, &mut out),
            Event::Left(user) => self.left(user, true, &mut out),
            Event::Dropped(user) => self.left(user, false, &mut out),
            Event::Offered(generation, resource) => self.offered(generation, resource, &mut out),
            Event::Began(generation) if generation == self.generation => self.began(),
            Event::Withdrawn(generation) if generation == self.generation => {
                self.withdrawn(&mut out);
            }
            Event::Ended(generation, outcome) if generation == self.generation => {
                self.ended(&outcome, &mut out);
            }
            Event::Began(_) | Event::Withdrawn(_) | Event::Ended(..) => {}
        }
        out
    }

    fn arrived<O>(&mut self, user: User, out: &mut Vec<Action<R, O>>) {
        match &mut self.state {
            State::Chosen { waiters, .. }
            | State::Opening { waiters }
            | State::Abandoned(Farewell { waiters, .. })
            | State::Closing(Farewell { waiters, .. }) => _ = waiters.insert(user),
            State::Open { users, .. } => {
                users.insert(user);
                out.push(Action::Enter(user));
            }
            State::Gone => out.push(Action::Retry(user)),
        }
    }

    fn left<O>(&mut self, user: User, listens: bool, out: &mut Vec<Action<R, O>>) {
        let was_here = match &mut self.state {
            State::Chosen { opener, waiters } if *opener == user => {
                let waiters = mem::take(waiters);
                self.choose(waiters, out);
                true
            }
            State::Chosen { waiters, .. } => waiters.remove(&user),
            State::Opening { waiters } => {
                let was_here = waiters.remove(&user);
                if was_here && waiters.is_empty() {
                    self.state = State::Abandoned(Farewell::to(user, listens));
                    out.push(Action::Abandon);
                    return;
                }
                was_here
            }
            State::Open { users, .. } => {
                let was_here = users.remove(&user);
                if was_here && users.is_empty() {
                    self.close(Farewell::to(user, listens), Action::Release, out);
                    return;
                }
                was_here
            }
            State::Abandoned(farewell) | State::Closing(farewell) => {
                if !listens {
                    farewell.owed.remove(&user);
                }
                farewell.waiters.remove(&user)
            }
            // Whoever it was has been told.
            State::Gone => false,
        };
        if was_here && listens {
            out.push(Action::Dismiss(user));
        }
    }

    fn began(&mut self) {
        if let State::Chosen { opener, waiters } = &mut self.state {
            let mut waiters = mem::take(waiters);
            waiters.insert(*opener);
            self.state = State::Opening { waiters };
        }
    }

    fn offered<O>(&mut self, generation: Generation, resource: R, out: &mut Vec<Action<R, O>>) {
        match &mut self.state {
            State::Opening { waiters } if generation == self.generation => {
                let users = mem::take(waiters);
                out.extend(users.iter().copied().map(Action::Enter));
                self.state = State::Open { users, resource };
            }
            State::Abandoned(farewell) if generation == self.generation => {
                // It was not to be stopped in time; so it is closed as if it had been used.
                self.state = State::Closing(mem::take(farewell));
                out.push(Action::Release(resource));
            }
            _ => out.push(Action::Refuse(resource)),
        }
    }

    fn withdrawn<O>(&mut self, out: &mut Vec<Action<R, O>>) {
        if let State::Open { users, .. } = &mut self.state {
            let farewell = Farewell {
                owed: mem::take(users),
                waiters: BTreeSet::new(),
            };
            self.close(farewell, Action::Discard, out);
        }
    }

    /// Nobody enters any more, and the resource goes where `whereto` says.
    fn close<O>(
        &mut self,
        farewell: Farewell,
        whereto: fn(R) -> Action<R, O>,
        out: &mut Vec<Action<R, O>>,
    ) {
        let before = mem::replace(&mut self.state, State::Closing(farewell));
        if let State::Open { resource, .. } = before {
            out.push(whereto(resource));
        }
    }

    fn ended<O: Clone>(&mut self, outcome: &O, out: &mut Vec<Action<R, O>>) {
        // A resource that is still open is not offered by anybody now.
        self.withdrawn(out);
        let (concerned, waiters) = match &mut self.state {
            // No keeper of this generation has begun, or it has ended before.
            State::Chosen { .. } | State::Gone | State::Open { .. } => return,
            State::Opening { waiters } => (mem::take(waiters), BTreeSet::new()),
            State::Abandoned(farewell) | State::Closing(farewell) => (
                mem::take(&mut farewell.owed),
                mem::take(&mut farewell.waiters),
            ),
        };
        let tell = |user| Action::Tell(user, outcome.clone());
        out.extend(concerned.into_iter().map(tell));
        self.choose(waiters, out);
    }

    /// The key is free: the longest waiting user is to begin a keeper, if there is one.
    fn choose<O>(&mut self, mut waiters: BTreeSet<User>, out: &mut Vec<Action<R, O>>) {
        match waiters.pop_first() {
            Some(opener) => {
                self.generation += 1;
                self.state = State::Chosen { opener, waiters };
                out.push(Action::Open(opener, self.generation));
            }
            None => {
                self.state = State::Gone;
                out.push(Action::Forget);
            }
        }
    }
}

impl Farewell {
    /// That of a last user, who waits for the end if it listens.
    fn to(user: User, listens: bool) -> Self {
        Self {
            owed: listens.then_some(user).into_iter().collect(),
            waiters: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests;
