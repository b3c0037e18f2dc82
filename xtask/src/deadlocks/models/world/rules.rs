//! The rules: what holds in every state, what at the end of every way, and what must be reached
//! for the walk to mean anything.

use stateright::Property;
use tractor_debug::lock::{Phase, State};
use tractor_nursery::ladder::Rung;

use super::Setup;
use super::onlooker::Broken;
use super::parts::{Actor, Life, Req, Task, World};

/// Each rule by its name.
pub(super) fn properties() -> Vec<Property<Setup>> {
    let mut all = vec![
        Property::always("one prompt at most", |_, world| one_prompt(world)),
        Property::always("never free with waiters", |_, world| !is_idle(world)),
        Property::always("what is lost has nothing", |setup: &Setup, world| {
            setup
                .below_root()
                .all(|actor| lost_has_nothing(world, actor))
        }),
        Property::always("an old lease is not admitted", |_, world| {
            old_is_fenced(world)
        }),
        Property::always(
            "when all is still, all is settled",
            |setup: &Setup, world| is_moving(setup, world) || is_settled(setup, world),
        ),
    ];
    all.extend(steps());
    all.extend(reached());
    all
}

/// The rules that a step can break.
fn steps() -> [Property<Setup>; 11] {
    macro_rules! never {
        ($name:literal, $broken:ident) => {
            Property::always($name, |_, world: &World| {
                world.onlooker.broken != Some(Broken::$broken)
            })
        };
    }
    [
        never!("first come, first served", NotFirstCome),
        never!("restored before it is given", NotRestored),
        never!("given to one at a time", TwoHolders),
        never!("each lease is new", LeaseNotNew),
        never!("an old lease changes nothing", OldLeaseObeyed),
        never!("no unshielded grant after closing", GrantedAfterClosing),
        never!("no grant before its hold", GrantedBeforeHold),
        never!("every ancestor knows of a prompt", AncestorDoesNotKnow),
        never!("no signal while a hold is counted", KilledWhileHeld),
        never!("no signal below which a prompt is open", KilledAtPrompt),
        never!("who has the terminal does not leave", LeftAtPrompt),
    ]
}

/// Of all that believe to have the terminal one at most is believed.
fn one_prompt(world: &World) -> bool {
    let actors = 0..world.actors.len();
    actors.filter(|actor| Setup::prompts(world, *actor)).count() <= 1
}

fn is_idle(world: &World) -> bool {
    let ready = |own| world.onlooker.holds.contains(&Setup::req(own));
    let shut = matches!(world.lock.phase(), Phase::Shut(_));
    *world.lock.state() == State::Free && !shut && world.lock.waiting().any(ready)
}

fn lost_has_nothing(world: &World, actor: usize) -> bool {
    let is_lost = world.actors[actor].channel.upper_knows;
    let is_its = |own: &tractor_debug::RequestId| own.actor.incarnation() == actor as u64;
    let holds = matches!(world.lock.state(), State::Held { request, .. } if is_its(request));
    !is_lost || !(holds || world.lock.waiting().any(is_its))
}

/// Two tasks never have leases that are both admitted, and the admitted one is the holder's.
fn old_is_fenced(world: &World) -> bool {
    world.actors.iter().enumerate().all(|(actor, own)| {
        own.tasks
            .iter()
            .enumerate()
            .all(|(task, state)| match state {
                Task::Prompting(lease) if world.lock.admits(*lease) => {
                    matches!(world.lock.state(), State::Held { request, .. }
                    if request.actor.incarnation() == actor as u64
                        && request.number == task as u64)
                }
                _ => true,
            })
    })
}

/// Whether something will happen although nothing goes wrong and nobody asks.
fn is_moving(setup: &Setup, world: &World) -> bool {
    let mut steps = Vec::new();
    setup.steps(world, &mut steps);
    world.onlooker.broken.is_some() || steps.iter().any(|step| !step.is_free(world))
}

/// Whether nobody waits for anything.
fn is_settled(setup: &Setup, world: &World) -> bool {
    let lock_is_free = *world.lock.state() == State::Free
        && world.lock.waiting().next().is_none()
        && world.onlooker.holds.is_empty();
    let is_closing = world.onlooker.is_closing || world.onlooker.is_shut;
    lock_is_free
        && setup
            .below_root()
            .all(|actor| is_at_rest(setup, world, actor, is_closing))
        && is_over(&world.actors[0].tasks)
}

fn is_at_rest(setup: &Setup, world: &World, actor: usize, is_closing: bool) -> bool {
    let own = &world.actors[actor];
    let parent = &world.actors[setup.parent(actor)];
    let is_uncounted = setup.counted(world, actor).next().is_none();
    let is_reaped = own.ladder.rung() == Rung::Gone && own.ladder.holds() == 0;
    if own.is_dead() {
        return parent.is_dead() || (is_reaped && own.link.upper_knows && is_uncounted);
    }
    !is_closing
        && own.life == Life::Running
        && own.ladder.rung() == Rung::Running
        && is_uncounted
        && own.holds.is_empty()
        && is_over(&own.tasks)
}

fn is_over(tasks: &[Task]) -> bool {
    tasks
        .iter()
        .all(|task| matches!(task, Task::Idle | Task::Over))
}

/// What must be reached, or the walks would be too short to mean anything.
fn reached() -> [Property<Setup>; 7] {
    [
        Property::sometimes("two wait behind a holder", |_, world: &World| {
            is_held(world) && world.lock.waiting().count() == 2
        }),
        Property::sometimes("somebody still believes to hold", |_, world: &World| {
            let stale = world.actors.iter().flat_map(|own| &own.tasks);
            let is_stale =
                |task: &Task| matches!(task, Task::Prompting(lease) if !world.lock.admits(*lease));
            is_held(world) && stale.filter(|task| is_stale(task)).count() > 0
        }),
        Property::sometimes("a shielded prompt while closing", |_, world: &World| {
            is_held(world) && world.lock.phase() == Phase::Closing
        }),
        Property::sometimes("a request before its hold", |_, world: &World| {
            let late = |own| !world.onlooker.holds.contains(&Setup::req(own));
            world.lock.waiting().any(late)
        }),
        Property::sometimes("a hold before its request", |_, world: &World| {
            let is_known = |req: &Req| world.lock.waiting().any(|own| Setup::req(own) == *req);
            let holds = &world.onlooker.holds;
            *world.lock.state() == State::Free && holds.iter().any(|req| !is_known(req))
        }),
        Property::sometimes("a ladder stands still", |_, world: &World| {
            let stands = |own: &Actor| own.ladder.rung() == Rung::Grace && own.ladder.holds() > 0;
            world.actors.iter().any(stands)
        }),
        Property::sometimes("a ladder kills", |_, world: &World| {
            let kills = |own: &Actor| own.ladder.rung() == Rung::Killed;
            world.actors.iter().any(kills)
        }),
    ]
}

/// The names of what some world must reach.
pub(in crate::deadlocks::models) fn reached_names() -> Vec<&'static str> {
    reached().iter().map(|property| property.name).collect()
}

fn is_held(world: &World) -> bool {
    matches!(world.lock.state(), State::Held { .. })
}
