//! [`Step`]: what may happen in a world, and when.

use tractor_debug::lock::State;
use tractor_nursery::ladder::Rung;

use super::parts::{Life, Req, Task, World};
use super::{Bug, Setup};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A task asks for the terminal.
    Ask(Req),
    /// The user is done with a prompt.
    Answer(Req),
    /// A task is cancelled while it waits.
    CancelTask(Req),
    /// The root reads a message of an actor to the lock, or the end of its channel.
    ReadUp(usize),
    ReadUpEnd(usize),
    /// The root hears that a process is gone.
    HearExit(usize),
    /// An actor reads what the lock says, or notices that the channel is broken.
    ReadDown(usize),
    LoseChannel(usize),
    /// The parent of an actor reads its report, or the end of the link, or sees its exit.
    ReadReport(usize),
    ReadLinkEnd(usize),
    SeeExit(usize),
    /// An actor reads what its parent says, or notices that the link is broken.
    ReadOrder(usize),
    LoseLink(usize),
    /// The kernel kills an actor whose parent is dead.
    Orphan(usize),
    /// An actor that was to end exits: nothing is left in it, or its time is over.
    Leave(usize),
    LeaveInTime(usize),
    /// Time passes at the ladder of an actor. If it dies, what it has sent last may be lost.
    Tick {
        child: usize,
        loses: bool,
    },
    /// The terminal is restored, or its owner hangs in it, or is back from that.
    Reclaim,
    HangInTerminal,
    ReclaimLate,
    /// The user takes the terminal away: by the present lease, or by the one before.
    Drop,
    DropOld,
    /// The user wants somebody who waits to be next.
    Prefer(Req),
    /// The parent of an actor cancels it.
    Cancel(usize),
    /// The root closes: prompts are finished, or not.
    Close,
    Shut,
    /// Somebody kills a process, and so many of its last messages are lost.
    Kill {
        actor: usize,
        up: usize,
        reports: usize,
    },
    /// Somebody stops a process.
    Stop(usize),
    BreakChannel(usize),
    BreakLink(usize),
}

impl Step {
    /// Whether it may just as well never happen. The rest happens at last, unless it is overtaken.
    pub(super) fn is_free(self, world: &World) -> bool {
        match self {
            Self::Ask(_) | Self::CancelTask(_) | Self::Cancel(_) | Self::Close => true,
            Self::Kill { .. } | Self::Stop(_) | Self::BreakChannel(_) | Self::BreakLink(_) => true,
            Self::LeaveInTime(_) => true,
            Self::HangInTerminal | Self::ReclaimLate | Self::DropOld | Self::Prefer(_) => true,
            // The user sees that nothing moves any more, and says the last word.
            Self::Drop | Self::Shut => !world.actors.iter().any(|own| own.is_stopped),
            _ => false,
        }
    }
}

impl Setup {
    /// What may happen now.
    pub(super) fn steps(&self, world: &World, steps: &mut Vec<Step>) {
        self.root_steps(world, steps);
        for actor in 0..world.actors.len() {
            self.task_steps(world, actor, steps);
        }
        for actor in self.below_root() {
            self.lock_steps(world, actor, steps);
            self.link_steps(world, actor, steps);
            self.child_steps(world, actor, steps);
            self.fault_steps(world, actor, steps);
        }
    }

    fn root_steps(&self, world: &World, steps: &mut Vec<Step>) {
        let left = world.left;
        let onlooker = &world.onlooker;
        let mut may = |step, may: bool| steps.extend(may.then_some(step));
        match world.lock.state() {
            State::Free => {}
            State::Held { request, lease } => {
                let holder = &world.actors[request.actor.incarnation() as usize];
                may(Step::Drop, left.drops > 0 || holder.is_stopped);
                may(Step::DropOld, left.drops > 0 && lease.0 > 1);
                for later in world.lock.waiting().skip(1) {
                    may(Step::Prefer(Self::req(later)), left.prefers > 0);
                }
            }
            State::Reclaiming { lease, .. } => {
                let hangs = onlooker.owed == Some(lease.0);
                may(Step::Reclaim, !hangs);
                may(Step::HangInTerminal, left.late_reclaims > 0);
            }
        }
        may(Step::ReclaimLate, onlooker.owed.is_some());
        may(Step::Close, left.closes > 0 && !onlooker.is_closing);
        let is_stuck = world
            .actors
            .iter()
            .any(|own| own.is_stopped && !own.is_dead());
        may(
            Step::Shut,
            (left.shuts > 0 || is_stuck) && !onlooker.is_shut,
        );
    }

    fn task_steps(&self, world: &World, actor: usize, steps: &mut Vec<Step>) {
        let own = &world.actors[actor];
        if !own.acts() {
            return;
        }
        for (task, state) in own.tasks.iter().enumerate() {
            let req = Req {
                actor: actor as u8,
                task: task as u8,
            };
            let alive = own.life == Life::Running || self.is_shielded(req);
            match state {
                Task::Idle if alive && !own.channel.lower_knows => steps.push(Step::Ask(req)),
                Task::Waiting if world.left.task_cancels > 0 => steps.push(Step::CancelTask(req)),
                Task::Prompting(lease) if world.lock.admits(*lease) && !own.channel.is_broken => {
                    steps.push(Step::Answer(req));
                }
                Task::Idle | Task::Waiting | Task::Prompting(_) | Task::Over => {}
            }
        }
    }

    /// Between an actor and the lock.
    fn lock_steps(&self, world: &World, actor: usize, steps: &mut Vec<Step>) {
        let own = &world.actors[actor];
        let wire = own.channel;
        let is_cut = wire.is_broken || own.is_dead();
        let mut may = |step, may: bool| steps.extend(may.then_some(step));
        may(Step::ReadUp(actor), !own.up.is_empty());
        let is_end = is_cut && own.up.is_empty() && !wire.upper_knows;
        may(Step::ReadUpEnd(actor), is_end);
        let is_news = own.is_dead() && !own.exit_told && !wire.upper_knows;
        may(Step::HearExit(actor), is_news);
        may(Step::ReadDown(actor), own.acts() && !own.down.is_empty());
        let is_lost = own.acts() && wire.is_broken && !wire.lower_knows;
        may(Step::LoseChannel(actor), is_lost && own.down.is_empty());
    }

    /// Between an actor and its parent.
    fn link_steps(&self, world: &World, actor: usize, steps: &mut Vec<Step>) {
        let own = &world.actors[actor];
        let parent = &world.actors[self.parent(actor)];
        let wire = own.link;
        let is_cut = wire.is_broken || own.is_dead();
        let mut may = |step, may: bool| steps.extend(may.then_some(step));
        if parent.acts() {
            may(Step::ReadReport(actor), !own.reports.is_empty());
            let is_end = is_cut && own.reports.is_empty() && !wire.upper_knows;
            may(Step::ReadLinkEnd(actor), is_end);
            let is_news = own.is_dead() && own.ladder.rung() != Rung::Gone;
            may(Step::SeeExit(actor), is_news);
            let ticks = own.ladder.next_wake().is_some() && !own.is_dead();
            let loses = !own.up.is_empty() || !own.reports.is_empty();
            let tick = |loses| Step::Tick {
                child: actor,
                loses,
            };
            may(tick(false), ticks);
            may(tick(true), ticks && loses);
        }
        may(Step::ReadOrder(actor), own.acts() && !own.orders.is_empty());
        let is_lost = own.acts() && wire.is_broken && !wire.lower_knows;
        may(Step::LoseLink(actor), is_lost && own.orders.is_empty());
        may(Step::Orphan(actor), parent.is_dead() && !own.is_dead());
    }

    fn child_steps(&self, world: &World, actor: usize, steps: &mut Vec<Step>) {
        let own = &world.actors[actor];
        let is_done = |task: &Task| matches!(task, Task::Idle | Task::Over);
        let is_gone = |child: usize| {
            let child = &world.actors[child];
            child.ladder.rung() == Rung::Gone && child.link.upper_knows
        };
        let leaves = own.acts()
            && own.life == Life::Ending
            && own.tasks.iter().all(is_done)
            && self.children(actor).all(is_gone);
        steps.extend(leaves.then_some(Step::Leave(actor)));
        let may_leave = own.holds.is_empty() || self.has(Bug::LeavesAtPrompt);
        let in_time =
            own.acts() && own.life == Life::Ending && world.left.leaves > 0 && may_leave && !leaves;
        steps.extend(in_time.then_some(Step::LeaveInTime(actor)));
    }

    fn fault_steps(&self, world: &World, actor: usize, steps: &mut Vec<Step>) {
        let own = &world.actors[actor];
        let left = world.left;
        if own.is_dead() {
            return;
        }
        if left.kills > 0 {
            for up in 0..=own.up.len() {
                for reports in 0..=own.reports.len() {
                    steps.push(Step::Kill { actor, up, reports });
                }
            }
        }
        let mut may = |step, may: bool| steps.extend(may.then_some(step));
        may(Step::Stop(actor), left.stops > 0 && !own.is_stopped);
        let breaks = left.breaks > 0 && !own.channel.is_broken;
        may(Step::BreakChannel(actor), breaks);
        let breaks = left.link_breaks > 0 && !own.link.is_broken;
        may(Step::BreakLink(actor), breaks);
        let cancels = left.cancels > 0
            && own.ladder.rung() == Rung::Running
            && world.actors[self.parent(actor)].acts();
        may(Step::Cancel(actor), cancels);
    }

    /// Whether the clients have this bug.
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }
}
