//! [`Replay`]: a real [`Desk`] that is told what a model's lock was told, to see that the root does
//! with it what the model's lock says.
//!
//! Requests, losses and the end of the tree come in where they come in in a tree, and what is
//! answered to whoever asks is written down. Only the terminal is played, and the clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tractor_core::Error;
use tractor_core::services::Responder;
use tractor_ipc::{ActorId, codec};

use crate::desk::{Desk, Front, Screen, Shown, Tree};
use crate::lock::{Action, Event, Lease, Lock, Refusal, RequestId, State};
use crate::message::{Answer, Ask};
use crate::native::{Launch, Outcome};
use crate::terminal::{NoTerminal, Read};

/// A real desk, and what it has done.
#[derive(Debug)]
pub struct Replay {
    desk: Arc<Desk>,
    stage: Arc<Mutex<Stage>>,
}

/// What is seen of a desk from outside, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Whoever asked was told that it has the terminal.
    Granted(RequestId, Lease),
    /// Whoever asked was told that it has not.
    Refused(RequestId, Refusal),
    /// Whoever waited for a line was told that there is none.
    ReadEnded(Lease),
    /// The terminal was told to be as it was.
    Reclaim(Lease),
}

/// The terminal and the clock that are played, and who looks on.
#[derive(Default)]
struct Stage {
    now: Duration,
    effects: Vec<Effect>,
    /// What the terminal has to call when it is restored.
    reclaims: Vec<(Lease, Box<dyn FnOnce() + Send>)>,
    /// What it would call with a line that nobody types.
    reads: Vec<Box<dyn FnOnce(Read) + Send>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("effects", &self.effects)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Makes the desk of a tree in which nothing has happened yet.
    pub fn new() -> Self {
        let stage = Arc::new(Mutex::new(Stage::default()));
        let screen = Screen::with(Arc::new(Played(stage.clone())));
        let clock = stage.clone();
        let now = Box::new(move || locked(&clock).now);
        let desk = Desk::with(Box::new(NoTree), screen, now);
        Self { desk, stage }
    }

    /// Tells the desk what happened at `now`, and gives what came of it.
    pub fn tell(&self, event: Event, now: Duration) -> Vec<Effect> {
        locked(&self.stage).now = now;
        match event {
            Event::Requested { request, shielded } => self.ask(request, shielded),
            Event::Released(request) => self.desk.released(request),
            Event::Preferred(request) => self.prefer(&request),
            Event::PeerLost(actor) => self.desk.actor_gone(&actor),
            Event::ClosingBegan => self.desk.closing(),
            Event::Shut(Refusal::Closing) => self.desk.shut(),
            Event::Reclaimed(lease) => self.reclaimed(lease),
            event @ (Event::HoldArrived(_)
            | Event::HoldWithdrawn(_)
            | Event::Dropped(_)
            | Event::Shut(_)
            | Event::Tick) => self.desk.tell(event),
        }
        let effects = std::mem::take(&mut locked(&self.stage).effects);
        for effect in &effects {
            if let Effect::Granted(_, lease) = effect {
                self.read(*lease);
            }
        }
        effects
    }

    /// The lock as it stands.
    pub fn lock(&self) -> Lock {
        self.desk.seen()
    }

    fn ask(&self, request: RequestId, shielded: bool) {
        let ask = Ask::Want {
            request: request.clone(),
            shielded,
            pauses: false,
            why: String::new(),
        };
        let stage = self.stage.clone();
        let responder = answered(move |answer| {
            let effect = match answer {
                Answer::Granted(lease) => Effect::Granted(request, lease),
                Answer::Refused(refusal) => Effect::Refused(request, refusal),
                _ => return,
            };
            locked(&stage).effects.push(effect);
        });
        self.desk.asked(ask, responder);
    }

    /// The user, at the present prompt, wants somebody who waits to be next.
    fn prefer(&self, request: &RequestId) {
        let lock = self.lock();
        let lease = match lock.state() {
            State::Held { lease, .. } => *lease,
            State::Free | State::Reclaiming { .. } => return,
        };
        let places = (1..).zip(lock.waiting());
        for (place, _) in places.filter(|(_, waiting)| *waiting == request) {
            let ask = Ask::Prefer { lease, place };
            self.desk.asked(ask, answered(drop));
        }
    }

    /// Whoever was granted asks for a line.
    fn read(&self, lease: Lease) {
        let ask = Ask::Read {
            lease,
            text: String::new(),
            prompt: String::new(),
            words: Vec::new(),
        };
        let stage = self.stage.clone();
        let responder = answered(move |answer| {
            if answer == Answer::Revoked {
                locked(&stage).effects.push(Effect::ReadEnded(lease));
            }
        });
        self.desk.asked(ask, responder);
    }

    /// The terminal is restored. A second time, or without having been told to, says nothing.
    fn reclaimed(&self, lease: Lease) {
        let mut stage = locked(&self.stage);
        let place = stage.reclaims.iter().position(|(of, _)| *of == lease);
        let done = place.map(|place| stage.reclaims.remove(place));
        drop(stage);
        if let Some((_, done)) = done {
            done();
        }
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

/// What has to be seen of a desk whose lock says this.
pub fn effects_of(actions: &[Action]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for action in actions {
        match action {
            Action::Grant { request, lease } => {
                effects.push(Effect::Granted(request.clone(), *lease));
            }
            Action::Refuse { request, refusal } => {
                effects.push(Effect::Refused(request.clone(), *refusal));
            }
            Action::Revoke { lease, .. } => effects.push(Effect::ReadEnded(*lease)),
            // Who had the terminal waits for a line, until it is told otherwise.
            Action::Reclaim(lease) => {
                let ended = Effect::ReadEnded(*lease);
                if effects.last() != Some(&ended) {
                    effects.push(ended);
                }
                effects.push(Effect::Reclaim(*lease));
            }
            Action::Wake(_) => {}
        }
    }
    effects
}

fn answered(done: impl FnOnce(Answer) + Send + 'static) -> Responder {
    Responder::to_callback("the terminal", move |reply: Result<Vec<u8>, Error>| {
        // A request that is over is answered by nobody.
        if let Ok(payload) = reply {
            done(codec::decode(&payload).expect("the desk's own answer"));
        }
    })
}

fn locked(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal.
struct Played(Arc<Mutex<Stage>>);

impl Front for Played {
    fn claim(&self) -> Result<(), NoTerminal> {
        Ok(())
    }

    fn say(&self, _line: String) {}

    fn interrupted(&self) {}

    fn read(&self, _lease: Lease, _shown: Shown, done: Box<dyn FnOnce(Read) + Send>) {
        locked(&self.0).reads.push(done);
    }

    fn lend(
        &self,
        _lease: Lease,
        _greeting: String,
        _launch: Launch,
        done: Box<dyn FnOnce(Outcome) + Send>,
    ) {
        done(Outcome::Revoked);
    }

    fn suspend(&self) {}

    fn go_on(&self) {}

    fn close(&self, _patience: Option<Duration>) {}

    fn reclaim(&self, lease: Lease, done: Box<dyn FnOnce() + Send>) {
        let mut stage = locked(&self.0);
        stage.effects.push(Effect::Reclaim(lease));
        stage.reclaims.push((lease, done));
    }
}

/// Nobody asks for it.
struct NoTree;

impl Tree for NoTree {
    fn draw(&self, _note: &dyn Fn(&ActorId) -> Option<String>) -> String {
        String::new()
    }

    fn look_at(&self, _aid: &ActorId) -> Option<&'static str> {
        None
    }

    fn kill(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64) -> RequestId {
        RequestId {
            actor: ActorId::new("leaf", 1),
            number,
        }
    }

    #[test]
    fn the_desk_does_what_its_lock_says() {
        let (replay, mut lock, now) = (Replay::new(), Lock::new(), Duration::ZERO);
        let requested = |number| Event::Requested {
            request: request(number),
            shielded: false,
        };
        let events = [
            Event::HoldArrived(request(1)),
            requested(1),
            requested(2),
            Event::HoldArrived(request(2)),
            requested(4),
            Event::Preferred(request(4)),
            Event::Dropped(Lease(1)),
            Event::Reclaimed(Lease(1)),
            Event::ClosingBegan,
            requested(3),
            Event::Shut(Refusal::Closing),
        ];
        for event in events {
            let mut actions = Vec::new();
            lock.handle(event.clone(), now, &mut actions);
            assert_eq!(
                replay.tell(event.clone(), now),
                effects_of(&actions),
                "{event:?}"
            );
            assert_eq!(replay.lock().state(), lock.state());
        }
    }
}
