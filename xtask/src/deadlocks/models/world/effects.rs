//! What follows from a step.

use std::collections::VecDeque;

use tractor_debug::lock::{Action, Event, Lease, Refusal, State};
use tractor_nursery::ladder;

use super::super::replay;
use super::parts::{Down, Life, Order, Report, Req, Task, Up, World};
use super::steps::Step;
use super::{Bug, Setup};

impl Setup {
    /// Lets it happen.
    pub(super) fn perform(&self, world: &mut World, step: Step) {
        match step {
            Step::Ask(req) => self.ask(world, req),
            Step::Answer(req) => self.give_up(world, req),
            Step::CancelTask(req) => {
                world.left.task_cancels -= 1;
                if self.has(Bug::SilentCancel) {
                    *Self::task(world, req) = Task::Over;
                } else {
                    self.give_up(world, req);
                }
            }
            Step::ReadUp(actor) => self.read_up(world, actor),
            Step::ReadUpEnd(actor) => {
                world.actors[actor].channel.upper_knows = true;
                self.tell(world, Event::PeerLost(Self::actor_id(actor as u8)));
            }
            Step::HearExit(actor) => {
                world.actors[actor].exit_told = true;
                self.tell(world, Event::PeerLost(Self::actor_id(actor as u8)));
            }
            Step::ReadDown(actor) => self.read_down(world, actor),
            Step::LoseChannel(actor) => self.lose_channel(world, actor),
            Step::ReadReport(actor) => self.read_report(world, actor),
            Step::ReadLinkEnd(actor) => self.read_link_end(world, actor),
            Step::SeeExit(actor) => self.climb(world, actor, ladder::Event::Exited, false),
            Step::ReadOrder(actor) => self.read_order(world, actor),
            Step::LoseLink(actor) => {
                world.actors[actor].link.lower_knows = true;
                self.begin_end(world, actor);
            }
            Step::Orphan(actor) | Step::Leave(actor) => Self::die(world, actor, 0, 0),
            Step::LeaveInTime(actor) => {
                world.left.leaves -= 1;
                self.judge_leaving(world, actor);
                Self::die(world, actor, 0, 0);
            }
            Step::Tick { child, loses } => {
                let due = world.actors[child].ladder.next_wake();
                world.actors[child].ladder_now = due.expect("it was waiting for it");
                self.climb(world, child, ladder::Event::Tick, loses);
            }
            Step::Cancel(actor) => {
                world.left.cancels -= 1;
                self.climb(world, actor, BEGIN, false);
            }
            Step::Kill { actor, up, reports } => {
                world.left.kills -= 1;
                Self::die(world, actor, up, reports);
            }
            Step::Stop(actor) => {
                world.left.stops -= 1;
                world.actors[actor].is_stopped = true;
            }
            Step::BreakChannel(actor) => {
                world.left.breaks -= 1;
                world.actors[actor].channel.is_broken = true;
            }
            Step::BreakLink(actor) => {
                world.left.link_breaks -= 1;
                world.actors[actor].link.is_broken = true;
            }
            Step::Reclaim
            | Step::HangInTerminal
            | Step::ReclaimLate
            | Step::Drop
            | Step::DropOld
            | Step::Prefer(_)
            | Step::Close
            | Step::Shut => self.at_the_root(world, step),
        }
    }

    /// What the terminal's owner and the user do.
    fn at_the_root(&self, world: &mut World, step: Step) {
        let lease = match world.lock.state() {
            State::Held { lease, .. } | State::Reclaiming { lease, .. } => *lease,
            State::Free => Lease(0),
        };
        match step {
            Step::Reclaim => self.tell(world, Event::Reclaimed(lease)),
            Step::HangInTerminal => {
                world.left.late_reclaims -= 1;
                world.onlooker.owed = Some(lease.0);
                world.lock_now = world.lock.next_wake().unwrap_or(world.lock_now);
                self.tell(world, Event::Tick);
            }
            Step::ReclaimLate => {
                let late = world.onlooker.owed.take().map_or(lease, Lease);
                self.tell(world, Event::Reclaimed(late));
            }
            Step::Drop => {
                world.left.drops = world.left.drops.saturating_sub(1);
                self.tell(world, Event::Dropped(lease));
            }
            Step::DropOld => {
                world.left.drops -= 1;
                self.tell(world, Event::Dropped(Lease(lease.0 - 1)));
            }
            Step::Prefer(req) => {
                world.left.prefers -= 1;
                self.tell(world, Event::Preferred(Self::id(req)));
            }
            Step::Close => {
                world.left.closes -= 1;
                self.tell(world, Event::ClosingBegan);
                self.begin_end(world, 0);
            }
            _ => {
                world.left.shuts = world.left.shuts.saturating_sub(1);
                self.tell(world, Event::Shut(Refusal::Closing));
                self.forbid_prompts(world, 0);
                self.begin_end(world, 0);
            }
        }
    }

    /// Tells the lock, and does what it says.
    fn tell(&self, world: &mut World, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            Self::note_event(world, &event);
            let mut out = Vec::new();
            let now = world.lock_now;
            world.lock.handle(event.clone(), now, &mut out);
            replay::note(&event, now, &out, &world.lock);
            for action in out {
                self.judge_action(world, &event, &action);
                let (req, message) = match action {
                    Action::Grant { request, lease } => {
                        let req = Self::req(&request);
                        (req, Down::Granted(req, lease))
                    }
                    Action::Refuse { request, .. } => {
                        let req = Self::req(&request);
                        (req, Down::Refused(req))
                    }
                    Action::Revoke { request, .. } => {
                        let req = Self::req(&request);
                        (req, Down::Revoked(req))
                    }
                    Action::Reclaim(_) | Action::Wake(_) => continue,
                };
                let actor = &mut world.actors[usize::from(req.actor)];
                if req.actor == 0 {
                    if Self::hear(actor.tasks.as_mut_slice(), message) {
                        events.push_back(Event::HoldWithdrawn(Self::id(req)));
                    }
                } else if !actor.is_dead() && !actor.channel.is_broken {
                    actor.down.push_back(message);
                }
            }
        }
    }

    /// A task hears what the lock says. Gives whether its request is over by that.
    fn hear(tasks: &mut [Task], message: Down) -> bool {
        let (Down::Granted(req, _) | Down::Refused(req) | Down::Revoked(req)) = message;
        let task = &mut tasks[usize::from(req.task)];
        match (message, *task) {
            // It crosses the word that the task is done.
            (_, Task::Idle | Task::Over) | (Down::Granted(..), Task::Prompting(_)) => false,
            (Down::Granted(_, lease), Task::Waiting) => {
                *task = Task::Prompting(lease);
                false
            }
            (Down::Refused(_) | Down::Revoked(_), Task::Waiting | Task::Prompting(_)) => {
                *task = Task::Over;
                true
            }
        }
    }

    fn task(world: &mut World, req: Req) -> &mut Task {
        &mut world.actors[usize::from(req.actor)].tasks[usize::from(req.task)]
    }

    fn ask(&self, world: &mut World, req: Req) {
        *Self::task(world, req) = Task::Waiting;
        if req.actor == 0 {
            self.tell(world, Event::HoldArrived(Self::id(req)));
            self.tell(world, self.requested(req));
        } else {
            let actor = usize::from(req.actor);
            world.actors[actor].holds.hold_own(Self::id(req));
            Self::report(world, actor, Report::Hold(req));
            Self::say(world, Up::Want(req));
        }
    }

    fn requested(&self, req: Req) -> Event {
        Event::Requested {
            request: Self::id(req),
            shielded: self.is_shielded(req),
        }
    }

    /// The task does not want the terminal any more, whether it waits or has it.
    fn give_up(&self, world: &mut World, req: Req) {
        *Self::task(world, req) = Task::Over;
        if req.actor == 0 {
            self.tell(world, Event::Released(Self::id(req)));
            self.tell(world, Event::HoldWithdrawn(Self::id(req)));
        } else {
            Self::say(world, Up::Done(req));
            Self::take_back(world, req);
        }
    }

    /// A task's request is over, and its actor says so.
    fn take_back(world: &mut World, req: Req) {
        let actor = usize::from(req.actor);
        world.actors[actor].holds.release_own(&Self::id(req));
        Self::report(world, actor, Report::Unhold(req));
    }

    fn say(world: &mut World, message: Up) {
        let (Up::Want(req) | Up::Done(req)) = message;
        let own = &mut world.actors[usize::from(req.actor)];
        if !own.channel.is_broken {
            own.up.push_back(message);
        }
    }

    fn report(world: &mut World, actor: usize, report: Report) {
        let own = &mut world.actors[actor];
        if !own.link.is_broken {
            own.reports.push_back(report);
        }
    }

    fn read_up(&self, world: &mut World, actor: usize) {
        match world.actors[actor].up.pop_front() {
            Some(Up::Want(req)) => {
                if self.has(Bug::HoldTakenForGranted) {
                    self.tell(world, Event::HoldArrived(Self::id(req)));
                }
                self.tell(world, self.requested(req));
            }
            Some(Up::Done(req)) => self.tell(world, Event::Released(Self::id(req))),
            None => {}
        }
    }

    fn read_down(&self, world: &mut World, actor: usize) {
        let own = &mut world.actors[actor];
        let Some(message) = own.down.pop_front() else {
            return;
        };
        let (Down::Granted(req, _) | Down::Refused(req) | Down::Revoked(req)) = message;
        if Self::hear(&mut own.tasks, message) {
            Self::take_back(world, req);
        }
    }

    fn lose_channel(&self, world: &mut World, actor: usize) {
        world.actors[actor].channel.lower_knows = true;
        for task in 0..world.actors[actor].tasks.len() {
            let req = Req {
                actor: actor as u8,
                task: task as u8,
            };
            let task = Self::task(world, req);
            if matches!(task, Task::Waiting | Task::Prompting(_)) {
                *task = Task::Over;
                Self::take_back(world, req);
            }
        }
    }

    fn read_report(&self, world: &mut World, child: usize) {
        match world.actors[child].reports.pop_front() {
            Some(Report::Hold(req)) => {
                if !self.has(Bug::ForwardedUncounted) || self.parent(child) == 0 {
                    let holds = &mut world.actors[self.parent(child)].holds;
                    let count = holds.hold(&Self::actor_id(child as u8), Self::id(req));
                    self.count(world, child, count);
                }
                self.forward(world, child, req, true);
            }
            Some(Report::Unhold(req)) => {
                let holds = &mut world.actors[self.parent(child)].holds;
                let count = holds.release(&Self::actor_id(child as u8), &Self::id(req));
                if let Some(count) = count {
                    self.count(world, child, count);
                }
                self.forward(world, child, req, false);
            }
            Some(Report::Acknowledged) => {
                self.climb(world, child, ladder::Event::Acknowledged, false);
            }
            None => {}
        }
    }

    fn read_link_end(&self, world: &mut World, child: usize) {
        world.actors[child].link.upper_knows = true;
        self.climb(world, child, ladder::Event::LinkClosed, false);
        if !self.has(Bug::HoldLeaked) {
            let holds = &mut world.actors[self.parent(child)].holds;
            for request in holds.lost(&Self::actor_id(child as u8)) {
                self.forward(world, child, Self::req(&request), false);
            }
        }
    }

    /// What the parent of `child` counts has changed.
    fn count(&self, world: &mut World, child: usize, count: u32) {
        if !world.actors[self.parent(child)].no_prompts {
            self.climb(world, child, ladder::Event::HoldChanged(count), false);
        }
    }

    /// The parent of `child` passes a hold on, or that it is over.
    fn forward(&self, world: &mut World, child: usize, req: Req, is_held: bool) {
        let parent = self.parent(child);
        match (parent, is_held) {
            (0, true) => self.tell(world, Event::HoldArrived(Self::id(req))),
            (0, false) => self.tell(world, Event::HoldWithdrawn(Self::id(req))),
            (_, true) => Self::report(world, parent, Report::Hold(req)),
            (_, false) => Self::report(world, parent, Report::Unhold(req)),
        }
    }

    fn read_order(&self, world: &mut World, actor: usize) {
        match world.actors[actor].orders.pop_front() {
            Some(Order::Cancel) => {
                self.begin_end(world, actor);
                Self::report(world, actor, Report::Acknowledged);
            }
            Some(Order::NoPrompts) => self.forbid_prompts(world, actor),
            None => {}
        }
    }

    /// The actor ends: who waits unshielded waits no more, and all children are to end.
    fn begin_end(&self, world: &mut World, actor: usize) {
        world.actors[actor].life = Life::Ending;
        for task in 0..world.actors[actor].tasks.len() {
            let req = Req {
                actor: actor as u8,
                task: task as u8,
            };
            if *Self::task(world, req) == Task::Waiting && !self.is_shielded(req) {
                self.give_up(world, req);
            }
        }
        for child in self.children(actor) {
            self.climb(world, child, BEGIN, false);
        }
    }

    /// From now on holds do not count here or below.
    fn forbid_prompts(&self, world: &mut World, actor: usize) {
        world.actors[actor].no_prompts = true;
        for child in self.children(actor) {
            self.climb(world, child, ladder::Event::HoldChanged(0), false);
            let own = &mut world.actors[child];
            if !own.is_dead() && !own.link.is_broken {
                own.orders.push_back(Order::NoPrompts);
            }
        }
    }

    /// Tells the ladder of a child, and does what it says.
    fn climb(&self, world: &mut World, child: usize, event: ladder::Event, loses: bool) {
        let own = &mut world.actors[child];
        let (now, mut out) = (own.ladder_now, Vec::new());
        own.ladder.handle(event, now, &mut out);
        for action in out {
            let own = &mut world.actors[child];
            let kills = match action {
                ladder::Action::AskCancel { .. } => {
                    if !own.is_dead() && !own.link.is_broken {
                        own.orders.push_back(Order::Cancel);
                    }
                    continue;
                }
                ladder::Action::Wake(_) => continue,
                ladder::Action::SendTerm => !own.is_stopped,
                ladder::Action::SendKill => true,
            };
            self.judge_signal(world, child);
            if kills && !world.actors[child].is_dead() {
                let own = &world.actors[child];
                let (up, reports) = (own.up.len(), own.reports.len());
                let lost = usize::from(loses);
                Self::die(world, child, lost * up, lost * reports);
            }
        }
    }

    /// The process is gone, and so many of its last messages are lost.
    fn die(world: &mut World, actor: usize, up: usize, reports: usize) {
        let own = &mut world.actors[actor];
        own.life = Life::Dead;
        own.tasks.fill(Task::Over);
        own.down.clear();
        own.orders.clear();
        own.up.truncate(own.up.len() - up);
        own.reports.truncate(own.reports.len() - reports);
    }
}

const BEGIN: ladder::Event = ladder::Event::Begin {
    remaining: std::time::Duration::MAX,
};
