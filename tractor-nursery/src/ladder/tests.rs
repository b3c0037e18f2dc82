//! What the ladder does, event by event.

use std::fmt::Write;

use super::*;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A whole of 1300 ms: an answer until 100, SIGTERM at 1100, 200 more to SIGKILL.
fn rungs() -> Rungs {
    Rungs {
        ack: ms(100),
        grace: ms(1000),
        term: ms(200),
    }
}

pub(super) const BEGIN: Event = Event::Begin {
    remaining: Duration::MAX,
};

/// A ladder that is driven by hand, and everything it said since it was last asked.
struct Driven {
    ladder: Ladder,
    out: Vec<Action>,
}

impl Driven {
    fn new() -> Self {
        Self {
            ladder: Ladder::new(rungs()),
            out: Vec::new(),
        }
    }

    fn begun() -> Self {
        let mut driven = Self::new();
        driven.check(0, BEGIN, Rung::Asked, &[ask(962), wake(100)]);
        driven
    }

    #[track_caller]
    fn check(&mut self, at: u64, event: Event, rung: Rung, actions: &[Action]) {
        self.out.clear();
        self.ladder.handle(event, ms(at), &mut self.out);
        assert_eq!((self.ladder.rung(), &self.out[..]), (rung, actions));
    }
}

fn ask(remaining: u64) -> Action {
    Action::AskCancel {
        remaining: ms(remaining),
    }
}

fn wake(at: u64) -> Action {
    Action::Wake(ms(at))
}

#[test]
fn every_event_on_every_rung() {
    let ways: [&[(u64, Event)]; 6] = [
        &[],
        &[(0, BEGIN)],
        &[(0, BEGIN), (1, Event::Acknowledged)],
        &[(0, BEGIN), (100, Event::Tick)],
        &[(0, Event::Force)],
        &[(0, Event::Exited)],
    ];
    let events = [
        ("begin", BEGIN),
        ("begin 40", Event::Begin { remaining: ms(40) }),
        ("linked", Event::Linked),
        ("acknowledged", Event::Acknowledged),
        ("link closed", Event::LinkClosed),
        ("exited", Event::Exited),
        ("tick", Event::Tick),
        ("held", Event::HoldChanged(1)),
        ("not held", Event::HoldChanged(0)),
        ("urge 40", Event::Urge(ms(40))),
        ("force", Event::Force),
    ];
    let mut table = String::new();
    for way in ways {
        let mut driven = Driven::new();
        for &(at, event) in way {
            driven.ladder.handle(event, ms(at), &mut Vec::new());
        }
        writeln!(table, "{:?}", driven.ladder.rung()).unwrap();
        for (name, event) in events {
            let (mut ladder, mut out) = (driven.ladder.clone(), Vec::new());
            ladder.handle(event, ms(110), &mut out);
            let rung = ladder.rung();
            writeln!(table, "  {name:12} {rung:?} {out:?}").unwrap();
        }
    }
    assert!(table == TABLE, "the table is now\n{table}");
}

#[test]
fn deaf_child_is_terminated_after_the_ack_time_and_killed_after_the_term_time() {
    let mut driven = Driven::begun();
    driven.check(99, Event::Tick, Rung::Asked, &[wake(100)]);
    driven.check(
        100,
        Event::Tick,
        Rung::Terminated,
        &[Action::SendTerm, wake(300)],
    );
    driven.check(300, Event::Tick, Rung::Killed, &[Action::SendKill]);
    driven.check(9000, Event::Tick, Rung::Killed, &[]);
    driven.check(9001, Event::Exited, Rung::Gone, &[]);
}

#[test]
fn answer_gives_the_whole_grace() {
    let mut driven = Driven::begun();
    driven.check(50, Event::Acknowledged, Rung::Grace, &[wake(1100)]);
    driven.check(100, Event::Tick, Rung::Grace, &[wake(1100)]);
    driven.check(
        1100,
        Event::Tick,
        Rung::Terminated,
        &[Action::SendTerm, wake(1300)],
    );
}

#[test]
fn late_wake_up_finds_the_answer_first() {
    let mut driven = Driven::begun();
    // The parent was stopped; what the child said meanwhile is handed in before the tick.
    driven.check(900, Event::Urge(ms(4000)), Rung::Asked, &[]);
    driven.check(900, Event::Acknowledged, Rung::Grace, &[wake(1100)]);
    driven.check(900, Event::Tick, Rung::Grace, &[wake(1100)]);
}

#[test]
fn late_wake_up_keeps_the_time_between_the_signals() {
    let mut driven = Driven::begun();
    driven.check(
        5000,
        Event::Tick,
        Rung::Terminated,
        &[Action::SendTerm, wake(5200)],
    );
}

#[test]
fn held_ladder_stands_still_and_goes_on_where_it_was() {
    let mut driven = Driven::begun();
    driven.check(40, Event::HoldChanged(2), Rung::Asked, &[]);
    driven.check(5000, Event::Tick, Rung::Asked, &[]);
    driven.check(6000, Event::HoldChanged(1), Rung::Asked, &[]);
    driven.check(7040, Event::HoldChanged(0), Rung::Asked, &[wake(7100)]);
    driven.check(
        7100,
        Event::Tick,
        Rung::Terminated,
        &[Action::SendTerm, wake(7300)],
    );
    driven.check(7200, Event::HoldChanged(1), Rung::Terminated, &[]);
    driven.check(9000, Event::Tick, Rung::Terminated, &[]);
    driven.check(9100, Event::HoldChanged(0), Rung::Terminated, &[wake(9200)]);
    driven.check(9200, Event::Tick, Rung::Killed, &[Action::SendKill]);
}

#[test]
fn held_child_is_asked_at_once() {
    let mut driven = Driven::new();
    driven.check(10, Event::HoldChanged(1), Rung::Running, &[]);
    driven.check(20, BEGIN, Rung::Asked, &[ask(962)]);
    driven.check(30, Event::Acknowledged, Rung::Grace, &[]);
    driven.check(80, Event::HoldChanged(0), Rung::Grace, &[wake(1180)]);
}

#[test]
fn hold_that_arrives_late_is_not_overtaken_by_the_time() {
    let mut driven = Driven::begun();
    driven.check(700, Event::HoldChanged(1), Rung::Asked, &[]);
    driven.check(700, Event::Tick, Rung::Asked, &[]);
}

#[test]
fn closed_link_counts_as_asked_and_its_holds_as_withdrawn() {
    let mut driven = Driven::new();
    driven.check(0, Event::HoldChanged(3), Rung::Running, &[]);
    driven.check(50, Event::LinkClosed, Rung::Grace, &[wake(1150)]);
    assert_eq!(driven.ladder.holds(), 0);
    driven.check(60, Event::HoldChanged(1), Rung::Grace, &[]);
    assert_eq!(driven.ladder.holds(), 0);
    // There is nobody to ask again, but the time counts.
    driven.check(150, Event::Urge(ms(400)), Rung::Grace, &[wake(450)]);

    let mut driven = Driven::begun();
    driven.check(10, Event::LinkClosed, Rung::Grace, &[wake(1100)]);
}

#[test]
fn urge_shortens_and_never_lengthens() {
    let mut driven = Driven::begun();
    driven.check(10, Event::Acknowledged, Rung::Grace, &[wake(1100)]);
    driven.check(100, Event::Urge(ms(1200)), Rung::Grace, &[]);
    driven.check(
        100,
        Event::Urge(ms(400)),
        Rung::Grace,
        &[ask(262), wake(400)],
    );
    driven.check(200, BEGIN, Rung::Grace, &[]);
    // Sooner by a little, counted from later: no share of it is put off.
    driven.check(300, Event::Urge(ms(196)), Rung::Grace, &[]);
    driven.check(
        400,
        Event::Tick,
        Rung::Terminated,
        &[Action::SendTerm, wake(449)],
    );
    driven.check(410, Event::Urge(ms(5)), Rung::Terminated, &[wake(415)]);
    driven.check(412, Event::Urge(ms(50)), Rung::Terminated, &[]);
    driven.check(415, Event::Tick, Rung::Killed, &[Action::SendKill]);
}

#[test]
fn no_time_at_all_is_all_at_once() {
    let mut driven = Driven::new();
    let now = Event::Begin {
        remaining: Duration::ZERO,
    };
    driven.check(7, now, Rung::Asked, &[ask(0), wake(7)]);
    driven.check(
        7,
        Event::Tick,
        Rung::Killed,
        &[Action::SendTerm, Action::SendKill],
    );
}

#[test]
fn force_does_not_wait_for_a_hold() {
    let mut driven = Driven::begun();
    driven.check(10, Event::HoldChanged(1), Rung::Asked, &[]);
    driven.check(20, Event::Force, Rung::Killed, &[Action::SendKill]);
    driven.check(30, Event::Force, Rung::Killed, &[]);
}

#[test]
fn endless_grace_asks_for_no_wake_up() {
    let mut ladder = Ladder::new(Rungs {
        grace: Duration::MAX,
        ..rungs()
    });
    let mut out = Vec::new();
    ladder.handle(BEGIN, ms(5), &mut out);
    assert_eq!(out[1], wake(105));
    out.clear();
    ladder.handle(Event::Acknowledged, ms(6), &mut out);
    assert_eq!((ladder.rung(), ladder.next_wake()), (Rung::Grace, None));

    ladder.handle(Event::Urge(ms(400)), ms(1000), &mut out);
    assert_eq!(out, [ask(262), wake(1300)]);
}

#[test]
fn levels_end_from_the_innermost_outwards() {
    let mut remaining = Duration::MAX;
    let mut ends = Vec::new();
    for _ in 0..4 {
        let mut ladder = Ladder::new(Rungs::default());
        let mut out = Vec::new();
        ladder.handle(Event::Begin { remaining }, ms(0), &mut out);
        ladder.handle(Event::Acknowledged, ms(1), &mut out);
        ends.push(ladder.next_wake().unwrap());
        let Action::AskCancel { remaining: told } = out[0] else {
            panic!("not asked: {out:?}");
        };
        remaining = told;
    }
    assert!(ends.is_sorted_by(|outer, inner| outer > inner), "{ends:?}");
}

/// Each rung, as it was reached by 100 ms, and what each event at 110 ms makes of it.
const TABLE: &str = "\
Running
  begin        Asked [AskCancel { remaining: 962ms }, Wake(210ms)]
  begin 40     Asked [AskCancel { remaining: 26ms }, Wake(140ms)]
  linked       Running []
  acknowledged Running []
  link closed  Grace [Wake(1.21s)]
  exited       Gone []
  tick         Running []
  held         Running []
  not held     Running []
  urge 40      Running []
  force        Killed [SendKill]
Asked
  begin        Asked []
  begin 40     Asked [AskCancel { remaining: 26ms }]
  linked       Asked [AskCancel { remaining: 852ms }]
  acknowledged Grace [Wake(1.1s)]
  link closed  Grace [Wake(1.1s)]
  exited       Gone []
  tick         Terminated [SendTerm, Wake(310ms)]
  held         Asked []
  not held     Asked []
  urge 40      Asked [AskCancel { remaining: 26ms }]
  force        Killed [SendKill]
Grace
  begin        Grace []
  begin 40     Grace [AskCancel { remaining: 26ms }, Wake(140ms)]
  linked       Grace []
  acknowledged Grace []
  link closed  Grace []
  exited       Gone []
  tick         Grace [Wake(1.1s)]
  held         Grace []
  not held     Grace []
  urge 40      Grace [AskCancel { remaining: 26ms }, Wake(140ms)]
  force        Killed [SendKill]
Terminated
  begin        Terminated []
  begin 40     Terminated [Wake(150ms)]
  linked       Terminated []
  acknowledged Terminated []
  link closed  Terminated []
  exited       Gone []
  tick         Terminated [Wake(300ms)]
  held         Terminated []
  not held     Terminated []
  urge 40      Terminated [Wake(150ms)]
  force        Killed [SendKill]
Killed
  begin        Killed []
  begin 40     Killed []
  linked       Killed []
  acknowledged Killed []
  link closed  Killed []
  exited       Gone []
  tick         Killed []
  held         Killed []
  not held     Killed []
  urge 40      Killed []
  force        Killed []
Gone
  begin        Gone []
  begin 40     Gone []
  linked       Gone []
  acknowledged Gone []
  link closed  Gone []
  exited       Gone []
  tick         Gone []
  held         Gone []
  not held     Gone []
  urge 40      Gone []
  force        Gone []
";
