//! The models: small worlds around the shipping lock and ladders, each walked to its end.

// The worlds that are walked, and what each has of what may happen.
mod family;
// Several ladders one below the other, with their clocks.
mod levels;
// Bugs that are planted, and where each is found.
pub(super) mod mutants;
// What a model has found, done by a real root.
mod replay;
// A tree with the lock in its root.
mod world;

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::hash::Hash;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};

/// A walk that takes longer is a mistake in its making: none should need a minute.
const WALK_MAX: Duration = Duration::from_secs(120);

/// What came of a walk.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) states: usize,
    pub(super) depth: usize,
    pub(super) took: Duration,
    /// How many ways through it were taken by a real root as well.
    pub(super) replayed: usize,
    /// The rule that was broken, and the way there.
    pub(super) broken: Option<String>,
    /// What was reached that has to be reached by some walk.
    reached: BTreeSet<&'static str>,
}

/// Walks all models, and tells each as it ends.
pub(super) fn run(mut tell: impl FnMut(&Walked)) -> Result<Vec<Walked>> {
    let mut all = Vec::new();
    for setup in family::family() {
        let about = setup.about();
        let (mut walked, _) = walk(setup.name, &about, setup.clone());
        match replay::replay(&setup) {
            Ok(count) => walked.replayed = count,
            Err(difference) => walked.broken = walked.broken.or(Some(difference)),
        }
        all.push(walked);
        all.last().into_iter().for_each(&mut tell);
    }
    let about = "three ladders one below the other, with their clocks";
    all.push(walk("levels", about, levels::Levels::default()).0);
    all.last().into_iter().for_each(&mut tell);
    let reached: BTreeSet<_> = all.iter().flat_map(|walked| &walked.reached).collect();
    let missing: Vec<_> = (world::rules::reached_names().into_iter())
        .filter(|name| !reached.contains(name))
        .collect();
    ensure!(missing.is_empty(), "no model reaches: {missing:?}");
    Ok(all)
}

/// Walks all that a model can do, breadth first, so that a way to what is wrong is a short one.
/// Gives that too.
fn walk<M>(name: &str, about: &str, model: M) -> (Walked, Vec<M::Action>)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Send + Sync + Hash + Debug + 'static,
    M::Action: Clone + PartialEq + Send + Sync + Debug + 'static,
{
    let begin = Instant::now();
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .timeout(WALK_MAX)
        .spawn_bfs()
        .join();
    let (mut broken, mut way) = (None, Vec::new());
    let mut reached = BTreeSet::new();
    for (rule, path) in checker.discoveries() {
        if let DiscoveryClassification::Example = checker.discovery_classification(rule) {
            reached.insert(rule);
            continue;
        }
        let mut text = format!("{rule}, broken by:\n");
        let last = format!("{:?}", path.last_state());
        let steps = path.into_actions();
        for step in &steps {
            let _ = writeln!(text, "    {step:?}");
        }
        let _ = write!(text, "which ends in {last}");
        if broken.is_none() {
            (broken, way) = (Some(text), steps);
        }
    }
    if broken.is_none() && begin.elapsed() >= WALK_MAX {
        broken = Some(format!("not walked to its end within {WALK_MAX:?}"));
    }
    let walked = Walked {
        name: name.to_owned(),
        about: about.to_owned(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: begin.elapsed(),
        replayed: 0,
        broken,
        reached,
    };
    (walked, way)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    /// Whether every way through the model ends. Only then is a state in which nothing more
    /// happens the end of some way, and what holds in those holds at last.
    fn is_acyclic<M: Model>(model: &M) -> bool
    where
        M::State: Hash,
    {
        // Each state with the steps that were not taken yet; `false` while it is on the way.
        let hasher = RandomState::new();
        let fingerprint = |state: &M::State| hasher.hash_one(state);
        let mut done = HashMap::new();
        let steps = |state: &M::State| {
            let mut steps = Vec::new();
            model.actions(state, &mut steps);
            steps
        };
        for first in model.init_states() {
            done.insert(fingerprint(&first), false);
            let to_take = steps(&first);
            let mut way = vec![(first, to_take)];
            while let Some((state, to_take)) = way.last_mut() {
                let Some(step) = to_take.pop() else {
                    done.insert(fingerprint(state), true);
                    way.pop();
                    continue;
                };
                let Some(next) = model.next_state(state, step) else {
                    continue;
                };
                match done.get(&fingerprint(&next)) {
                    Some(true) => {}
                    Some(false) => return false,
                    None => {
                        done.insert(fingerprint(&next), false);
                        let to_take = steps(&next);
                        way.push((next, to_take));
                    }
                }
            }
        }
        true
    }

    #[test]
    fn every_way_through_a_model_ends() {
        let small = family::family();
        let small = small.into_iter().filter(|setup| setup.is_small());
        let mut count = 0;
        for setup in small {
            assert!(is_acyclic(&setup), "{} goes in circles", setup.name);
            count += 1;
        }
        assert_eq!(count, 2, "worlds are small");
        assert!(is_acyclic(&levels::Levels::default()));
    }
}
