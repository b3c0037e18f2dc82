//! What the lock does, event by event.

use std::fmt::Write;

use super::*;

pub(super) const NOW: Duration = Duration::ZERO;

pub(super) fn request(text: &str) -> RequestId {
    let (name, number) = text.split_at(1);
    RequestId {
        actor: ActorId::new(name, 1),
        number: number.parse().unwrap(),
    }
}

pub(super) fn requested(text: &str) -> Event {
    Event::Requested {
        request: request(text),
        shielded: false,
    }
}

pub(super) fn shielded(text: &str) -> Event {
    Event::Requested {
        request: request(text),
        shielded: true,
    }
}

pub(super) fn hold(text: &str) -> Event {
    Event::HoldArrived(request(text))
}

pub(super) fn released(text: &str) -> Event {
    Event::Released(request(text))
}

pub(super) fn lost(name: &str) -> Event {
    Event::PeerLost(ActorId::new(name, 1))
}

/// A request as the tests write it.
fn text(request: &RequestId) -> String {
    format!("{}{}", request.actor.name(), request.number)
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Closing => "closing",
        Refusal::NoTerminal => "no tty",
        Refusal::TooMany => "too many",
    }
}

fn action_text(action: &Action) -> String {
    match action {
        Action::Grant { request, lease } => format!("grant {} as {}", text(request), lease.0),
        Action::Refuse { request, refusal } => {
            format!("refuse {}: {}", text(request), reason(*refusal))
        }
        Action::Revoke { request, lease } => format!("revoke {} as {}", text(request), lease.0),
        Action::Reclaim(lease) => format!("reclaim {}", lease.0),
        Action::Wake(at) => format!("wake {at:?}"),
    }
}

fn lock_text(lock: &Lock) -> String {
    let state = match lock.state() {
        State::Free => "free".to_owned(),
        State::Held { request, .. } => format!("held by {}", text(request)),
        State::Reclaiming { lease, .. } => format!("reclaiming {}", lease.0),
    };
    let waiting: Vec<_> = lock.waiting().map(text).collect();
    if waiting.is_empty() {
        state
    } else {
        format!("{state}, then {}", waiting.join(" "))
    }
}

/// A lock after these events, and what it said to all of them.
fn after(events: impl IntoIterator<Item = Event>) -> (Lock, Vec<String>) {
    let (mut lock, mut out) = (Lock::new(), Vec::new());
    for event in events {
        lock.handle(event, NOW, &mut out);
    }
    (lock, out.iter().map(action_text).collect())
}

#[track_caller]
fn check(events: impl IntoIterator<Item = Event>, lock: &str, said: &[&str]) {
    let (after, out) = after(events);
    assert_eq!(
        (lock_text(&after).as_str(), &out[..]),
        (lock, &own(said)[..])
    );
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn every_event_in_every_state() {
    let held = [hold("a1"), hold("b1"), requested("a1")];
    let queued = [held.as_slice(), &[requested("b1"), shielded("c1")]].concat();
    let states = [
        ("free", vec![]),
        ("not yet held", vec![requested("a1")]),
        ("held", held.to_vec()),
        ("queued", queued.clone()),
        ("reclaiming", [&held[..], &[released("a1")]].concat()),
        (
            "reclaiming, queued",
            [&queued[..], &[released("a1")]].concat(),
        ),
        ("closing", [&queued[..], &[Event::ClosingBegan]].concat()),
        ("shut", vec![Event::Shut(Refusal::NoTerminal)]),
    ];
    let events = [
        ("request d1", requested("d1")),
        ("shielded d1", shielded("d1")),
        ("again a1", requested("a1")),
        ("hold a1", hold("a1")),
        ("no hold b1", Event::HoldWithdrawn(request("b1"))),
        ("released a1", released("a1")),
        ("released b1", released("b1")),
        ("lost a", lost("a")),
        ("lost b", lost("b")),
        ("prefer c1", Event::Preferred(request("c1"))),
        ("dropped 1", Event::Dropped(Lease(1))),
        ("dropped 9", Event::Dropped(Lease(9))),
        ("reclaimed 1", Event::Reclaimed(Lease(1))),
        ("reclaimed 9", Event::Reclaimed(Lease(9))),
        ("closing", Event::ClosingBegan),
        ("no terminal", Event::Shut(Refusal::NoTerminal)),
        ("tick", Event::Tick),
    ];
    let mut table = String::new();
    for (name, way) in states {
        let (lock, _) = after(way);
        writeln!(table, "{name}: {}", lock_text(&lock)).unwrap();
        for (name, event) in &events {
            let (mut next, mut out) = (lock.clone(), Vec::new());
            next.handle(event.clone(), RECLAIM_MAX, &mut out);
            let mut out: Vec<_> = out.iter().map(action_text).collect();
            if next.ignored() > lock.ignored() {
                out.push("ignored".to_owned());
            }
            let line = format!("{name:11} {}; {}", lock_text(&next), out.join(", "));
            writeln!(table, "  {}", line.trim_end_matches("; ")).unwrap();
        }
    }
    assert!(table == TABLE, "the table is now\n{table}");
}

#[test]
fn nothing_is_granted_before_its_hold_has_arrived() {
    check([requested("a1")], "free, then a1", &[]);
    check(
        [requested("a1"), hold("a1")],
        "held by a1",
        &["grant a1 as 1"],
    );
    check(
        [hold("a1"), requested("a1")],
        "held by a1",
        &["grant a1 as 1"],
    );
    check([hold("a2"), requested("a1")], "free, then a1", &[]);
    let withdrawn = Event::HoldWithdrawn(request("a1"));
    check(
        [hold("a1"), withdrawn, requested("a1")],
        "free, then a1",
        &[],
    );
}

#[test]
fn missing_hold_does_not_stop_those_behind() {
    check(
        [requested("a1"), requested("b1"), hold("b1")],
        "held by b1, then a1",
        &["grant b1 as 1"],
    );
}

#[test]
fn two_tasks_of_one_actor_are_two_requests() {
    let both = [hold("a1"), hold("a2"), requested("a1"), requested("a2")];
    check(both.clone(), "held by a1, then a2", &["grant a1 as 1"]);
    // The second gives up; the first still holds.
    let events = both.into_iter().chain([released("a2")]);
    check(events, "held by a1", &["grant a1 as 1"]);
}

#[test]
fn early_tick_is_told_when_to_come_again() {
    let (mut lock, _) = after([hold("a1"), requested("a1"), lost("a")]);
    let mut out = Vec::new();
    lock.handle(Event::Tick, RECLAIM_MAX / 2, &mut out);
    assert_eq!(out, [Action::Wake(RECLAIM_MAX)]);
    assert_eq!(lock.next_wake(), Some(RECLAIM_MAX));
}

#[test]
fn only_the_present_lease_is_admitted() {
    let (mut lock, _) = after([hold("a1"), requested("a1")]);
    assert!(lock.admits(Lease(1)) && !lock.admits(Lease(0)) && !lock.admits(Lease(2)));
    lock.handle(lost("a"), NOW, &mut Vec::new());
    assert!(
        !lock.admits(Lease(1)),
        "the lost holder may still be talking"
    );
}

#[test]
fn request_over_a_new_channel_finds_its_hold_after_the_loss_of_the_old_one() {
    let events = [hold("a1"), requested("a1"), hold("a2"), lost("a")];
    let said = ["grant a1 as 1", "reclaim 1", "wake 2s", "grant a2 as 2"];
    let later = [requested("a2"), Event::Reclaimed(Lease(1))];
    check(events.into_iter().chain(later), "held by a2", &said);
}

#[test]
fn queue_is_bounded() {
    let many = 1..=WAITING_MAX as u64 + 1;
    let (lock, said) = after(many.map(|number| requested(&format!("a{number}"))));
    assert_eq!(lock.waiting().count(), WAITING_MAX);
    assert_eq!(said, [format!("refuse a{}: too many", WAITING_MAX + 1)]);
}

/// Each state, and what each event makes of it, two seconds later.
const TABLE: &str = "\
free: free
  request d1  free, then d1
  shielded d1 free, then d1
  again a1    free, then a1
  hold a1     free
  no hold b1  free; ignored
  released a1 free; ignored
  released b1 free; ignored
  lost a      free
  lost b      free
  prefer c1   free; ignored
  dropped 1   free; ignored
  dropped 9   free; ignored
  reclaimed 1 free; ignored
  reclaimed 9 free; ignored
  closing     free
  no terminal free
  tick        free
not yet held: free, then a1
  request d1  free, then a1 d1
  shielded d1 free, then a1 d1
  again a1    free, then a1; ignored
  hold a1     held by a1; grant a1 as 1
  no hold b1  free, then a1; ignored
  released a1 free
  released b1 free, then a1; ignored
  lost a      free
  lost b      free, then a1
  prefer c1   free, then a1; ignored
  dropped 1   free, then a1; ignored
  dropped 9   free, then a1; ignored
  reclaimed 1 free, then a1; ignored
  reclaimed 9 free, then a1; ignored
  closing     free; refuse a1: closing
  no terminal free; refuse a1: no tty
  tick        free, then a1
held: held by a1
  request d1  held by a1, then d1
  shielded d1 held by a1, then d1
  again a1    held by a1; ignored
  hold a1     held by a1; ignored
  no hold b1  held by a1
  released a1 reclaiming 1; reclaim 1, wake 4s
  released b1 held by a1; ignored
  lost a      reclaiming 1; reclaim 1, wake 4s
  lost b      held by a1
  prefer c1   held by a1; ignored
  dropped 1   reclaiming 1; revoke a1 as 1, reclaim 1, wake 4s
  dropped 9   held by a1; ignored
  reclaimed 1 held by a1; ignored
  reclaimed 9 held by a1; ignored
  closing     held by a1
  no terminal reclaiming 1; revoke a1 as 1, reclaim 1, wake 4s
  tick        held by a1
queued: held by a1, then b1 c1
  request d1  held by a1, then b1 c1 d1
  shielded d1 held by a1, then b1 c1 d1
  again a1    held by a1, then b1 c1; ignored
  hold a1     held by a1, then b1 c1; ignored
  no hold b1  held by a1, then b1 c1
  released a1 reclaiming 1, then b1 c1; reclaim 1, wake 4s
  released b1 held by a1, then c1
  lost a      reclaiming 1, then b1 c1; reclaim 1, wake 4s
  lost b      held by a1, then c1
  prefer c1   held by a1, then c1 b1
  dropped 1   reclaiming 1, then b1 c1; revoke a1 as 1, reclaim 1, wake 4s
  dropped 9   held by a1, then b1 c1; ignored
  reclaimed 1 held by a1, then b1 c1; ignored
  reclaimed 9 held by a1, then b1 c1; ignored
  closing     held by a1, then c1; refuse b1: closing
  no terminal reclaiming 1; revoke a1 as 1, reclaim 1, wake 4s, refuse b1: no tty, refuse c1: no tty
  tick        held by a1, then b1 c1
reclaiming: reclaiming 1
  request d1  reclaiming 1, then d1
  shielded d1 reclaiming 1, then d1
  again a1    reclaiming 1, then a1
  hold a1     reclaiming 1; ignored
  no hold b1  reclaiming 1
  released a1 reclaiming 1; ignored
  released b1 reclaiming 1; ignored
  lost a      reclaiming 1
  lost b      reclaiming 1
  prefer c1   reclaiming 1; ignored
  dropped 1   reclaiming 1; ignored
  dropped 9   reclaiming 1; ignored
  reclaimed 1 free
  reclaimed 9 reclaiming 1; ignored
  closing     reclaiming 1
  no terminal reclaiming 1
  tick        free
reclaiming, queued: reclaiming 1, then b1 c1
  request d1  reclaiming 1, then b1 c1 d1
  shielded d1 reclaiming 1, then b1 c1 d1
  again a1    reclaiming 1, then b1 c1 a1
  hold a1     reclaiming 1, then b1 c1; ignored
  no hold b1  reclaiming 1, then b1 c1
  released a1 reclaiming 1, then b1 c1; ignored
  released b1 reclaiming 1, then c1
  lost a      reclaiming 1, then b1 c1
  lost b      reclaiming 1, then c1
  prefer c1   reclaiming 1, then c1 b1
  dropped 1   reclaiming 1, then b1 c1; ignored
  dropped 9   reclaiming 1, then b1 c1; ignored
  reclaimed 1 held by b1, then c1; grant b1 as 2
  reclaimed 9 reclaiming 1, then b1 c1; ignored
  closing     reclaiming 1, then c1; refuse b1: closing
  no terminal reclaiming 1; refuse b1: no tty, refuse c1: no tty
  tick        held by b1, then c1; grant b1 as 2
closing: held by a1, then c1
  request d1  held by a1, then c1; refuse d1: closing
  shielded d1 held by a1, then c1 d1
  again a1    held by a1, then c1; ignored
  hold a1     held by a1, then c1; ignored
  no hold b1  held by a1, then c1
  released a1 reclaiming 1, then c1; reclaim 1, wake 4s
  released b1 held by a1, then c1; ignored
  lost a      reclaiming 1, then c1; reclaim 1, wake 4s
  lost b      held by a1, then c1
  prefer c1   held by a1, then c1
  dropped 1   reclaiming 1, then c1; revoke a1 as 1, reclaim 1, wake 4s
  dropped 9   held by a1, then c1; ignored
  reclaimed 1 held by a1, then c1; ignored
  reclaimed 9 held by a1, then c1; ignored
  closing     held by a1, then c1; ignored
  no terminal reclaiming 1; revoke a1 as 1, reclaim 1, wake 4s, refuse c1: no tty
  tick        held by a1, then c1
shut: free
  request d1  free; refuse d1: no tty
  shielded d1 free; refuse d1: no tty
  again a1    free; refuse a1: no tty
  hold a1     free
  no hold b1  free; ignored
  released a1 free; ignored
  released b1 free; ignored
  lost a      free
  lost b      free
  prefer c1   free; ignored
  dropped 1   free; ignored
  dropped 9   free; ignored
  reclaimed 1 free; ignored
  reclaimed 9 free; ignored
  closing     free; ignored
  no terminal free; ignored
  tick        free
";
