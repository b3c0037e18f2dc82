//! What the dispatch does, event by event, and what holds whatever happens.

use proptest::prelude::*;

use super::*;

/// A pool that is driven by hand.
struct Driven {
    dispatch: Dispatch,
    out: Vec<Action>,
}

impl Driven {
    /// An open pool whose workers are ready, with their numbers.
    fn ready(size: usize) -> (Self, Vec<WorkerId>) {
        let mut driven = Self {
            dispatch: Dispatch::new(size),
            out: Vec::new(),
        };
        let workers = driven.starts(Event::Opened);
        assert_eq!(workers.len(), size);
        for &worker in &workers {
            driven.tell(Event::Started { worker }, &[]);
        }
        (driven, workers)
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        self.dispatch.handle(event, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn tell(&mut self, event: Event, expected: &[Action]) {
        assert_eq!(self.handle(event), expected, "{event:?}");
    }

    /// The workers that an event has started.
    fn starts(&mut self, event: Event) -> Vec<WorkerId> {
        let started = |action| match action {
            Action::Start { worker, .. } => Some(worker),
            _ => None,
        };
        self.handle(event).into_iter().filter_map(started).collect()
    }

    fn ask(&mut self, map: MapId, calls_per_worker: usize) -> Vec<Action> {
        self.handle(Event::Asked {
            map,
            calls_per_worker,
        })
    }

    fn granted(&mut self, map: MapId, calls_per_worker: usize) -> (CallId, WorkerId) {
        match self.ask(map, calls_per_worker)[..] {
            [Action::Grant { call, worker }] => (call, worker),
            ref other => panic!("map {map} was told {other:?}"),
        }
    }

    fn waits(&mut self, map: MapId, calls_per_worker: usize) {
        assert_eq!(self.ask(map, calls_per_worker), []);
    }
}

const A: MapId = 1;
const B: MapId = 2;
const WAKE_A: Action = Action::Wake { map: A };
const WAKE_B: Action = Action::Wake { map: B };
const SHORT: Duration = Duration::from_millis(999);

fn served(call: CallId) -> Event {
    Event::Released { call, served: true }
}

#[test]
fn calls_go_to_the_worker_with_the_fewest_until_all_are_full() {
    let (mut pool, workers) = Driven::ready(2);
    let (first, at) = pool.granted(A, 2);
    assert_eq!(at, workers[0]);
    assert_eq!(pool.granted(A, 2).1, workers[1]);
    assert_eq!(pool.granted(A, 2).1, workers[0]);
    assert_eq!(pool.granted(A, 2).1, workers[1]);
    pool.waits(A, 2);
    pool.tell(served(first), &[WAKE_A]);
    assert_eq!(pool.granted(A, 2).1, workers[0]);
    assert_eq!(pool.dispatch.calls(), 4);
}

#[test]
fn maps_take_turns_at_a_worker() {
    let (mut pool, _) = Driven::ready(1);
    let (first, _) = pool.granted(A, 1);
    pool.waits(B, 1);
    pool.tell(served(first), &[WAKE_B]);
    assert_eq!(pool.ask(A, 1), [WAKE_B, WAKE_A], "it gives way");
    let (second, _) = pool.granted(B, 1);
    pool.waits(A, 1);
    pool.tell(served(second), &[WAKE_A]);
    assert_eq!(pool.ask(B, 1), [WAKE_A, WAKE_B]);
    pool.granted(A, 1);
}

#[test]
fn a_map_that_does_not_come_keeps_no_worker_idle() {
    let (mut pool, _) = Driven::ready(1);
    let (mut call, _) = pool.granted(A, 1);
    pool.waits(B, 1);
    pool.tell(served(call), &[WAKE_B]);
    assert_eq!(pool.ask(A, 1), [WAKE_B, WAKE_A]);
    for _ in 0..3 {
        (call, _) = pool.granted(A, 1);
        pool.handle(served(call));
    }
}

#[test]
fn a_map_gives_way_only_to_who_could_use_the_room() {
    let (mut pool, _) = Driven::ready(1);
    pool.granted(A, 1);
    pool.waits(A, 1);
    // It may have two calls on a worker, and A only one.
    let told = pool.ask(B, 2);
    assert!(
        matches!(told[..], [WAKE_A, Action::Grant { .. }]),
        "{told:?}"
    );
    pool.waits(B, 2);
}

/// They are polled in turn, as parts of one task are.
#[test]
fn of_maps_that_ask_in_turn_one_is_served() {
    for order in [
        [A, B, 3],
        [A, 3, B],
        [B, A, 3],
        [B, 3, A],
        [3, A, B],
        [3, B, A],
    ] {
        let (mut pool, _) = Driven::ready(1);
        let (call, _) = pool.granted(A, 1);
        for map in [B, 3] {
            pool.waits(map, 1);
        }
        pool.handle(served(call));
        let turns = order.iter().cycle().take(6);
        let told: Vec<_> = turns.flat_map(|map| pool.ask(*map, 1)).collect();
        let granted = told.iter().filter(|a| matches!(a, Action::Grant { .. }));
        assert_eq!(granted.count(), 1, "{told:?}");
    }
}

#[test]
fn a_worker_has_no_more_calls_than_the_most_generous_map_allows() {
    let (mut pool, _) = Driven::ready(1);
    pool.granted(A, 3);
    pool.granted(A, 3);
    pool.granted(B, 1);
    pool.waits(A, 3);
    pool.waits(B, 1);
    pool.tell(Event::MapEnded { map: A }, &[]);
    pool.waits(B, 1);
}

#[test]
fn a_worker_that_leaves_gets_no_calls_and_one_that_ended_is_replaced() {
    let (mut pool, workers) = Driven::ready(1);
    let (call, worker) = pool.granted(A, 1);
    assert_eq!(worker, workers[0]);
    pool.tell(Event::Leaving { worker }, &[]);
    pool.tell(served(call), &[]);
    pool.waits(A, 1);
    let lived = Duration::ZERO;
    let next = worker + 2;
    pool.tell(
        Event::Ended { worker, lived },
        &[
            Action::Forget { worker },
            Action::Start {
                worker: next,
                seat: 0,
            },
        ],
    );
    pool.waits(A, 1);
    pool.tell(Event::Started { worker: next }, &[WAKE_A]);
    assert_eq!(pool.granted(A, 1).1, next);
}

#[test]
fn what_is_told_of_a_worker_that_is_gone_changes_nothing() {
    let (mut pool, workers) = Driven::ready(1);
    let worker = workers[0];
    let (call, _) = pool.granted(A, 1);
    let lived = SHORT;
    let next = pool.starts(Event::Ended { worker, lived })[0];
    pool.tell(Event::Started { worker: next }, &[]);
    for late in [
        Event::Leaving { worker },
        Event::Started { worker },
        Event::NotStarted { worker },
        Event::Ended { worker, lived },
        served(call),
    ] {
        pool.tell(late, &[]);
    }
    assert_eq!(pool.granted(A, 1).1, next);
}

#[test]
fn it_gives_up_when_a_seat_was_of_no_use_too_often_in_a_row() {
    let (mut pool, workers) = Driven::ready(2);
    let mut worker = workers[0];
    for event in [
        |worker| Event::Ended {
            worker,
            lived: SHORT,
        },
        |worker| Event::NotStarted { worker },
    ] {
        worker = pool.starts(event(worker))[0];
    }
    pool.granted(A, 1);
    pool.waits(A, 1);
    pool.tell(
        Event::NotStarted { worker },
        &[Action::Forget { worker }, Action::GiveUp, WAKE_A],
    );
    assert_eq!(pool.ask(A, 1), [Action::Refuse]);
    let (worker, lived) = (workers[1], SHORT);
    pool.tell(Event::Ended { worker, lived }, &[Action::Forget { worker }]);
}

#[test]
fn a_worker_that_served_or_lived_begins_the_count_anew() {
    let (mut pool, workers) = Driven::ready(1);
    let mut worker = workers[0];
    for round in 0..4 * FRUITLESS_MAX {
        pool.tell(Event::Started { worker }, &[]);
        let mut lived = SHORT;
        match round % 4 {
            // It dies with a call that it has, or had.
            0 => drop(pool.granted(A, 1)),
            1 => {
                let (call, _) = pool.granted(A, 1);
                pool.tell(served(call), &[]);
            }
            2 => lived = SHORT_LIFE,
            // It was granted and not taken: that does not count.
            _ => {
                let (call, _) = pool.granted(A, 1);
                pool.tell(
                    Event::Released {
                        call,
                        served: false,
                    },
                    &[],
                );
            }
        }
        worker = pool.starts(Event::Ended { worker, lived })[0];
    }
}

#[test]
fn a_closed_pool_wakes_who_waits_and_refuses() {
    let (mut pool, workers) = Driven::ready(1);
    let (call, worker) = pool.granted(A, 1);
    pool.waits(B, 1);
    pool.tell(Event::Closed, &[WAKE_B]);
    assert_eq!(pool.ask(B, 1), [Action::Refuse]);
    let lived = SHORT_LIFE;
    pool.tell(Event::Ended { worker, lived }, &[Action::Forget { worker }]);
    pool.tell(served(call), &[]);
    assert_eq!(workers, [worker]);
}

/// One step of a random walk; the numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Ask(MapId),
    Release(usize),
    Start(usize),
    End(usize),
    Leave(usize),
    EndMap(MapId),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_u64).prop_map(Step::Ask),
        4 => (0..8_usize).prop_map(Step::Release),
        3 => (0..4_usize).prop_map(Step::Start),
        1 => (0..4_usize).prop_map(Step::End),
        1 => (0..4_usize).prop_map(Step::Leave),
        1 => (0..3_u64).prop_map(Step::EndMap),
    ]
}

/// The world around a pool, as its shell would see it.
struct World {
    pool: Driven,
    starting: Vec<WorkerId>,
    ready: Vec<WorkerId>,
    leaving: Vec<WorkerId>,
    calls: Vec<(CallId, MapId, WorkerId)>,
    /// The maps that may make calls, and whether they wait to be woken.
    asleep: BTreeMap<MapId, bool>,
}

/// How many calls on a worker a map allows.
fn limit(map: MapId) -> usize {
    map as usize + 1
}

impl World {
    fn new(size: usize) -> Self {
        let mut pool = Driven {
            dispatch: Dispatch::new(size),
            out: Vec::new(),
        };
        let starting = pool.starts(Event::Opened);
        Self {
            pool,
            starting,
            ready: Vec::new(),
            leaving: Vec::new(),
            calls: Vec::new(),
            asleep: BTreeMap::new(),
        }
    }

    /// Tells an event, and wakes who is to be woken for it.
    fn tell(&mut self, event: Event) -> Vec<Action> {
        let told = self.pool.handle(event);
        for action in &told {
            if let Action::Wake { map } = action {
                self.asleep.insert(*map, false);
            }
        }
        told
    }

    /// Whether the map could make a call.
    fn has_room(&self, map: MapId) -> bool {
        let all_max = self.asleep.keys().copied().map(limit).max().unwrap_or(0);
        self.ready.iter().any(|worker| {
            let at = self.calls.iter().filter(|(.., at)| at == worker);
            let ours = at.clone().filter(|(_, of, _)| *of == map);
            at.count() < all_max && ours.count() < limit(map)
        })
    }

    fn check(&self) {
        for (map, asleep) in &self.asleep {
            assert!(!asleep || !self.has_room(*map), "map {map} misses room");
        }
    }

    fn step(&mut self, step: &Step) {
        let any = |of: &[WorkerId], at: usize| of.get(at % of.len().max(1)).copied();
        match *step {
            Step::Ask(map) => drop(self.ask(map)),
            Step::Release(at) if !self.calls.is_empty() => {
                let (call, ..) = self.calls.swap_remove(at % self.calls.len());
                self.tell(served(call));
            }
            Step::Start(at) => {
                if let Some(worker) = any(&self.starting, at) {
                    self.starting.retain(|other| *other != worker);
                    self.ready.push(worker);
                    self.tell(Event::Started { worker });
                }
            }
            Step::End(at) => {
                let there = [&self.ready[..], &self.leaving[..]].concat();
                if let Some(worker) = any(&there, at) {
                    self.ready.retain(|other| *other != worker);
                    self.leaving.retain(|other| *other != worker);
                    let lived = SHORT_LIFE;
                    let told = self.tell(Event::Ended { worker, lived });
                    let [Action::Forget { .. }, Action::Start { worker, .. }] = told[..] else {
                        panic!("it is replaced once: {told:?}");
                    };
                    self.starting.push(worker);
                }
            }
            Step::Leave(at) => {
                if let Some(worker) = any(&self.ready, at) {
                    self.ready.retain(|other| *other != worker);
                    self.leaving.push(worker);
                    self.tell(Event::Leaving { worker });
                }
            }
            Step::Release(_) => {}
            Step::EndMap(map) => {
                self.asleep.remove(&map);
                self.tell(Event::MapEnded { map });
            }
        }
        self.check();
    }

    /// Has a map ask, and tells whether it may make a call.
    fn ask(&mut self, map: MapId) -> bool {
        self.asleep.insert(map, true);
        let told = self.tell(Event::Asked {
            map,
            calls_per_worker: limit(map),
        });
        let granted = told.iter().find_map(|action| match *action {
            Action::Grant { call, worker } => Some((call, map, worker)),
            _ => None,
        });
        let Some((.., worker)) = granted else {
            return false;
        };
        assert!(self.ready.contains(&worker), "{worker} is not ready");
        self.asleep.insert(map, false);
        self.calls.extend(granted);
        let at = self.calls.iter().filter(|(.., at)| *at == worker);
        assert!(at.clone().count() <= 3, "no map allows more");
        assert!(at.filter(|(_, of, _)| *of == map).count() <= limit(map));
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_happens_room_is_given_to_who_asks(
        size in 1..4_usize,
        steps in proptest::collection::vec(step(), 1..120),
        turns in Just(vec![0, 1, 2]).prop_shuffle(),
        in_turn: bool,
    ) {
        let mut world = World::new(size);
        for step in &steps {
            world.step(step);
            let there = world.starting.len() + world.ready.len() + world.leaving.len();
            prop_assert_eq!(there, size, "every worker is replaced");
            prop_assert_eq!(world.pool.dispatch.calls(), world.calls.len());
        }
        // Who asks often enough gets the room there is, alone or with others.
        world.ready.is_empty().then(|| world.step(&Step::Start(0)));
        for (call, ..) in std::mem::take(&mut world.calls) {
            world.pool.handle(served(call));
        }
        let asks: Vec<MapId> = if in_turn { turns.repeat(3) } else { vec![turns[0]; 3] };
        let came = asks.into_iter().any(|map| world.ask(map));
        prop_assert_eq!(came, !world.ready.is_empty());
    }
}
