//! How nodes get inside each other, and out again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Effects, Link, Node, Waiter};

impl<A> Node<A> {
    /// Makes it the scope of a whole task: it never gets inside another.
    pub(in crate::scope) fn set_task(&self) {
        if !self.task.load(Ordering::Relaxed) {
            self.task.store(true, Ordering::Relaxed);
        }
    }

    /// A run begins.
    pub(in crate::scope) fn begin_run(&self) {
        self.lock().runs += 1;
    }

    /// Puts this node, whose only run is polled inside `enclosing`, inside that one, unless it
    /// is inside one already. A cancel of `enclosing` comes with it.
    pub(in crate::scope) fn enclose(self: &Arc<Self>, enclosing: &Arc<Self>) -> Effects<A> {
        if self.linked.load(Ordering::Relaxed) || self.task.load(Ordering::Relaxed) {
            return Effects::default();
        }
        let (runs, empty) = self.runs_and_empty();
        // Only a node with others inside it can be around `enclosing`.
        if runs != 1 || Arc::ptr_eq(self, enclosing) || (!empty && enclosing.is_within(self)) {
            return Effects::default();
        }
        let slot = enclosing.lock().inside.insert(self.clone());
        // A cancel that begins after this line finds the new node in its list.
        let inherited = enclosing.cancelled.get().filter(|_| !self.is_shielded());
        self.lock().enclosing = Some(Link {
            node: enclosing.clone(),
            slot,
        });
        self.linked.store(true, Ordering::Relaxed);
        inherited.map(|why| self.cancel(why)).unwrap_or_default()
    }

    /// A run ended. With the last one the node leaves the one around it, and what is still inside
    /// it is set free.
    pub(in crate::scope) fn end_run(self: &Arc<Self>) -> Effects<A> {
        let mut effects = Effects::default();
        let mut state = self.lock();
        state.runs -= 1;
        if state.runs > 0 {
            return effects;
        }
        let link = state.enclosing.take();
        self.linked.store(false, Ordering::Relaxed);
        let freed = std::mem::take(&mut state.inside);
        if state.waiters.is_empty() {
            effects.alarms.extend(state.alarm.take());
            self.want_alarm(&state);
        }
        drop(state);
        for (_, node) in freed {
            node.leave(self);
        }
        if let Some(Link { node, slot }) = link {
            node.forget(self, slot);
            node.wake_deferred(&mut effects.waiters);
        }
        effects
    }

    /// Whether it is cancelled, or one around it is whose cancel is on its way here.
    pub(in crate::scope) fn is_cancelled_around(self: &Arc<Self>) -> bool {
        let mut above = Some(self.clone());
        while let Some(node) = above.take() {
            if node.cancelled.get().is_some() {
                return true;
            }
            above = node.enclosing().filter(|_| !node.is_shielded());
        }
        false
    }

    fn runs_and_empty(&self) -> (u32, bool) {
        let state = self.lock();
        (state.runs, state.inside.is_empty())
    }

    fn is_within(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut node = Some(self.clone());
        while let Some(this) = node {
            if Arc::ptr_eq(&this, other) {
                return true;
            }
            node = this.enclosing();
        }
        false
    }

    fn enclosing(&self) -> Option<Arc<Self>> {
        self.lock().enclosing.as_ref().map(|link| link.node.clone())
    }

    /// Ends the link to `enclosing`, which has forgotten this node.
    fn leave(&self, enclosing: &Arc<Self>) {
        let is_it = |link: &mut Link<A>| Arc::ptr_eq(&link.node, enclosing);
        let link = self.lock().enclosing.take_if(is_it);
        if link.is_some() {
            self.linked.store(false, Ordering::Relaxed);
        }
    }

    /// Takes `node` off the list.
    fn forget(&self, node: &Arc<Self>, slot: usize) {
        let mut state = self.lock();
        // The slot is another's if this node has set all free and gone on to its next run.
        let listed = state.inside.get(slot);
        if listed.is_some_and(|listed| Arc::ptr_eq(listed, node)) {
            // `node` is somebody's else too, so nothing is destroyed here.
            state.inside.remove(slot);
        }
    }

    /// Something inside this node ended: tells it and those around it, as far as they are
    /// cancelled, because it may have been what they were waiting for.
    fn wake_deferred(self: &Arc<Self>, waiters: &mut Vec<Waiter>) {
        let mut above = Some(self.clone());
        while let Some(node) = above.take_if(|node| node.cancelled.get().is_some()) {
            let mut state = node.lock();
            state.take_waiters(waiters);
            above = match &state.enclosing {
                Some(link) if !node.is_shielded() => Some(link.node.clone()),
                _ => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::scope::{CancelReason, Cancellation};

    type TestNode = Arc<Node<&'static str>>;

    fn node() -> TestNode {
        Arc::new(Node::new())
    }

    fn run_in(node: &TestNode, enclosing: &TestNode) {
        node.begin_run();
        drop(node.enclose(enclosing));
    }

    fn why() -> Cancellation {
        let (by, reason) = (None, CancelReason::Asked);
        Cancellation { by, reason }
    }

    #[test]
    fn only_shields_at_work_below_count() {
        let (outer, middle, shield) = (node(), node(), node());
        shield.set_shield(true);
        outer.begin_run();
        run_in(&middle, &outer);
        assert!(!outer.has_active_shield());
        run_in(&shield, &middle);
        assert!(outer.has_active_shield() && middle.has_active_shield());
        assert!(!shield.has_active_shield());
        drop(shield.end_run());
        assert!(!outer.has_active_shield() && !middle.has_active_shield());
    }

    #[test]
    fn a_cancel_passes_no_shield() {
        let (outer, shield, inner) = (node(), node(), node());
        shield.set_shield(true);
        outer.begin_run();
        run_in(&shield, &outer);
        run_in(&inner, &shield);
        drop(outer.cancel(&why()));
        assert!(shield.cancelled().is_none() && inner.cancelled().is_none());
        drop(shield.cancel(&why()));
        assert!(inner.cancelled().is_some());
    }

    #[test]
    fn a_cancel_on_its_way_is_seen_up_to_a_shield() {
        let (outer, middle, inner) = (node(), node(), node());
        outer.begin_run();
        run_in(&middle, &outer);
        run_in(&inner, &middle);
        assert!(!inner.is_cancelled_around());
        outer.cancelled.set(why()).expect("it was not");
        assert!(inner.is_cancelled_around());
        middle.set_shield(true);
        assert!(!inner.is_cancelled_around());
    }

    #[test]
    fn a_reused_place_is_not_taken_from_its_new_owner() {
        let (outer, old, new) = (node(), node(), node());
        outer.begin_run();
        run_in(&old, &outer);
        let slot = old.lock().enclosing.as_ref().map(|link| link.slot).unwrap();
        drop(outer.end_run());
        assert!(old.enclosing().is_none());
        outer.begin_run();
        run_in(&new, &outer);
        assert_eq!(
            new.lock().enclosing.as_ref().map(|link| link.slot),
            Some(slot)
        );
        outer.forget(&old, slot);
        drop(outer.cancel(&why()));
        assert!(new.cancelled().is_some() && old.cancelled().is_none());
    }

    #[test]
    fn nobody_gets_inside_what_is_inside_it() {
        let (outer, inner) = (node(), node());
        outer.begin_run();
        run_in(&inner, &outer);
        drop(outer.enclose(&inner));
        drop(outer.enclose(&outer));
        assert!(outer.enclosing().is_none());
        let task = node();
        task.set_task();
        run_in(&task, &inner);
        assert!(task.enclosing().is_none());
    }

    #[test]
    fn the_alarm_goes_with_the_last_run_and_is_wanted_again() {
        let node = node();
        let at = Instant::now() + Duration::from_secs(9);
        assert_eq!(node.set_deadline(Some(at)), None);
        for _ in 0..2 {
            node.begin_run();
            node.begin_run();
            assert_eq!(node.claim_unarmed(), Some(at));
            assert_eq!(node.claim_unarmed(), None);
            assert_eq!(node.keep_alarm(at, "alarm"), None);
            assert!(node.end_run().alarms.is_empty());
            assert_eq!(node.end_run().alarms, ["alarm"]);
        }
        assert_eq!(node.claim_unarmed(), Some(at));
        drop(node.cancel(&why()));
        assert_eq!(node.keep_alarm(at, "too late"), Some("too late"));
        assert_eq!(node.set_deadline(Some(at)), None);
        assert_eq!(node.claim_unarmed(), None);
    }
}
