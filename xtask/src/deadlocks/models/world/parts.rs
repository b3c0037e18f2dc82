//! What a world consists of.

use std::collections::VecDeque;
use std::time::Duration;

use tractor_debug::holds::Holds;
use tractor_debug::lock::{Lease, Lock};
use tractor_nursery::ladder::{Ladder, Rungs};

use super::onlooker::Onlooker;

/// All that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(super) lock: Lock,
    pub(super) lock_now: Duration,
    /// The root is the first.
    pub(super) actors: Vec<Actor>,
    pub(super) left: Budget,
    pub(super) onlooker: Onlooker,
}

/// How often each of these may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// A process is killed, by somebody else.
    pub(crate) kills: u8,
    /// The channel between an actor and the lock breaks, each side noticing in its own time.
    pub(crate) breaks: u8,
    /// The link between an actor and its parent breaks.
    pub(crate) link_breaks: u8,
    /// A parent cancels a child.
    pub(crate) cancels: u8,
    /// A task is cancelled while it waits for the terminal.
    pub(crate) task_cancels: u8,
    /// The root begins to close.
    pub(crate) closes: u8,
    /// There are no prompts from now on, and the root closes at once.
    pub(crate) shuts: u8,
    /// The user takes the terminal from its holder.
    pub(crate) drops: u8,
    /// The user wants somebody who waits to be next.
    pub(crate) prefers: u8,
    /// A process is stopped, by somebody else.
    pub(crate) stops: u8,
    /// The terminal is not restored in time.
    pub(crate) late_reclaims: u8,
    /// An actor that was told to end leaves before all in it has ended: its time is over.
    pub(crate) leaves: u8,
}

/// One request: of an actor, by a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Req {
    pub(crate) actor: u8,
    pub(crate) task: u8,
}

/// One actor, with its channels and what its parent has of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Actor {
    pub(super) life: Life,
    pub(super) is_stopped: bool,
    /// It knows that there are no prompts any more, and that holds do not count.
    pub(super) no_prompts: bool,
    pub(super) tasks: Vec<Task>,
    /// From the actor to the lock, and back.
    pub(super) up: VecDeque<Up>,
    pub(super) down: VecDeque<Down>,
    pub(super) channel: Wire,
    /// The root has told the lock that the process is gone.
    pub(super) exit_told: bool,
    /// From the actor to its parent, and back.
    pub(super) reports: VecDeque<Report>,
    pub(super) orders: VecDeque<Order>,
    pub(super) link: Wire,
    /// The requests that it has counted for its children, and its own.
    pub(super) holds: Holds,
    pub(super) ladder: Ladder,
    /// What the parent's clock shows for this ladder, which alone looks at it.
    pub(super) ladder_now: Duration,
}

impl Default for Actor {
    fn default() -> Self {
        Self {
            life: Life::Running,
            is_stopped: false,
            no_prompts: false,
            tasks: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            channel: Wire::default(),
            exit_told: false,
            reports: VecDeque::new(),
            orders: VecDeque::new(),
            link: Wire::default(),
            holds: Holds::default(),
            ladder: Ladder::new(Rungs::default()),
            ladder_now: Duration::ZERO,
        }
    }
}

impl Actor {
    /// Whether it can do anything.
    pub(super) fn acts(&self) -> bool {
        self.life != Life::Dead && !self.is_stopped
    }

    pub(super) fn is_dead(&self) -> bool {
        self.life == Life::Dead
    }
}

/// How far an actor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    Running,
    /// It has heard that it is to end, and leaves when nothing of it or below it is left.
    Ending,
    Dead,
}

/// What a task does about the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Idle,
    Waiting,
    Prompting(Lease),
    Over,
}

/// A channel between two processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    pub(super) is_broken: bool,
    /// The lower side, the actor, has noticed.
    pub(super) lower_knows: bool,
    /// The upper side, its parent or the lock, has read it to its end.
    pub(super) upper_knows: bool,
}

/// From a client to the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Up {
    Want(Req),
    Done(Req),
}

/// From the lock to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Down {
    Granted(Req, Lease),
    Refused(Req),
    Revoked(Req),
}

/// From a child to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    Hold(Req),
    Unhold(Req),
    Acknowledged,
}

/// From a parent to its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    Cancel,
    NoPrompts,
}
