//! The machine of one key: every event in every state, and walks at random.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::*;

type Said = Action<&'static str, &'static str>;

/// Every state, in generation 5, with user 1 and, where there can be more, 2 and 3.
fn states() -> Vec<State<&'static str>> {
    let farewell = |owed: &[User], waiters: &[User]| Farewell {
        owed: owed.iter().copied().collect(),
        waiters: waiters.iter().copied().collect(),
    };
    let chosen = |waiters: &[User]| State::Chosen {
        opener: 1,
        waiters: waiters.iter().copied().collect(),
    };
    let opening = |waiters: &[User]| State::Opening {
        waiters: waiters.iter().copied().collect(),
    };
    let open = |users: &[User]| State::Open {
        users: users.iter().copied().collect(),
        resource: "r",
    };
    vec![
        chosen(&[]),
        chosen(&[2, 3]),
        opening(&[1]),
        opening(&[1, 2]),
        State::Abandoned(farewell(&[1], &[])),
        State::Abandoned(farewell(&[], &[2])),
        open(&[1]),
        open(&[1, 2]),
        State::Closing(farewell(&[1], &[])),
        State::Closing(farewell(&[1], &[2, 3])),
        State::Gone,
    ]
}

fn events() -> [Event<&'static str, &'static str>; 13] {
    [
        Event::Arrived(9),
        Event::Left(1),
        Event::Left(2),
        Event::Left(7),
        Event::Dropped(1),
        Event::Dropped(2),
        Event::Began(5),
        Event::Offered(5, "new"),
        Event::Withdrawn(5),
        Event::Ended(5, "well"),
        Event::Began(4),
        Event::Offered(4, "old"),
        Event::Ended(4, "late"),
    ]
}

fn show(state: &State<&'static str>) -> String {
    let set = |users: &BTreeSet<User>| {
        let users: Vec<_> = users.iter().map(ToString::to_string).collect();
        users.join(",")
    };
    match state {
        State::Chosen { opener, waiters } => format!("chosen {opener} [{}]", set(waiters)),
        State::Opening { waiters } => format!("opening [{}]", set(waiters)),
        State::Abandoned(to) => format!("abandoned {} [{}]", set(&to.owed), set(&to.waiters)),
        State::Open { users, .. } => format!("open [{}]", set(users)),
        State::Closing(to) => format!("closing {} [{}]", set(&to.owed), set(&to.waiters)),
        State::Gone => "gone".to_owned(),
    }
}

/// One line for each state and event that changes or says something.
fn table() -> String {
    let mut table = String::new();
    for state in states() {
        writeln!(table, "{}", show(&state)).unwrap();
        for event in events() {
            let mut machine = Machine {
                state: state.clone(),
                generation: 5,
            };
            let said: Vec<Said> = machine.handle(event.clone());
            if machine.state == state && said.is_empty() {
                continue;
            }
            let same = machine.state == state;
            let next = if same {
                "=".to_owned()
            } else {
                show(&machine.state)
            };
            let said: Vec<_> = said.iter().map(|action| format!("{action:?}")).collect();
            writeln!(table, "  {event:?} -> {next}; {}", said.join(" ")).unwrap();
        }
    }
    table
}

#[test]
fn every_event_in_every_state() {
    let table = table().replace('"', "");
    let lines = table.lines().map(str::trim_end);
    for (index, (line, expected)) in lines.zip(TABLE.lines()).enumerate() {
        assert_eq!(line, expected, "line {}", index + 1);
    }
    assert_eq!(table.lines().count(), TABLE.lines().count());
}

/// What does not stand under a state changes nothing in it and says nothing.
const TABLE: &str = "\
chosen 1 []
  Arrived(9) -> chosen 1 [9];
  Left(1) -> gone; Forget Dismiss(1)
  Dropped(1) -> gone; Forget
  Began(5) -> opening [1];
  Offered(5, new) -> =; Refuse(new)
  Offered(4, old) -> =; Refuse(old)
chosen 1 [2,3]
  Arrived(9) -> chosen 1 [2,3,9];
  Left(1) -> chosen 2 [3]; Open(2, 6) Dismiss(1)
  Left(2) -> chosen 1 [3]; Dismiss(2)
  Dropped(1) -> chosen 2 [3]; Open(2, 6)
  Dropped(2) -> chosen 1 [3];
  Began(5) -> opening [1,2,3];
  Offered(5, new) -> =; Refuse(new)
  Offered(4, old) -> =; Refuse(old)
opening [1]
  Arrived(9) -> opening [1,9];
  Left(1) -> abandoned 1 []; Abandon
  Dropped(1) -> abandoned  []; Abandon
  Offered(5, new) -> open [1]; Enter(1)
  Ended(5, well) -> gone; Tell(1, well) Forget
  Offered(4, old) -> =; Refuse(old)
opening [1,2]
  Arrived(9) -> opening [1,2,9];
  Left(1) -> opening [2]; Dismiss(1)
  Left(2) -> opening [1]; Dismiss(2)
  Dropped(1) -> opening [2];
  Dropped(2) -> opening [1];
  Offered(5, new) -> open [1,2]; Enter(1) Enter(2)
  Ended(5, well) -> gone; Tell(1, well) Tell(2, well) Forget
  Offered(4, old) -> =; Refuse(old)
abandoned 1 []
  Arrived(9) -> abandoned 1 [9];
  Dropped(1) -> abandoned  [];
  Offered(5, new) -> closing 1 []; Release(new)
  Ended(5, well) -> gone; Tell(1, well) Forget
  Offered(4, old) -> =; Refuse(old)
abandoned  [2]
  Arrived(9) -> abandoned  [2,9];
  Left(2) -> abandoned  []; Dismiss(2)
  Dropped(2) -> abandoned  [];
  Offered(5, new) -> closing  [2]; Release(new)
  Ended(5, well) -> chosen 2 []; Open(2, 6)
  Offered(4, old) -> =; Refuse(old)
open [1]
  Arrived(9) -> open [1,9]; Enter(9)
  Left(1) -> closing 1 []; Release(r)
  Dropped(1) -> closing  []; Release(r)
  Offered(5, new) -> =; Refuse(new)
  Withdrawn(5) -> closing 1 []; Discard(r)
  Ended(5, well) -> gone; Discard(r) Tell(1, well) Forget
  Offered(4, old) -> =; Refuse(old)
open [1,2]
  Arrived(9) -> open [1,2,9]; Enter(9)
  Left(1) -> open [2]; Dismiss(1)
  Left(2) -> open [1]; Dismiss(2)
  Dropped(1) -> open [2];
  Dropped(2) -> open [1];
  Offered(5, new) -> =; Refuse(new)
  Withdrawn(5) -> closing 1,2 []; Discard(r)
  Ended(5, well) -> gone; Discard(r) Tell(1, well) Tell(2, well) Forget
  Offered(4, old) -> =; Refuse(old)
closing 1 []
  Arrived(9) -> closing 1 [9];
  Dropped(1) -> closing  [];
  Offered(5, new) -> =; Refuse(new)
  Ended(5, well) -> gone; Tell(1, well) Forget
  Offered(4, old) -> =; Refuse(old)
closing 1 [2,3]
  Arrived(9) -> closing 1 [2,3,9];
  Left(2) -> closing 1 [3]; Dismiss(2)
  Dropped(1) -> closing  [2,3];
  Dropped(2) -> closing 1 [3];
  Offered(5, new) -> =; Refuse(new)
  Ended(5, well) -> chosen 2 [3]; Tell(1, well) Open(2, 6)
  Offered(4, old) -> =; Refuse(old)
gone
  Arrived(9) -> =; Retry(9)
  Offered(5, new) -> =; Refuse(new)
  Offered(4, old) -> =; Refuse(old)
";

/// What a user of the walk is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It has arrived, and has heard nothing.
    Waits,
    /// It is to begin the keeper of this generation.
    Begins(Generation),
    /// It uses the resource of this generation.
    Uses(Generation),
    /// It has left, and waits for what it is told.
    Leaves,
}

/// What the keeper of the walk is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Opens { abandoned: bool },
    Serves,
    Closes,
}

/// A machine with the users and keepers that obey it, and check what it says.
struct Walk {
    machine: Machine<Generation>,
    users: BTreeMap<User, Doing>,
    keeper: Option<(Generation, Keeping)>,
    next_user: User,
    last_generation: Generation,
    forgotten: bool,
    /// How many keepers have served, and how many of those were asked to close or ceased by
    /// themselves.
    served: u64,
    closed: u64,
    seed: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let (machine, generation) = Machine::new(1);
        Self {
            machine,
            users: BTreeMap::from([(1, Doing::Begins(generation))]),
            keeper: None,
            next_user: 2,
            last_generation: generation,
            forgotten: false,
            served: 0,
            closed: 0,
            seed,
        }
    }

    /// A number below `n`.
    fn random(&mut self, n: u64) -> u64 {
        // Knuth's constants; the upper bits are the random ones.
        self.seed = (self.seed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % n
    }

    fn random_user(&mut self) -> Option<(User, Doing)> {
        let index = self.random(self.users.len().max(1) as u64);
        let (user, doing) = self.users.iter().nth(index as usize)?;
        Some((*user, *doing))
    }

    /// Anything that may happen now, with what is out of date among it.
    fn step(&mut self) {
        match self.random(10) {
            0 | 1 if self.users.len() < 6 => self.arrive(),
            0..4 => {
                let Some((user, doing)) = self.random_user() else {
                    return;
                };
                if doing != Doing::Leaves && self.random(2) == 0 {
                    self.users.insert(user, Doing::Leaves);
                    self.tell(Event::Left(user));
                } else {
                    self.users.remove(&user);
                    self.tell(Event::Dropped(user));
                }
            }
            4 => {
                let stale = self.last_generation - 1;
                let event = match self.random(3) {
                    0 => Event::Began(stale),
                    1 => Event::Withdrawn(stale),
                    _ => Event::Ended(stale, stale),
                };
                assert_eq!(
                    self.machine.handle(event),
                    [],
                    "what is out of date is not heard"
                );
            }
            _ => self.go_on(),
        }
    }

    fn arrive(&mut self) {
        if self.forgotten {
            return;
        }
        self.users.insert(self.next_user, Doing::Waits);
        self.tell(Event::Arrived(self.next_user));
        self.next_user += 1;
    }

    /// The chosen user, or the keeper, does what it has to do next.
    fn go_on(&mut self) {
        let begins = self.users.iter().find_map(|(user, doing)| match doing {
            Doing::Begins(generation) => Some((*user, *generation)),
            _ => None,
        });
        if let Some((user, generation)) = begins {
            self.users.insert(user, Doing::Waits);
            assert_eq!(self.keeper, None, "two keepers at once");
            self.keeper = Some((generation, Keeping::Opens { abandoned: false }));
            return self.tell(Event::Began(generation));
        }
        let Some((generation, keeping)) = self.keeper else {
            return;
        };
        let may_fail = self.random(4) == 0;
        match keeping {
            Keeping::Opens { .. } if !may_fail => {
                self.keeper = Some((generation, Keeping::Serves));
                self.served += 1;
                self.tell(Event::Offered(generation, generation));
            }
            Keeping::Serves if may_fail && self.random(4) == 0 => {
                self.keeper = Some((generation, Keeping::Closes));
                self.tell(Event::Withdrawn(generation));
            }
            Keeping::Serves => {}
            Keeping::Opens { .. } | Keeping::Closes => {
                self.keeper = None;
                self.tell(Event::Ended(generation, generation));
            }
        }
    }

    fn tell(&mut self, event: Event<Generation, Generation>) {
        for action in self.machine.handle(event.clone()) {
            self.obey(&action, &event);
        }
        self.check();
    }

    fn obey(
        &mut self,
        action: &Action<Generation, Generation>,
        why: &Event<Generation, Generation>,
    ) {
        match *action {
            Action::Open(user, generation) => {
                assert_eq!(self.keeper, None, "{user} opens beside another keeper");
                assert!(generation > self.last_generation);
                self.last_generation = generation;
                assert_eq!(
                    self.users.insert(user, Doing::Begins(generation)),
                    Some(Doing::Waits)
                );
            }
            Action::Enter(user) => {
                assert_eq!(self.keeper, Some((self.last_generation, Keeping::Serves)));
                let doing = Doing::Uses(self.last_generation);
                assert_eq!(self.users.insert(user, doing), Some(Doing::Waits));
            }
            Action::Dismiss(user) => assert_eq!(self.users.remove(&user), Some(Doing::Leaves)),
            Action::Tell(user, outcome) => {
                assert_eq!(
                    outcome, self.last_generation,
                    "{user} is told of another keeper"
                );
                assert_eq!(self.keeper, None, "{user} is told too early");
                assert!(self.users.remove(&user).is_some(), "{user} is told twice");
            }
            Action::Abandon => {
                let opens = |abandoned| (self.last_generation, Keeping::Opens { abandoned });
                assert_eq!(
                    self.keeper,
                    Some(opens(false)),
                    "abandoned at the wrong time"
                );
                self.keeper = Some(opens(true));
            }
            Action::Release(resource) => {
                assert_eq!(
                    self.keeper,
                    Some((resource, Keeping::Serves)),
                    "closed twice"
                );
                self.keeper = Some((resource, Keeping::Closes));
                self.closed += 1;
            }
            Action::Discard(resource) => {
                assert_eq!(*why, Event::Withdrawn(resource));
                self.closed += 1;
            }
            Action::Forget => {
                assert!(!self.forgotten && self.keeper.is_none());
                assert_eq!(
                    self.users.values().find(|doing| **doing != Doing::Leaves),
                    None
                );
                self.forgotten = true;
            }
            Action::Retry(_) | Action::Refuse(_) => panic!("{action:?} after {why:?}"),
        }
    }

    /// What holds between any two events.
    fn check(&self) {
        let uses = |doing: &Doing| matches!(doing, Doing::Uses(_));
        let users = self.users.values().filter(|doing| uses(doing)).count();
        let chosen = self
            .users
            .values()
            .any(|doing| matches!(doing, Doing::Begins(_)));
        match self.keeper {
            Some((_, Keeping::Serves)) => assert!(users > 0, "served and nobody uses it"),
            Some((_, Keeping::Opens { abandoned })) => {
                assert_eq!(users, 0, "used before it is open");
                let is_abandoned = self.machine.is_abandoned(self.last_generation);
                assert_eq!(abandoned, is_abandoned);
            }
            // Those who were in when the keeper ceased to serve may be in still.
            Some((_, Keeping::Closes)) => {}
            None => assert!(
                chosen || self.users.is_empty(),
                "somebody waits for nothing"
            ),
        }
        assert!(self.closed <= self.served && self.served <= self.closed + 1);
    }

    /// Everybody leaves and the keeper goes on, until nothing is left.
    fn finish(&mut self) {
        for user in self.users.keys().copied().collect::<Vec<_>>() {
            // Told already, by what an earlier one of these caused.
            let Some(doing) = self.users.get(&user).copied() else {
                continue;
            };
            match doing {
                Doing::Uses(_) => {
                    self.users.insert(user, Doing::Leaves);
                    self.tell(Event::Left(user));
                }
                Doing::Waits | Doing::Begins(_) | Doing::Leaves => {}
            }
        }
        for _ in 0..1000 {
            self.go_on();
            let inside = self
                .users
                .iter()
                .find(|(_, doing)| matches!(doing, Doing::Uses(_)));
            if let Some(user) = inside.map(|(user, _)| *user) {
                self.users.insert(user, Doing::Leaves);
                self.tell(Event::Left(user));
            }
        }
        assert_eq!(self.users, BTreeMap::new(), "somebody was never told");
        assert_eq!((self.keeper, self.forgotten), (None, true));
        assert_eq!(self.served, self.closed);
        assert_eq!(self.machine.state, State::Gone);
    }
}

#[test]
fn whatever_happens_one_keeper_at_a_time_and_everybody_is_told() {
    for seed in 0..400 {
        let mut walk = Walk::new(seed);
        for _ in 0..seed {
            walk.step();
        }
        walk.finish();
    }
}
