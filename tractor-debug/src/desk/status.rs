//! What the root tells of who has the terminal: when it is asked, when the user changes who is
//! next, when the holder is gone, and when nothing is heard of it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tractor_core::timer::{self, Timer};

use super::Desk;
use crate::lock::{Event, Lease, Phase, RequestId, State as LockState};

/// For how long who has the terminal may say nothing before it is named.
const SILENCE: Duration = Duration::from_secs(5);

impl Desk {
    /// The tree, with who has the terminal and who waits for it.
    pub(super) fn draw(&self) -> String {
        let (holder, waiting) = {
            let state = self.lock();
            let holder = match state.lock.state() {
                LockState::Held { request, .. } => Some(request.actor.clone()),
                LockState::Free | LockState::Reclaiming { .. } => None,
            };
            let waiting = state.lock.waiting().map(|it| it.actor.clone());
            (holder, waiting.collect::<Vec<_>>())
        };
        self.tree.draw(&|aid| {
            let place = waiting.iter().position(|it| it == aid);
            match place {
                _ if holder.as_ref() == Some(aid) => Some("has the terminal".to_owned()),
                Some(place) => Some(format!("waits for the terminal, number {}", place + 1)),
                None => None,
            }
        })
    }

    /// If who has the terminal asks for no line within a while it is named, so that nobody waits
    /// for a prompt that cannot come.
    pub(super) fn watch_for_silence(&self, lease: Lease) {
        let (me, reads) = (self.me.clone(), self.lock().reads);
        Timer::forget(timer::schedule(Instant::now() + SILENCE, move || {
            if let Some(desk) = me.upgrade() {
                desk.note_silence(lease, reads);
            }
        }));
    }

    fn note_silence(&self, lease: Lease, reads: u64) {
        let holder = {
            let state = self.lock();
            match state.lock.state() {
                LockState::Held { request, lease: of }
                    if *of == lease && state.reads == reads && state.read.is_none() =>
                {
                    Some(request.actor.clone())
                }
                _ => None,
            }
        };
        if let (Some(holder), Some(terminal)) = (holder, self.opened()) {
            let doing = self.tree.look_at(&holder).unwrap_or("is not known here");
            terminal.say(format!(
                "{holder} has the terminal and says nothing; its process {doing}. SIGTERM to the \
                 root ends the tree."
            ));
        }
    }

    pub(super) fn queue(&self) -> String {
        let state = self.lock();
        let mut text = String::new();
        let line = |what: &str, request: &RequestId, text: &mut String| {
            let want = state.wants.get(request);
            let why = want.map_or("", |want| &want.why);
            let age = want.map_or(0, |want| want.since.elapsed().as_secs());
            let _ = writeln!(text, "{what} {}, for {age} s: {why}", request.actor);
        };
        if let LockState::Held { request, .. } = state.lock.state() {
            line("has it:", request, &mut text);
        }
        for (place, request) in (1..).zip(state.lock.waiting()) {
            line(&format!("{place} waits:"), request, &mut text);
        }
        if state.lock.phase() != Phase::Open {
            text.push_str("the tree is ending: nobody else is let in unless shielded\n");
        }
        text
    }

    /// Lets one of those who wait be the next, by its number in [`queue`](Self::queue).
    pub(super) fn prefer(&self, place: usize) -> String {
        let request = {
            let state = self.lock();
            let index = place.checked_sub(1);
            index.and_then(|index| state.lock.waiting().nth(index).cloned())
        };
        let Some(request) = request else {
            return format!("nobody waits as number {place}\n{}", self.queue());
        };
        self.tell(Event::Preferred(request.clone()));
        let is_next = self.lock().lock.waiting().next() == Some(&request);
        let (actor, queue) = (&request.actor, self.queue());
        if is_next {
            format!("{actor} is next: `c` passes the terminal on\n{queue}")
        } else {
            format!("{actor} does not wait any more\n{queue}")
        }
    }

    /// Says that the holder is gone, if a line is being read for this request: nobody else ends a
    /// prompt but by a line.
    pub(super) fn say_gone(&self, gone: &RequestId) {
        let is_reading = {
            let state = self.lock();
            let held = match state.lock.state() {
                LockState::Held { request, lease } if request == gone => Some(*lease),
                _ => None,
            };
            held.is_some() && state.read.as_ref().map(|(lease, _)| *lease) == held
        };
        if is_reading && let Some(terminal) = self.opened() {
            let actor = &gone.actor;
            terminal.say(format!("{actor} is gone, and its prompt with it"));
        }
    }
}
