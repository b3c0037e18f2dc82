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
    standing: Standing,
}

/// What is known of one. Who is gone stands here as long as somebody below it is not, or may be told
/// of: who that is must be found from above as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    There,
    /// It is gone, as was seen here. Whom it has started may be told of later, by those above it.
    Seen,
    /// It is gone, as its parent has said after all else.
    Told,
}

impl Descendants {
    /// `parent` has started `aid` as the process `pid`.
    pub(crate) fn spawned(&mut self, aid: ActorId, pid: u32, parent: ActorId) {
        let descendant = Descendant {
            parent,
            pid,
            standing: Standing::There,
        };
        self.by_id.insert(aid, descendant);
    }

    /// `aid` is gone and reaped, as its parent says; what it started may still be there.
    pub(crate) fn gone(&mut self, aid: &ActorId) {
        self.change(aid, Standing::Told);
    }

    /// The same, as was seen before its parent could say so.
    pub(crate) fn seen_gone(&mut self, aid: &ActorId) {
        self.change(aid, Standing::Seen);
    }

    fn change(&mut self, aid: &ActorId, standing: Standing) {
        if let Some(own) = self.by_id.get_mut(aid) {
            own.standing = own.standing.max(standing);
        }
        let below = self.all_below(aid);
        for aid in below.iter().rev().chain([aid]) {
            self.forget(aid);
        }
    }

    /// Forgets this one if it needs not stand here any more, and those above it for which that is so
    /// then.
    fn forget(&mut self, aid: &ActorId) {
        let mut next = Some(aid.clone());
        while let Some(aid) = next.filter(|aid| self.is_forgettable(aid)) {
            next = self.by_id.remove(&aid).map(|gone| gone.parent);
        }
    }

    fn is_forgettable(&self, aid: &ActorId) -> bool {
        self.by_id.contains_key(aid)
            && self.is_finished(aid)
            && self.by_id.values().all(|of| of.parent != *aid)
    }

    /// Whether nobody will be told of any more whom it has started.
    fn is_finished(&self, aid: &ActorId) -> bool {
        self.by_id.get(aid).is_none_or(|own| match own.standing {
            Standing::There => false,
            Standing::Seen => self.is_finished(&own.parent),
            Standing::Told => true,
        })
    }

    pub(crate) fn contains(&self, aid: &ActorId) -> bool {
        self.pid_of(aid).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Everybody that `aid` has started, directly or not, and that is not gone.
    pub(crate) fn below(&self, aid: &ActorId) -> Vec<ActorId> {
        let mut all = self.all_below(aid);
        all.retain(|aid| self.contains(aid));
        all
    }

    /// The same with those that are gone, each behind its parent.
    fn all_below(&self, aid: &ActorId) -> Vec<ActorId> {
        let mut all = vec![aid.clone()];
        let mut at = 0;
        while let Some(parent) = all.get(at).cloned() {
            let children = self.by_id.iter().filter(|(_, of)| of.parent == parent);
            all.extend(children.map(|(child, _)| child.clone()));
            at += 1;
        }
        all.remove(0);
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
        for (child, of) in children {
            if of.standing != Standing::There {
                // Whom it has left behind is drawn in its place.
                self.draw_below(child, indent, line, out);
                continue;
            }
            out.push_str(&format!("{:indent$}{}\n", "", line(child, of.pid)));
            self.draw_below(child, indent + 2, line, out);
        }
    }

    /// The process of `aid`, if it is below.
    pub(crate) fn pid_of(&self, aid: &ActorId) -> Option<u32> {
        let own = self.by_id.get(aid)?;
        (own.standing == Standing::There).then_some(own.pid)
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

    /// What is told or seen of actors: `a`, a child of ours, has `b`, which has `c` and `d`.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Event {
        Spawned(&'static str),
        Seen(&'static str),
        Told(&'static str),
    }

    impl Event {
        /// Whether it can come after these.
        fn can_follow(self, before: &[Self]) -> bool {
            let spawned = |name| before.contains(&Self::Spawned(name));
            !before.contains(&self)
                && match self {
                    Self::Spawned("b") => true,
                    Self::Spawned(_) => spawned("b"),
                    Self::Seen(name) => spawned(name),
                    // Its link was read to the end.
                    Self::Told("a" | "b") => ["b", "c", "d"].into_iter().all(spawned),
                    Self::Told(name) => spawned(name),
                }
        }

        fn happen(self, all: &mut Descendants) {
            let aid = |name: &str| ActorId::new(name, 1);
            match self {
                Self::Spawned("b") => all.spawned(aid("b"), 7, aid("a")),
                Self::Spawned(name) => all.spawned(aid(name), 7, aid("b")),
                Self::Seen(name) => all.seen_gone(&aid(name)),
                Self::Told(name) => all.gone(&aid(name)),
            }
        }
    }

    /// Takes every way through these events that can be, and gives their number.
    fn walk(events: &[Event], before: &mut Vec<Event>) -> usize {
        let mut ways = 0;
        for event in events {
            if event.can_follow(before) {
                before.push(*event);
                ways += walk(events, before);
                before.pop();
            }
        }
        if before.len() == events.len() {
            check(before);
            ways = 1;
        }
        ways
    }

    fn check(way: &[Event]) {
        let aid = |name: &str| ActorId::new(name, 1);
        let mut all = Descendants::default();
        all.spawned(aid("a"), 7, aid("us"));
        let mut there = Vec::new();
        for event in way {
            event.happen(&mut all);
            match event {
                Event::Spawned(name) => there.push(aid(name)),
                Event::Seen(name) | Event::Told(name) => there.retain(|it| *it != aid(name)),
            }
            let mut below = all.below(&aid("a"));
            below.sort();
            there.sort();
            assert_eq!(below, there, "after {event:?} in {way:?}");
        }
        assert!(all.is_empty(), "{all:?} after {way:?}");
    }

    #[test]
    fn in_whatever_order_it_is_known_everybody_is_found_and_forgotten() {
        use Event::{Seen, Spawned, Told};
        let mut ways = 0;
        let ends = |name| {
            [
                vec![Seen(name)],
                vec![Told(name)],
                vec![Seen(name), Told(name)],
            ]
        };
        for b in ends("b") {
            for c in ends("c") {
                for d in ends("d") {
                    let others = ["b", "c", "d"].map(Spawned).to_vec();
                    let events = [others, vec![Told("a")], b.clone(), c.clone(), d].concat();
                    ways += walk(&events, &mut Vec::new());
                }
            }
        }
        assert!(ways > 30_000, "{ways} ways");
    }

    #[test]
    fn who_is_left_without_anybody_above_is_forgotten_when_it_is_seen() {
        let aid = |name: &str| ActorId::new(name, 1);
        let mut all = Descendants::default();
        for (child, parent) in [("y", "x"), ("z", "y")] {
            all.spawned(aid(child), 7, aid(parent));
        }
        all.seen_gone(&aid("z"));
        assert!(!all.is_empty());
        all.seen_gone(&aid("y"));
        assert!(all.is_empty(), "{all:?}");
    }
}
