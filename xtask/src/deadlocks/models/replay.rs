//! Ways through a model, taken by a real root: what the lock was told is told to a real desk, and
//! what the desk does is compared with what the model's lock has said.

use std::cell::RefCell;
use std::time::Duration;

use stateright::Model;
use tractor_debug::lock::{Action, Event, Lock, State};
use tractor_debug::replay::{Replay, effects_of};

use super::world::{Setup, Step};

/// How many ways through each model are taken.
const WAYS: u64 = 300;

/// What a lock was told and has said, and how it stood then.
struct Told {
    event: Event,
    now: Duration,
    actions: Vec<Action>,
    lock: Lock,
}

thread_local! {
    /// What the lock of the way that is being taken was told.
    static TOLD: RefCell<Option<Vec<Told>>> = const { RefCell::new(None) };
}

/// The lock was told this, if that is of interest now.
pub(super) fn note(event: &Event, now: Duration, actions: &[Action], lock: &Lock) {
    TOLD.with_borrow_mut(|told| {
        if let Some(told) = told {
            told.push(Told {
                event: event.clone(),
                now,
                actions: actions.to_vec(),
                lock: lock.clone(),
            });
        }
    });
}

/// Takes ways at random, each to its end, and gives how many, or what the root did otherwise.
pub(super) fn replay(setup: &Setup) -> Result<usize, String> {
    for number in 0..WAYS {
        let told = told_of(setup, &at_random(setup, number));
        compare(&told).map_err(|difference| format!("way {number}: {difference}"))?;
    }
    Ok(WAYS as usize)
}

/// Whether the real root does on this way what the model did.
pub(super) fn agrees(setup: &Setup, steps: &[Step]) -> bool {
    compare(&told_of(setup, steps)).is_ok()
}

/// What the lock is told when these steps are taken.
fn told_of(setup: &Setup, steps: &[Step]) -> Vec<Told> {
    TOLD.set(Some(Vec::new()));
    let mut world = setup.init_states().swap_remove(0);
    for step in steps {
        world = setup
            .next_state(&world, *step)
            .expect("every step leads somewhere");
    }
    TOLD.take().unwrap_or_default()
}

/// A way to where nothing more happens.
fn at_random(setup: &Setup, number: u64) -> Vec<Step> {
    let mut chance = number;
    let mut world = setup.init_states().swap_remove(0);
    let mut way = Vec::new();
    loop {
        let mut steps = Vec::new();
        setup.actions(&world, &mut steps);
        if steps.is_empty() {
            return way;
        }
        // SplitMix64, as the scenarios have it.
        chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let step = steps[((z ^ (z >> 31)) % steps.len() as u64) as usize];
        world = setup
            .next_state(&world, step)
            .expect("every step leads somewhere");
        way.push(step);
    }
}

/// Tells it all to a real root, up to where it does otherwise.
fn compare(told: &[Told]) -> Result<(), String> {
    let replay = Replay::new();
    for (number, told) in told.iter().enumerate() {
        let (seen, said) = (
            replay.tell(told.event.clone(), told.now),
            effects_of(&told.actions),
        );
        let stands = standing(&replay.lock());
        if seen != said || stands != standing(&told.lock) {
            let Told { event, lock, .. } = told;
            return Err(format!(
                "the real root does otherwise at event {number}, {event:?}: {seen:?}, {stands:?}; \
                 the model: {said:?}, {:?}",
                standing(lock)
            ));
        }
    }
    Ok(())
}

/// Who has the terminal, and who waits. When time is over is left out: it is counted from
/// different beginnings.
fn standing(lock: &Lock) -> (String, Vec<String>) {
    let has = match lock.state() {
        State::Free => "free".to_owned(),
        State::Held { request, lease } => format!("{request:?}, {lease:?}"),
        State::Reclaiming { lease, .. } => format!("after {lease:?}"),
    };
    let waiting = lock.waiting().map(|request| format!("{request:?}"));
    (has, waiting.collect())
}

#[cfg(test)]
mod tests {
    use tractor_debug::lock::Mutant;

    use super::super::family;
    use super::super::world::Bug;
    use super::*;

    #[test]
    fn a_real_root_agrees_with_a_lock_without_bugs_only() {
        let setup = family::family().swap_remove(0);
        assert_eq!(replay(&setup), Ok(WAYS as usize));
        let bug = Bug::Lock(Mutant::Lifo);
        let difference = replay(&Setup { bug, ..setup }).unwrap_err();
        assert!(
            difference.contains("the real root does otherwise"),
            "{difference}"
        );
    }
}
