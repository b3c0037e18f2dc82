//! [`Descendants`]: everybody below an actor, from the reports that pass through it.
//!
//! Pure: it knows neither processes nor links.

use std::collections::BTreeMap;

use tractor_ipc::ActorId;

/// Everybody below an actor, with who started whom.
#[derive(Debug, Default)]
pub(crate) struct Descendants {
    parents: BTreeMap<ActorId, ActorId>,
}

impl Descendants {
    /// `parent` has started `aid`.
    pub(crate) fn spawned(&mut self, aid: ActorId, parent: ActorId) {
        self.parents.insert(aid, parent);
    }

    /// `aid` is gone and reaped; what it started may still be there.
    pub(crate) fn gone(&mut self, aid: &ActorId) {
        self.parents.remove(aid);
    }

    pub(crate) fn contains(&self, aid: &ActorId) -> bool {
        self.parents.contains_key(aid)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Everybody that `aid` has started, directly or not, and that is not gone.
    pub(crate) fn below(&self, aid: &ActorId) -> Vec<ActorId> {
        let mut below: Vec<ActorId> = Vec::new();
        let mut next = Some(aid.clone());
        let mut at = 0;
        while let Some(parent) = next {
            let children = self.parents.iter().filter(|(_, of)| **of == parent);
            below.extend(children.map(|(child, _)| child.clone()));
            next = below.get(at).cloned();
            at += 1;
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_below_is_found_also_when_the_middle_is_gone() {
        let aid = |name: &str| ActorId::new(name, 1);
        let mut all = Descendants::default();
        for (child, parent) in [("b", "a"), ("c", "b"), ("d", "c"), ("x", "y")] {
            all.spawned(aid(child), aid(parent));
        }
        assert_eq!(all.below(&aid("a")), [aid("b"), aid("c"), aid("d")]);
        all.gone(&aid("b"));
        assert_eq!(all.below(&aid("b")), [aid("c"), aid("d")]);
        assert_eq!(all.below(&aid("d")), []);
        assert!(all.contains(&aid("x")) && !all.contains(&aid("b")));
    }
}
