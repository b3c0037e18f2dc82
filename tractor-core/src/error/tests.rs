//! What an error remembers, and what two errors make of each other.

use super::*;
use crate::scope::CancelReason;

fn actor(name: &str) -> ActorId {
    ActorId::fresh(name)
}

fn exited(name: &str) -> Error {
    Error::new(actor(name), Ending::Exited { code: 3 })
}

fn cancelled() -> Error {
    Error::new(
        actor("a"),
        Ending::Cancelled {
            by: None,
            reason: CancelReason::Asked,
        },
    )
}

#[test]
fn an_error_is_one_pointer_for_any_thread() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

#[test]
fn the_first_call_told_stays() {
    let error = exited("a").in_call("inner").in_call("outer");
    assert_eq!(error.call(), Some("inner"));
}

#[test]
fn an_actor_is_on_the_path_once_and_never_its_own_relay() {
    let (origin, middle) = (actor("a"), actor("m"));
    let error = Error::new(origin.clone(), Ending::StatusLost);
    let error = error
        .relayed_by(&origin)
        .relayed_by(&middle)
        .relayed_by(&middle);
    assert_eq!(error.relay_path(), [middle]);
}

#[test]
fn editing_leaves_clones_as_they_were() {
    let error = exited("a");
    let edited = error.clone().with_pid(7);
    assert_eq!((error.origin_pid(), edited.origin_pid()), (None, Some(7)));
    assert_eq!(error.id(), edited.id());
}

#[test]
fn one_of_several_stays_itself() {
    let error = exited("a");
    let one = Error::several(&actor("root"), vec![error.clone(), error.clone()]);
    assert_eq!(one.id(), error.id());
    assert!(one.relay_path().is_empty());
}

#[test]
fn several_are_a_group_without_duplicates() {
    let (root, a, b) = (actor("root"), exited("a"), exited("b"));
    let inner = Error::several(&actor("m"), vec![a.clone(), b.clone()]);
    let other = exited("c");
    let errors = vec![a.clone(), inner.clone(), b, other.clone(), a];
    let group = Error::several(&root, errors);
    let ids: Vec<_> = group.group().iter().map(Error::id).collect();
    assert_eq!(ids, [inner.id(), other.id()]);
    assert_eq!(group.origin(), &root);
    assert_eq!(group.group()[0].group().len(), 2);
}

#[test]
fn a_group_of_one_is_a_failure_passed_on() {
    let (below, middle) = (exited("leaf"), actor("middle"));
    let passed = Error::new(middle.clone(), Ending::Several(vec![below.clone()]));
    assert_eq!(passed.id(), below.id());
    assert_eq!(passed.origin().name(), "leaf");
    assert_eq!(passed.relay_path(), [middle]);
}

#[test]
fn kinds_are_told_apart() {
    let killed = Ending::Signaled {
        signal: 9,
        core_dumped: false,
    };
    let died = Ending::DiedBeforeReady {
        status: Box::new(killed),
    };
    let died = Error::new(actor("a"), died);
    assert_eq!(
        (died.is_death(), died.signal(), died.exit_code()),
        (true, Some(9), None)
    );
    assert_eq!(exited("a").exit_code(), Some(3));
    let panicked = Ending::Panicked {
        message: String::new(),
        location: None,
    };
    let panicked = Error::new(actor("a"), panicked);
    assert!(panicked.is_panic() && !panicked.is_death() && !panicked.is_cancelled());
    let several = |errors| Error::several(&actor("root"), errors);
    assert!(several(vec![cancelled(), cancelled()]).is_cancelled());
    assert!(!several(vec![cancelled(), exited("a")]).is_cancelled());
}
