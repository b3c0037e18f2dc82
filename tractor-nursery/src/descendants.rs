//! [`Descendants`]: everybody below an actor, from the reports that pass through it.
//!
//! Pure: it knows neither processes nor links.

use std::collections::BTreeMap;

use tractor_ipc::ActorId;

/// Everybody below an actor, with who started whom.
#[derive(Debug, Default)]
pub(crate) struct Descendants {
    by_id: BTreeMap<ActorId, Descendant>,
}

#[derive(Debug)]
struct Descendant {
    parent: ActorId,
    pid: u32,
    /// It is gone, and stands here as long as somebody below it is not: who that is must be found
    /// from above as well.
    is_gone: bool,
}

impl Descendants {
    /// `parent` has started `aid` as the process `pid`.
    pub(crate) fn spawned(&mut self, aid: ActorId, pid: u32, parent: ActorId) {
        let descendant = Descendant {
            parent,
            pid,
            is_gone: false,
        };
        self.by_id.insert(aid, descendant);
    }

    /// `aid` is gone and reaped; what it started may still be there.
    pub(crate) fn gone(&mut self, aid: &ActorId) {
        if let Some(gone) = self.by_id.get_mut(aid) {
            gone.is_gone = true;
        }
        let mut next = Some(aid.clone());
        while let Some(aid) = next.filter(|aid| self.is_forgettable(aid)) {
            next = self.by_id.remove(&aid).map(|gone| gone.parent);
        }
    }

    /// Whether it is gone, and so is everybody below it.
    fn is_forgettable(&self, aid: &ActorId) -> bool {
        self.by_id.get(aid).is_some_and(|own| own.is_gone)
            && self.by_id.values().all(|of| of.parent != *aid)
    }

    pub(crate) fn contains(&self, aid: &ActorId) -> bool {
        self.by_id.get(aid).is_some_and(|own| !own.is_gone)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Everybody that `aid` has started, directly or not, and that is not gone.
    pub(crate) fn below(&self, aid: &ActorId) -> Vec<ActorId> {
        let mut all = vec![aid.clone()];
        let mut at = 0;
        while let Some(parent) = all.get(at).cloned() {
            let children = self.by_id.iter().filter(|(_, of)| of.parent == parent);
            all.extend(children.map(|(child, _)| child.clone()));
            at += 1;
        }
        all.remove(0);
        all.retain(|aid| self.contains(aid));
        all
    }

    /// Those that `aid` has started, each on a line of its own as `line` has it for actor and pid,
    /// with those below it further in.
    pub(crate) fn draw_below(
        &self,
        aid: &ActorId,
        indent: usize,
        line: &dyn Fn(&ActorId, u32) -> String,
        out: &mut String,
    ) {
        let children = self.by_id.iter().filter(|(_, of)| of.parent == *aid);
        for (child, Descendant { pid, is_gone, .. }) in children {
            if *is_gone {
                // Whom it has left behind is drawn in its place.
                self.draw_below(child, indent, line, out);
                continue;
            }
            out.push_str(&format!("{:indent$}{}\n", "", line(child, *pid)));
            self.draw_below(child, indent + 2, line, out);
        }
    }

    /// The process of `aid`, if it is below.
    pub(crate) fn pid_of(&self, aid: &ActorId) -> Option<u32> {
        let own = self.by_id.get(aid).filter(|own| !own.is_gone);
        own.map(|own| own.pid)
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
            all.spawned(aid(child), 7, aid(parent));
        }
        let mut drawn = String::new();
        let line = |aid: &ActorId, pid| format!("{} (pid {pid})", aid.name());
        all.draw_below(&aid("a"), 2, &line, &mut drawn);
        assert_eq!(drawn, "  b (pid 7)\n    c (pid 7)\n      d (pid 7)\n");
        assert_eq!(all.below(&aid("a")), [aid("b"), aid("c"), aid("d")]);
        assert_eq!(
            (all.pid_of(&aid("d")), all.pid_of(&aid("a"))),
            (Some(7), None)
        );
        all.gone(&aid("b"));
        assert_eq!(all.below(&aid("b")), [aid("c"), aid("d")]);
        assert_eq!(all.below(&aid("d")), []);
        assert!(all.contains(&aid("x")) && !all.contains(&aid("b")));
    }

    #[test]
    fn who_is_left_by_one_that_is_gone_is_below_those_above_it() {
        let aid = |name: &str| ActorId::new(name, 1);
        let mut all = Descendants::default();
        for (child, parent) in [("b", "a"), ("c", "b"), ("d", "c")] {
            all.spawned(aid(child), 7, aid(parent));
        }
        all.gone(&aid("c"));
        all.gone(&aid("b"));
        assert_eq!(all.below(&aid("a")), [aid("d")]);
        assert_eq!(all.pid_of(&aid("c")), None);
        let mut drawn = String::new();
        all.draw_below(&aid("a"), 2, &|aid, _| aid.name().to_owned(), &mut drawn);
        assert_eq!(drawn, "  d\n");
        // With the last one those are forgotten that stood here for it.
        all.gone(&aid("d"));
        assert!(all.is_empty());
        all.gone(&aid("d"));
        assert!(all.is_empty(), "twice is as once");
    }
}
