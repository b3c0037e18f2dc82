//! The worlds that are walked: small ones, which together have every pair of what may happen.

use super::world::{Budget, Bug, Setup};

const NONE: Budget = Budget {
    kills: 0,
    breaks: 0,
    link_breaks: 0,
    cancels: 0,
    task_cancels: 0,
    closes: 0,
    shuts: 0,
    drops: 0,
    prefers: 0,
    stops: 0,
    late_reclaims: 0,
    leaves: 0,
};

/// One actor below the root.
const ONE: &[usize] = &[0];
/// Two actors side by side below the root.
const PAIR: &[usize] = &[0, 0];
/// An actor below an actor.
const CHAIN: &[usize] = &[0, 1];

/// Every world. A hold is on its way in all of them, apart from its request.
#[rustfmt::skip]
const WORLDS: &[Setup] = &[
    world("two tasks, killed", PAIR, &[&[], &[false, false], &[false]], Budget { kills: 1, ..NONE }),
    world("two tasks, cut off", PAIR, &[&[], &[false, true], &[false]], Budget { breaks: 1, task_cancels: 1, ..NONE }),
    world("dropped", PAIR, &[&[false], &[false], &[false]], Budget { drops: 1, late_reclaims: 1, breaks: 1, ..NONE }),
    world("killed, dropped", ONE, &[&[false], &[false]], Budget { kills: 1, breaks: 1, link_breaks: 1, drops: 1, late_reclaims: 1, ..NONE }),
    world("cancelled, dropped", ONE, &[&[false], &[false, false]], Budget { cancels: 1, drops: 1, late_reclaims: 1, ..NONE }),
    world("closing, killed", ONE, &[&[true], &[false, true]], Budget { kills: 1, closes: 1, ..NONE }),
    world("closing, dropped", ONE, &[&[false], &[false, true]], Budget { drops: 1, late_reclaims: 1, closes: 1, ..NONE }),
    world("closing, cut off", ONE, &[&[], &[false, true]], Budget { breaks: 1, link_breaks: 1, cancels: 1, closes: 1, ..NONE }),
    world("preferred", ONE, &[&[false, true], &[false]], Budget { prefers: 2, closes: 1, ..NONE }),
    world("shut", ONE, &[&[false], &[false, true]], Budget { shuts: 1, closes: 1, ..NONE }),
    world("two levels, killed", CHAIN, &[&[], &[], &[false]], Budget { kills: 1, cancels: 1, ..NONE }),
    world("two levels, closing", CHAIN, &[&[false], &[], &[false]], Budget { closes: 1, ..NONE }),
    world("two levels, dropped", CHAIN, &[&[], &[], &[false, false]], Budget { drops: 1, late_reclaims: 1, ..NONE }),
    world("two levels, cut off", CHAIN, &[&[], &[], &[true]], Budget { link_breaks: 1, breaks: 1, ..NONE }),
    world("two levels, in time", CHAIN, &[&[], &[], &[true]], Budget { cancels: 1, leaves: 1, ..NONE }),
    world("two levels, stopped", CHAIN, &[&[], &[], &[false]], Budget { stops: 1, cancels: 1, ..NONE }),
];

const fn world(
    name: &'static str,
    parents: &'static [usize],
    tasks: &'static [&'static [bool]],
    budget: Budget,
) -> Setup {
    Setup {
        name,
        parents,
        tasks,
        budget,
        bug: Bug::None,
    }
}

/// Every world.
pub(super) fn family() -> Vec<Setup> {
    WORLDS.to_vec()
}

impl Setup {
    /// What the table says of it.
    pub(super) fn about(&self) -> String {
        self.features().join(", ")
    }

    /// What may happen in it.
    pub(super) fn features(&self) -> Vec<&'static str> {
        let Budget {
            kills,
            breaks,
            link_breaks,
            cancels,
            task_cancels,
            closes,
            shuts,
            drops,
            prefers,
            stops,
            late_reclaims,
            leaves,
        } = self.budget;
        let is_deep = self.parents.iter().any(|parent| *parent > 0);
        let has_two = self.tasks[1..].iter().any(|tasks| tasks.len() > 1);
        let all = [
            (is_deep, "two levels"),
            (has_two, "two tasks in one"),
            (!self.tasks[0].is_empty(), "the root asks"),
            (kills > 0, "kill -9"),
            (breaks + link_breaks > 0, "broken links"),
            (cancels > 0, "cancelled by its parent"),
            (closes + shuts > 0, "the root closes"),
            (drops > 0, "dropped by the user"),
            (prefers > 0, "preferred by the user"),
            (late_reclaims > 0, "a late terminal"),
            (task_cancels > 0, "a waiter is cancelled"),
            (stops > 0, "SIGSTOP"),
            (leaves > 0, "its time is over"),
        ];
        all.into_iter()
            .filter_map(|(has, name)| has.then_some(name))
            .collect()
    }

    /// Whether it is walked in a moment, also by a build that is not optimized.
    #[cfg(test)]
    pub(super) fn is_small(&self) -> bool {
        ["dropped", "two levels, dropped"].contains(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_what_may_happen_is_in_a_world() {
        let worlds: Vec<_> = family().iter().map(Setup::features).collect();
        let all = [
            "two levels",
            "two tasks in one",
            "the root asks",
            "kill -9",
            "broken links",
            "cancelled by its parent",
            "the root closes",
            "dropped by the user",
            "a late terminal",
        ];
        for one in all {
            for other in all {
                let is_in = |world: &Vec<_>| world.contains(&one) && world.contains(&other);
                assert!(worlds.iter().any(is_in), "no world has {one} and {other}");
            }
        }
    }
}
