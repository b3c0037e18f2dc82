//! [`World`]: a small tree of actors with the shipping lock in its root and a shipping ladder for
//! each child, and everything that may happen to it.
//!
//! Channels are queues whose first message may be read at any time; time passes whenever a ladder
//! is waiting for it. Each fault has a budget and each task asks once, so that every way ends, and
//! that something happens at last can be said of the states in which nothing more does. What is
//! not shipped, because it is only a wire or a client of the lock, is played by the steps here.

// Who was granted and killed, and whether that may be.
mod onlooker;
// What holds in every state.
pub(super) mod rules;
// The names of what can be in a world.
mod parts;
// What may happen, and when.
mod steps;
// What follows from it.
mod effects;

use std::fmt;
use std::time::Duration;

use stateright::{Model, Property};
use tractor_debug::lock::{self, Lock};
use tractor_ipc::ActorId;
use tractor_nursery::ladder::{self, Ladder, Rungs};

pub(super) use parts::{Budget, Req, Task, World};
pub(super) use steps::Step;

use onlooker::Onlooker;
use parts::Actor;

/// A world to be walked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The parent of each actor but the root, whose number is 0.
    pub(crate) parents: &'static [usize],
    /// Of each actor, the root first, whether each of its tasks asks shielded.
    pub(crate) tasks: &'static [&'static [bool]],
    /// What may go wrong, and how often.
    pub(crate) budget: Budget,
    /// The bug that is planted.
    pub(crate) bug: Bug,
}

/// Bugs of the lock, of the ladder, and of what is played here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing is planted: the rules must hold.
    #[default]
    None,
    /// In the lock.
    Lock(lock::Mutant),
    /// In every ladder.
    Ladder(ladder::Mutant),
    /// A client whose task is cancelled while it waits does not say so.
    SilentCancel,
    /// A parent does not take back the holds of a child whose link ended.
    HoldLeaked,
    /// A parent passes a hold on before it has counted it.
    ForwardedUncounted,
    /// An actor leaves when its time is over, also at a prompt.
    LeavesAtPrompt,
    /// The lock is told of a request as if its hold had come with it.
    HoldTakenForGranted,
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(mutant) => write!(f, "lock: {mutant:?}"),
            Self::Ladder(mutant) => write!(f, "ladder: {mutant:?}"),
            own => write!(f, "actors: {own:?}"),
        }
    }
}

impl Setup {
    fn parent(&self, actor: usize) -> usize {
        self.parents[actor - 1]
    }

    /// All actors but the root.
    fn below_root(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.parents.len()
    }

    fn children(&self, actor: usize) -> impl Iterator<Item = usize> + '_ {
        self.below_root()
            .filter(move |child| self.parent(*child) == actor)
    }

    /// Whether `actor` is `top` or below it.
    fn is_below(&self, mut actor: usize, top: usize) -> bool {
        while actor != top && actor != 0 {
            actor = self.parent(actor);
        }
        actor == top
    }

    fn is_shielded(&self, req: Req) -> bool {
        self.tasks[usize::from(req.actor)][usize::from(req.task)]
    }

    fn id(req: Req) -> lock::RequestId {
        lock::RequestId {
            actor: Self::actor_id(req.actor),
            number: u64::from(req.task),
        }
    }

    fn req(id: &lock::RequestId) -> Req {
        Req {
            actor: id.actor.incarnation() as u8,
            task: id.number as u8,
        }
    }

    fn actor_id(actor: u8) -> ActorId {
        ActorId::new("a", u64::from(actor))
    }

    fn begin(&self) -> World {
        let (lock, ladder) = match self.bug {
            Bug::Lock(mutant) => (Some(mutant), None),
            Bug::Ladder(mutant) => (None, Some(mutant)),
            _ => (None, None),
        };
        let actors = self.tasks.iter().map(|tasks| Actor {
            tasks: vec![Task::Idle; tasks.len()],
            ladder: Ladder::with_mutant(Rungs::default(), ladder),
            ..Actor::default()
        });
        World {
            lock: Lock::with_mutant(lock),
            lock_now: Duration::ZERO,
            actors: actors.collect(),
            left: self.budget,
            onlooker: Onlooker::default(),
        }
    }
}

impl Model for Setup {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.begin()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Step>) {
        // What broke a rule is shown as it was when it did.
        if world.onlooker.broken.is_none() {
            self.steps(world, actions);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        self.perform(&mut next, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        rules::properties()
    }
}
