//! What the table answers, situation by situation, and against plain lists.

use super::*;

fn aid(name: &str, incarnation: u64) -> ActorId {
    ActorId::new(name, incarnation)
}

fn entry(aid: &ActorId) -> Entry {
    Entry {
        aid: aid.clone(),
        address: Some(Address::Unix(format!("/run/{}", aid.incarnation()).into())),
        pid: aid.incarnation() as u32,
        parent: None,
    }
}

/// The incarnations of a name, as a question for all of them gives them.
fn all(table: &Table, name: &str) -> Vec<u64> {
    let entries = table.query(name);
    entries
        .iter()
        .map(|entry| entry.aid.incarnation())
        .collect()
}

fn newest(table: &Table, name: &str) -> Option<u64> {
    table.find(name).map(|entry| entry.aid.incarnation())
}

/// R01: the same name registered twice, when its waiters have been resolved already.
#[test]
fn second_actor_of_a_name_finds_no_waiter() {
    let mut table = Table::new();
    assert_eq!(table.wait("w", 8), Ok(None));
    assert_eq!(table.wait("w", 7), Ok(None));
    assert_eq!(table.register(entry(&aid("w", 2))), Ok(vec![7, 8]));
    assert_eq!(table.register(entry(&aid("w", 1))), Ok(vec![]));
    assert_eq!(
        (all(&table, "w"), newest(&table, "w")),
        (vec![2, 1], Some(1))
    );
    assert_eq!(table.wait("w", 7), Ok(Some(entry(&aid("w", 1)))));
    assert!(!table.abandon_waiter(7), "it was answered at once");
}

/// R01: the same actor registered twice.
#[test]
fn actor_that_registers_again_keeps_its_place() {
    let mut table = Table::new();
    let silent = Entry {
        address: None,
        ..entry(&aid("w", 1))
    };
    assert_eq!(table.register(silent), Ok(vec![]));
    assert_eq!(table.register(entry(&aid("w", 2))), Ok(vec![]));
    assert_eq!(table.register(entry(&aid("w", 1))), Ok(vec![]));
    assert_eq!(table.query("w"), [entry(&aid("w", 1)), entry(&aid("w", 2))]);
    assert!(table.unregister(&aid("w", 1)));
    assert_eq!(all(&table, "w"), [2]);
}

/// R02: a child that was killed, or whose channels were closed by hand, never unregisters.
#[test]
fn end_of_a_process_takes_it_out_whatever_it_said() {
    let mut table = Table::new();
    table.register(entry(&aid("w", 1))).unwrap();
    table.register(entry(&aid("w", 2))).unwrap();
    assert!(table.actor_gone(&aid("w", 2)));
    assert!(!table.actor_gone(&aid("w", 2)), "the end may be told twice");
    assert!(
        !table.unregister(&aid("w", 2)),
        "its own word may come afterwards"
    );
    assert_eq!(newest(&table, "w"), Some(1));

    assert!(table.unregister(&aid("w", 1)));
    assert!(!table.unregister(&aid("w", 1)));
    assert!(!table.actor_gone(&aid("w", 1)));
    assert_eq!((newest(&table, "w"), table.wait("w", 1)), (None, Ok(None)));
}

/// R03: a dead entry is handed out until the first who cannot reach it says so.
#[test]
fn actor_that_could_not_be_reached_is_handed_out_no_more() {
    let mut table = Table::new();
    table.register(entry(&aid("w", 1))).unwrap();
    table.register(entry(&aid("w", 2))).unwrap();
    let dead = table.find("w").unwrap().aid.clone();
    assert!(table.unregister(&dead));
    assert_eq!(newest(&table, "w"), Some(1));
    // It was only slow: nobody has told of its end.
    assert_eq!(table.register(entry(&dead)), Ok(vec![]));
    assert_eq!(all(&table, "w"), [1, 2]);
}

/// R10: four children of one name start in a burst, and one dies while it boots.
#[test]
fn death_while_booting_among_namesakes_concerns_no_other() {
    let mut table = Table::new();
    assert_eq!(table.wait("w", 1), Ok(None));
    assert!(!table.actor_gone(&aid("w", 30)));
    assert_eq!(table.register(entry(&aid("w", 40))), Ok(vec![1]));
    assert_eq!(
        table.register(entry(&aid("w", 30))),
        Err(RegisterError::Gone)
    );
    assert_eq!(table.register(entry(&aid("w", 10))), Ok(vec![]));
    assert_eq!(table.register(entry(&aid("w", 20))), Ok(vec![]));
    assert_eq!(
        (all(&table, "w"), newest(&table, "w")),
        (vec![40, 10, 20], Some(20))
    );
}

#[test]
fn waiter_of_a_late_registration_goes_on_waiting() {
    let mut table = Table::new();
    table.actor_gone(&aid("w", 1));
    assert_eq!(table.wait("w", 1), Ok(None));
    assert_eq!(
        table.register(entry(&aid("w", 1))),
        Err(RegisterError::Gone)
    );
    assert_eq!(table.register(entry(&aid("w", 2))), Ok(vec![1]));
}

#[test]
fn abandoned_waiter_is_not_resolved() {
    let mut table = Table::new();
    assert_eq!(
        (table.wait("w", 1), table.wait("w", 2)),
        (Ok(None), Ok(None))
    );
    assert!(table.abandon_waiter(1));
    assert!(!table.abandon_waiter(1));
    assert_eq!(table.register(entry(&aid("w", 1))), Ok(vec![2]));
    assert!(!table.abandon_waiter(2));
}

#[test]
fn closing_refuses_waiters_and_newcomers() {
    let mut table = Table::new();
    table.register(entry(&aid("w", 1))).unwrap();
    assert_eq!(
        (table.wait("x", 5), table.wait("y", 4)),
        (Ok(None), Ok(None))
    );
    assert_eq!(table.close(), [4, 5]);
    assert_eq!(table.close(), []);
    assert_eq!(table.wait("x", 6), Err(Closed));
    assert_eq!(
        table.register(entry(&aid("x", 1))),
        Err(RegisterError::Closed)
    );
    assert_eq!(table.wait("w", 7), Ok(Some(entry(&aid("w", 1)))));
    assert!(table.actor_gone(&aid("w", 1)));
}

#[test]
#[should_panic(expected = "waiter 1 waits already")]
fn waiter_waits_for_one_name() {
    let mut table = Table::new();
    assert_eq!(table.wait("w", 1), Ok(None));
    drop(table.wait("x", 1));
}

#[test]
fn only_the_last_ends_are_remembered() {
    let mut table = Table::new();
    for incarnation in 0..=GONE_MAX as u64 {
        table.actor_gone(&aid("w", incarnation));
    }
    assert_eq!(
        table.register(entry(&aid("w", 1))),
        Err(RegisterError::Gone)
    );
    assert_eq!(table.register(entry(&aid("w", 0))), Ok(vec![]));
}

/// The same with lists that are searched from the front.
#[derive(Clone, Default)]
struct Plain {
    actors: Vec<ActorId>,
    gone: Vec<ActorId>,
    waiters: Vec<(u64, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Register(&'static str, u64),
    Unregister(&'static str, u64),
    Gone(&'static str, u64),
    Wait(&'static str, u64),
    Abandon(u64),
}

/// Does one thing to both and compares what they say.
fn step(table: &mut Table, plain: &mut Plain, step: Step) {
    match step {
        Step::Register(name, n) if plain.gone.contains(&aid(name, n)) => {
            assert_eq!(
                table.register(entry(&aid(name, n))),
                Err(RegisterError::Gone)
            );
        }
        Step::Register(name, n) => {
            let resolved = plain.waiters.iter().filter(|(_, wanted)| *wanted == name);
            let mut resolved: Vec<_> = resolved.map(|(waiter, _)| *waiter).collect();
            resolved.sort_unstable();
            plain.waiters.retain(|(_, wanted)| *wanted != name);
            if !plain.actors.contains(&aid(name, n)) {
                plain.actors.push(aid(name, n));
            }
            assert_eq!(table.register(entry(&aid(name, n))), Ok(resolved));
        }
        Step::Unregister(name, n) | Step::Gone(name, n) => {
            let was_there = plain.actors.contains(&aid(name, n));
            plain.actors.retain(|actor| *actor != aid(name, n));
            if matches!(step, Step::Gone(..)) {
                plain.gone.push(aid(name, n));
                assert_eq!(table.actor_gone(&aid(name, n)), was_there);
            } else {
                assert_eq!(table.unregister(&aid(name, n)), was_there);
            }
        }
        // A waiter that waits is not made to wait again.
        Step::Wait(_, waiter) if plain.waiters.iter().any(|(w, _)| *w == waiter) => {}
        Step::Wait(name, waiter) => {
            let newest = plain.actors.iter().rfind(|actor| actor.name() == name);
            if newest.is_none() {
                plain.waiters.push((waiter, name));
            }
            assert_eq!(table.wait(name, waiter), Ok(newest.map(entry)));
        }
        Step::Abandon(waiter) => {
            let waited = plain.waiters.iter().any(|(w, _)| *w == waiter);
            plain.waiters.retain(|(w, _)| *w != waiter);
            assert_eq!(table.abandon_waiter(waiter), waited);
        }
    }
    for name in ["w", "x"] {
        let actors = plain.actors.iter().filter(|actor| actor.name() == name);
        assert!(
            table.query(name).into_iter().eq(actors.map(entry)),
            "after {step:?}"
        );
    }
}

#[test]
fn every_short_history_is_as_with_plain_lists() {
    let mut steps = vec![Step::Abandon(1), Step::Abandon(2)];
    for (name, n) in [("w", 1), ("w", 2), ("x", 1)] {
        steps.extend([Step::Register(name, n), Step::Unregister(name, n)]);
        steps.extend([Step::Gone(name, n), Step::Wait(name, n)]);
    }
    let mut histories = vec![(Table::new(), Plain::default())];
    for _ in 0..4 {
        let mut longer = Vec::new();
        for history in &histories {
            for &one in &steps {
                let (mut table, mut plain) = history.clone();
                step(&mut table, &mut plain, one);
                longer.push((table, plain));
            }
        }
        histories = longer;
    }
}
