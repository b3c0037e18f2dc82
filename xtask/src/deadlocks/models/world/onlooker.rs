//! [`Onlooker`]: what somebody knows who sees all of the tree at once, and the rules that are
//! about a step and not about a state.

use std::collections::BTreeSet;

use tractor_debug::lock::{Action, Event};

use super::Setup;
use super::parts::{Req, Task, World};

/// What the rules need to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Onlooker {
    /// Who waits, in the order in which the requests came to the root, but for those that the user
    /// prefers.
    pub(super) waiting: Vec<Req>,
    /// The holds that have come to the root and were not taken back.
    pub(super) holds: BTreeSet<Req>,
    /// The terminal is not restored since the last prompt.
    pub(super) is_spoilt: bool,
    pub(super) is_closing: bool,
    pub(super) is_shut: bool,
    /// Who has the terminal, as far as the lock has said.
    holder: Option<Req>,
    /// The number of the last grant.
    lease: u64,
    /// The grant after which the terminal's owner hangs in the terminal.
    pub(super) owed: Option<u64>,
    /// The first rule that a step broke.
    pub(super) broken: Option<Broken>,
}

/// What may not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// Somebody else had asked before, or was preferred, and was ready.
    NotFirstCome,
    /// The terminal was given while the traces of the last prompt were on it.
    NotRestored,
    /// The terminal was given to a second one.
    TwoHolders,
    /// A lease was given twice, or an older one was obeyed.
    LeaseNotNew,
    /// Who asked unshielded was granted after closing began.
    GrantedAfterClosing,
    /// The hold of the request was not at the root.
    GrantedBeforeHold,
    /// An ancestor did not know of the prompt, and could have killed for the passing of time.
    AncestorDoesNotKnow,
    /// A parent sent a signal for the passing of time while it had counted a hold.
    KilledWhileHeld,
    /// A parent sent a signal for the passing of time while a prompt was open below it.
    KilledAtPrompt,
    /// An actor left because its time was over while a prompt was open at or below it.
    LeftAtPrompt,
    /// What carried an old lease took the terminal away.
    OldLeaseObeyed,
}

impl Onlooker {
    fn breaks(&mut self, rule: Broken, is_broken: bool) {
        if is_broken && self.broken.is_none() {
            self.broken = Some(rule);
        }
    }
}

impl Setup {
    /// Notes what the lock is told.
    pub(super) fn note_event(world: &mut World, event: &Event) {
        let onlooker = &mut world.onlooker;
        match event {
            Event::Requested { request, .. } => onlooker.waiting.push(Self::req(request)),
            Event::HoldArrived(request) => drop(onlooker.holds.insert(Self::req(request))),
            Event::HoldWithdrawn(request) => drop(onlooker.holds.remove(&Self::req(request))),
            Event::Released(request) => onlooker.waiting.retain(|own| *own != Self::req(request)),
            Event::Preferred(request) => {
                let preferred = Self::req(request);
                if let Some(place) = onlooker.waiting.iter().position(|own| *own == preferred) {
                    onlooker.waiting[..=place].rotate_right(1);
                }
            }
            Event::PeerLost(actor) => onlooker
                .waiting
                .retain(|own| u64::from(own.actor) != actor.incarnation()),
            Event::Reclaimed(lease) if lease.0 == onlooker.lease => onlooker.is_spoilt = false,
            Event::Tick => onlooker.is_spoilt = false,
            Event::ClosingBegan => onlooker.is_closing = true,
            Event::Shut(_) => onlooker.is_shut = true,
            Event::Dropped(_) | Event::Reclaimed(_) => {}
        }
    }

    /// Judges what the lock does about it.
    pub(super) fn judge_action(&self, world: &mut World, event: &Event, action: &Action) {
        match action {
            Action::Grant { request, lease } => {
                self.judge_grant(world, Self::req(request), lease.0);
            }
            Action::Refuse { request, .. } => {
                let refused = Self::req(request);
                world.onlooker.waiting.retain(|own| *own != refused);
            }
            Action::Revoke { .. } => {
                let old = matches!(event, Event::Dropped(lease) if lease.0 != world.onlooker.lease);
                world.onlooker.breaks(Broken::OldLeaseObeyed, old);
            }
            Action::Reclaim(_) => {
                world.onlooker.is_spoilt = true;
                world.onlooker.holder = None;
            }
            Action::Wake(_) => {}
        }
    }

    fn judge_grant(&self, world: &mut World, req: Req, lease: u64) {
        let unknown = !self.ancestors_know(world, req);
        let onlooker = &mut world.onlooker;
        let ready = |own: &&Req| onlooker.holds.contains(own);
        let first = onlooker.waiting.iter().find(ready).copied();
        let has_hold = onlooker.holds.contains(&req);
        let late = (onlooker.is_closing && !self.is_shielded(req)) || onlooker.is_shut;
        onlooker.breaks(Broken::GrantedBeforeHold, !has_hold);
        onlooker.breaks(Broken::AncestorDoesNotKnow, unknown);
        onlooker.breaks(Broken::NotFirstCome, has_hold && first != Some(req));
        onlooker.breaks(Broken::NotRestored, onlooker.is_spoilt);
        onlooker.breaks(Broken::GrantedAfterClosing, late);
        onlooker.breaks(Broken::LeaseNotNew, lease != onlooker.lease + 1);
        onlooker.breaks(Broken::TwoHolders, onlooker.holder.is_some());
        onlooker.holder = Some(req);
        onlooker.lease = lease;
        onlooker.waiting.retain(|own| *own != req);
    }

    /// Whether every ancestor that could still be told has counted the request.
    fn ancestors_know(&self, world: &World, req: Req) -> bool {
        let mut actor = usize::from(req.actor);
        while actor != 0 {
            let own = &world.actors[actor];
            let parent = self.parent(actor);
            let is_whole = !own.is_dead() && !own.link.is_broken && !world.actors[parent].is_dead();
            let task = world.actors[usize::from(req.actor)].tasks[usize::from(req.task)];
            if is_whole
                && !self.counted(world, actor).any(|own| own == req)
                && task == Task::Waiting
            {
                return false;
            }
            if !is_whole {
                return true;
            }
            actor = parent;
        }
        true
    }

    /// Judges a signal that a parent sends to `child` for the passing of time.
    pub(super) fn judge_signal(&self, world: &mut World, child: usize) {
        let own = &world.actors[child];
        let held = self.counted(world, child).next().is_some()
            && !own.link.upper_knows
            && !world.actors[self.parent(child)].no_prompts;
        let at_prompt = self.prompts_below(world, child);
        world.onlooker.breaks(Broken::KilledWhileHeld, held);
        world.onlooker.breaks(Broken::KilledAtPrompt, at_prompt);
    }

    /// Judges that an actor leaves because its time is over.
    pub(super) fn judge_leaving(&self, world: &mut World, actor: usize) {
        let at_prompt = self.prompts_below(world, actor);
        world.onlooker.breaks(Broken::LeftAtPrompt, at_prompt);
    }

    /// Whether a prompt is open at `top` or below it.
    fn prompts_below(&self, world: &World, top: usize) -> bool {
        self.below_root().any(|actor| {
            self.is_below(actor, top)
                && self.is_linked(world, actor, top)
                && Self::prompts(world, actor)
        })
    }

    /// The requests that its parent has counted for `child`.
    pub(super) fn counted<'a>(
        &self,
        world: &'a World,
        child: usize,
    ) -> impl Iterator<Item = Req> + use<'a> {
        let holds = &world.actors[self.parent(child)].holds;
        let counted: Vec<_> = holds
            .of(&Self::actor_id(child as u8))
            .map(Self::req)
            .collect();
        counted.into_iter()
    }

    /// Whether all links from `actor` up to the parent of `top` are whole.
    fn is_linked(&self, world: &World, mut actor: usize, top: usize) -> bool {
        loop {
            let own = &world.actors[actor];
            if own.is_dead() || own.link.is_broken {
                return false;
            }
            if actor == top {
                return true;
            }
            actor = self.parent(actor);
        }
    }

    /// Whether the user is at a prompt of `actor`, and its answers count.
    pub(super) fn prompts(world: &World, actor: usize) -> bool {
        let own = &world.actors[actor];
        !own.is_dead()
            && !own.channel.is_broken
            && own
                .tasks
                .iter()
                .any(|task| matches!(task, Task::Prompting(lease) if world.lock.admits(*lease)))
    }
}
