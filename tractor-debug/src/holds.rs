//! [`Holds`]: which requests for the terminal came up through which child, and which are this
//! actor's own.
//!
//! Pure. While a child's count is not zero its way down stands still: somebody below it is at a
//! prompt, or waits for one, and must not be killed for the passing of time. For the same reason
//! an actor does not leave by itself while there is any.

use std::collections::{BTreeMap, BTreeSet};

use tractor_ipc::ActorId;

use crate::lock::RequestId;

/// The holds of one actor and its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    by_child: BTreeMap<ActorId, BTreeSet<RequestId>>,
    own: BTreeSet<RequestId>,
}

impl Holds {
    /// Whether nobody at or below this actor holds anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_child.is_empty() && self.own.is_empty()
    }

    /// This actor makes a request itself.
    pub(crate) fn hold_own(&mut self, request: RequestId) {
        self.own.insert(request);
    }

    /// A request of this actor is over, if it is one of those.
    pub(crate) fn release_own(&mut self, request: &RequestId) {
        self.own.remove(request);
    }

    /// A request came up through a child. Gives the child's count.
    pub(crate) fn hold(&mut self, child: &ActorId, request: RequestId) -> u32 {
        let held = self.by_child.entry(child.clone()).or_default();
        held.insert(request);
        count(held)
    }

    /// A request was taken back through a child. Gives the child's count, if it held that one.
    pub(crate) fn release(&mut self, child: &ActorId, request: &RequestId) -> Option<u32> {
        let held = self.by_child.get_mut(child)?;
        let count = held.remove(request).then(|| count(held));
        if held.is_empty() {
            self.by_child.remove(child);
        }
        count
    }

    /// The link to a child is gone: nobody can take back what came through it. Gives that.
    pub(crate) fn lost(&mut self, child: &ActorId) -> BTreeSet<RequestId> {
        self.by_child.remove(child).unwrap_or_default()
    }
}

fn count(held: &BTreeSet<RequestId>) -> u32 {
    held.len().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(name: &str) -> ActorId {
        ActorId::new(name, 1)
    }

    fn request(number: u64) -> RequestId {
        RequestId {
            actor: actor("leaf"),
            number,
        }
    }

    #[test]
    fn a_child_counts_what_came_through_it_until_it_is_taken_back() {
        let (mut holds, a, b) = (Holds::default(), actor("a"), actor("b"));
        assert_eq!(holds.hold(&a, request(1)), 1);
        assert_eq!(holds.hold(&a, request(2)), 2);
        assert_eq!(holds.hold(&a, request(2)), 2, "told twice");
        assert_eq!(holds.hold(&b, request(3)), 1);
        assert_eq!(holds.release(&a, &request(1)), Some(1));
        assert_eq!(holds.release(&a, &request(1)), None, "taken back already");
        assert_eq!(holds.release(&b, &request(2)), None, "it came another way");
        assert_eq!(holds.release(&a, &request(2)), Some(0));
        assert!(holds.lost(&a).is_empty() && holds.lost(&b).len() == 1);
    }

    #[test]
    fn an_own_request_holds_this_actor_and_no_child() {
        let mut holds = Holds::default();
        holds.hold_own(request(1));
        assert!(!holds.is_empty());
        holds.release_own(&request(2));
        assert!(!holds.is_empty(), "it was another");
        assert_eq!(holds.release(&actor("a"), &request(1)), None);
        holds.release_own(&request(1));
        assert!(holds.is_empty());
    }

    #[test]
    fn a_lost_child_holds_nothing_and_tells_what_is_to_be_taken_back() {
        let (mut holds, a) = (Holds::default(), actor("a"));
        holds.hold(&a, request(1));
        holds.hold(&a, request(2));
        assert!(holds.lost(&a).into_iter().eq([request(1), request(2)]));
        assert_eq!(holds, Holds::default());
        assert!(holds.lost(&a).is_empty());
    }
}
