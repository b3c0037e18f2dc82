//! Bugs that are planted one at a time, to see that the models would find them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tractor_debug::lock::Mutant as InLock;
use tractor_nursery::ladder::Mutant as InLadder;

use super::world::{Bug, Setup};
use super::{family, levels, replay, walk};

/// Each bug, and the model that finds it.
const MUTANTS: &[(Bug, &str)] = &[
    (Bug::Lock(InLock::NoReleaseOnDeath), "killed, dropped"),
    (Bug::Lock(InLock::DeadKeepWaiting), "two tasks, killed"),
    (Bug::Lock(InLock::ReleaseByActorOnly), "two tasks, cut off"),
    (Bug::Lock(InLock::ClosingForgetsTheQueue), "closing, killed"),
    (Bug::Lock(InLock::ClosingStillGrants), "closing, killed"),
    (Bug::Lock(InLock::Lifo), "dropped"),
    (Bug::Lock(InLock::PreferredGoesLast), "preferred"),
    (Bug::Lock(InLock::NoPromotion), "two tasks, killed"),
    (Bug::Lock(InLock::GrantBeforeHold), "two levels, closing"),
    (Bug::Lock(InLock::WithdrawnHoldCounts), "two levels, killed"),
    (Bug::Lock(InLock::LeaseIgnored), "dropped"),
    (Bug::Lock(InLock::NoReclaim), "two tasks, killed"),
    (Bug::Lock(InLock::ReclaimNeverTimesOut), "dropped"),
    (Bug::Lock(InLock::DropForgetsTheHolder), "dropped"),
    (Bug::Lock(InLock::ShutLeavesTheHolder), "shut"),
    (
        Bug::Ladder(InLadder::ClockIgnoresHolds),
        "two levels, closing",
    ),
    (
        Bug::Ladder(InLadder::HoldsOutliveTheLink),
        "two levels, cut off",
    ),
    (Bug::Ladder(InLadder::ExitLeavesHolds), "two tasks, killed"),
    (
        Bug::Ladder(InLadder::LostLinkEndsNobody),
        "two levels, cut off",
    ),
    (Bug::Ladder(InLadder::NeverKills), "two levels, stopped"),
    (Bug::Ladder(InLadder::ChildGetsAllTheTime), "levels"),
    (Bug::SilentCancel, "two tasks, cut off"),
    (Bug::HoldLeaked, "two levels, killed"),
    (Bug::ForwardedUncounted, "two levels, killed"),
    (Bug::LeavesAtPrompt, "two levels, in time"),
    (Bug::HoldTakenForGranted, "two levels, closing"),
];

/// What came of a planted bug.
#[derive(Debug)]
pub(in crate::deadlocks) struct Sought {
    pub(in crate::deadlocks) bug: String,
    pub(in crate::deadlocks) model: &'static str,
    /// The rule that it broke, `None` if it was not found.
    pub(in crate::deadlocks) found: Option<String>,
    pub(in crate::deadlocks) states: usize,
    pub(in crate::deadlocks) took: Duration,
}

/// Plants each bug and walks its model, and tells each as it ends.
pub(in crate::deadlocks) fn run(mut tell: impl FnMut(&Sought)) -> Result<Vec<Sought>> {
    let mut all = Vec::new();
    for (bug, model) in MUTANTS {
        all.push(seek(*bug, model)?);
        all.last().into_iter().for_each(&mut tell);
    }
    Ok(all)
}

fn seek(bug: Bug, model: &'static str) -> Result<Sought> {
    let (walked, agrees) = match bug {
        Bug::Ladder(mutant) if model == levels::NAME => {
            let (walked, _) = walk(model, "", levels::Levels::with_mutant(mutant));
            (walked, None)
        }
        _ => {
            let setup = family::family().into_iter().find(|own| own.name == model);
            let setup = setup.with_context(|| format!("no model is called {model}"))?;
            let setup = Setup { bug, ..setup };
            let (walked, way) = walk(model, "", setup.clone());
            (walked, Some(replay::agrees(&setup, &way)))
        }
    };
    // A real root has no such bug: on the way to it, only a bug of the lock makes a difference.
    let differs = agrees.is_some_and(|agrees| agrees == matches!(bug, Bug::Lock(_)));
    ensure!(
        !differs,
        "a real root does not do what it should on the way to {bug}"
    );
    let rule = |text: String| text.split(", broken by").next().map(str::to_owned);
    Ok(Sought {
        bug: bug.to_string(),
        model,
        found: walked.broken.and_then(rule),
        states: walked.states,
        took: walked.took,
    })
}
