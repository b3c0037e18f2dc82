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
}

impl Descendants {
    /// `parent` has started `aid` as the process `pid`.
    pub(crate) fn spawned(&mut self, aid: ActorId, pid: u32, parent: ActorId) {
        self.by_id.insert(aid, Descendant { parent, pid });
    }

    /// `aid` is gone and reaped; what it started may still be there.
    pub(crate) fn gone(&mut self, aid: &ActorId) {
        self.by_id.remove(aid);
    }

    pub(crate) fn contains(&self, aid: &ActorId) -> bool {
        self.by_id.contains_key(aid)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Everybody that `aid` has started, directly or not, and that is not gone.
    pub(crate) fn below(&self, aid: &ActorId) -> Vec<ActorId> {
        let mut below: Vec<ActorId> = Vec::new();
        let mut next = Some(aid.clone());
        let mut at = 0;
        while let Some(parent) = next {
            let children = self.by_id.iter().filter(|(_, of)| of.parent == parent);
            below.extend(children.map(|(child, _)| child.clone()));
            next = below.get(at).cloned();
            at += 1;
        }
        below
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
        for (child, Descendant { pid, .. }) in children {
            out.push_str(&format!("{:indent$}{}\n", "", line(child, *pid)));
            self.draw_below(child, indent + 2, line, out);
        }
    }

    /// The process of `aid`, if it is below.
    pub(crate) fn pid_of(&self, aid: &ActorId) -> Option<u32> {
        self.by_id.get(aid).map(|of| of.pid)
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
}
