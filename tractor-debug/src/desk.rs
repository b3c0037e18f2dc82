//! [`Desk`]: the root's half of the debugger. It puts what the [`Lock`] says into effect.
//!
//! It runs on the runtime's threads and never waits: the terminal belongs to a thread of its own,
//! which may hang in it.

// What it asks of a terminal.
mod front;
// Giving the terminal to a native debugger.
mod lending;
// What it tells of who has it, to people and to the journal.
mod noted;
mod status;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tractor_core::services::Responder;
use tractor_core::timer::{self, Timer};
use tractor_core::{journal, logging};
use tractor_ipc::{ActorId, codec};

use crate::lock::{Action, Event, Lease, Lock, Refusal, RequestId, State as LockState};
use crate::message::{Answer, Ask};
use crate::planted::planted;
use crate::terminal::{Read, Settings, Terminal};

pub(crate) use self::front::{Front, Screen, Shown};
use self::noted::note;

/// What a prompt can ask of the tree, answered by the crate that owns its processes.
pub trait Tree: Send + Sync + 'static {
    /// The actors, one a line, each below its parent: who it is, what its process does, and what
    /// `note` has to say of it.
    fn draw(&self, note: &dyn Fn(&ActorId) -> Option<String>) -> String;
    /// What the process of an actor does, such as "is stopped".
    fn look_at(&self, aid: &ActorId) -> Option<&'static str>;
    /// Ends all of it at once.
    fn kill(&self);
}

/// The root's half of the debugger: who has the terminal, and what is said there.
pub struct Desk {
    me: Weak<Self>,
    screen: Mutex<Screen>,
    tree: Box<dyn Tree>,
    begun: Instant,
    now: Now,
    state: Mutex<State>,
    /// Whether no breakpoint stops any more.
    skips: AtomicBool,
}

/// Tells the time since the desk was made.
pub(crate) type Now = Box<dyn Fn() -> Duration + Send + Sync>;

struct State {
    lock: Lock,
    wants: BTreeMap<RequestId, Want>,
    /// Who waits for the line that is being read, or for the end of a native debugger.
    read: Option<(Lease, Responder)>,
    /// How many reads were asked for, of all grants.
    reads: u64,
    /// What the lock has said and is not done. One thread at a time does it, in order.
    actions: VecDeque<Action>,
    acting: bool,
    tick: Option<Timer>,
}

/// A request, waiting or granted.
struct Want {
    why: String,
    since: Instant,
    /// Taken when it is granted.
    responder: Option<Responder>,
}

impl Desk {
    /// Makes it. The terminal is opened when somebody wants it; if there is none, every request is
    /// refused, and whoever asks prints a report instead.
    pub fn new(tree: impl Tree, settings: Settings) -> Arc<Self> {
        let begun = Instant::now();
        let now = Box::new(move || begun.elapsed());
        Self::with(Box::new(tree), Screen::new(settings), now)
    }

    /// Makes one with a screen and a clock of the caller's.
    pub(crate) fn with(tree: Box<dyn Tree>, screen: Screen, now: Now) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            screen: Mutex::new(screen),
            tree,
            begun: Instant::now(),
            now,
            state: Mutex::new(State {
                lock: Lock::new(),
                wants: BTreeMap::new(),
                read: None,
                reads: 0,
                actions: VecDeque::new(),
                acting: false,
                tick: None,
            }),
            skips: AtomicBool::new(false),
        })
    }

    /// An actor has ended: it wants nothing any more.
    pub fn actor_gone(&self, aid: &ActorId) {
        let held = match self.lock().lock.state() {
            LockState::Held { request, .. } if request.actor == *aid => Some(request.clone()),
            _ => None,
        };
        if let Some(request) = held {
            self.say_gone(&request);
        }
        if !planted!(LossReleasesNothing) {
            self.tell(Event::PeerLost(aid.clone()));
        }
        let mut state = self.lock();
        let theirs: Vec<_> = state
            .wants
            .keys()
            .filter(|it| it.actor == *aid)
            .cloned()
            .collect();
        let gone: Vec<_> = theirs
            .iter()
            .filter_map(|it| state.wants.remove(it))
            .collect();
        drop(state);
        drop(gone);
    }

    /// The tree is ending: who has the terminal finishes, who waits is refused unless shielded.
    pub fn closing(&self) {
        self.tell(Event::ClosingBegan);
    }

    /// Nobody is to be asked any more: prompts end at once.
    pub fn shut(&self) {
        self.tell(Event::Shut(Refusal::Closing));
    }

    /// Takes what this process and those below it print from now on to the terminal, if there is
    /// one, and the log of this process: both are shown above a prompt, in whole lines.
    pub fn take_output(&self) {
        let mut screen = self.screen();
        let terminal = match Terminal::open_with_output(screen.settings().clone()) {
            Ok(terminal) => Arc::new(terminal),
            Err(reason) => return log::debug!("output goes where it went: {reason}"),
        };
        screen.set_front(terminal.clone());
        drop(screen);
        let paced = terminal.clone();
        logging::divert(
            move |line| terminal.say(line.to_owned()),
            move || paced.pace(),
        );
    }

    /// Prompts end at once, and the terminal is as it was when this returns: everything that was
    /// printed is shown, and what is printed from now on goes there itself.
    ///
    /// While the user has stopped the output this waits; at most for `patience` after the last that
    /// was taken.
    pub fn close(&self, patience: Option<Duration>) {
        self.shut();
        let terminal = self.screen().shut();
        logging::restore();
        if let Some(terminal) = terminal {
            terminal.close(patience);
        }
    }

    /// This process is about to be stopped: when this returns the terminal is as the shell wants it,
    /// also in the middle of a line.
    pub fn suspend(&self) {
        let terminal = self.screen().front();
        if let Some(terminal) = terminal {
            terminal.suspend();
        }
    }

    /// This process goes on: a prompt is shown again, with the line that was being typed.
    pub fn go_on(&self) {
        let terminal = self.screen().front();
        if let Some(terminal) = terminal {
            terminal.go_on();
        }
    }

    /// SIGINT came. Tells whether it was for a prompt, so that it means nothing else.
    pub fn interrupted(&self) -> bool {
        let held = !matches!(self.lock().lock.state(), LockState::Free);
        if held && let Some(terminal) = self.opened() {
            terminal.interrupted();
        }
        held
    }

    /// Whether nobody has the terminal or waits for it.
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        matches!(state.lock.state(), LockState::Free) && state.lock.waiting().next().is_none()
    }

    /// Hands the lock an event, and does what it says.
    pub(crate) fn tell(&self, event: Event) {
        let mut state = self.lock();
        let mut actions = Vec::new();
        let now = (self.now)();
        journal::event(format_args!("lock: {event:?}"));
        state.lock.handle(event, now, &mut actions);
        note(&state.lock);
        state.actions.extend(actions);
        if std::mem::replace(&mut state.acting, true) {
            return;
        }
        while let Some(action) = state.actions.pop_front() {
            drop(state);
            self.act(action);
            state = self.lock();
        }
        state.acting = false;
    }

    fn act(&self, action: Action) {
        match action {
            Action::Grant { request, lease } => {
                let want = self
                    .lock()
                    .wants
                    .get_mut(&request)
                    .and_then(|it| it.responder.take());
                reply(want, &Answer::Granted(lease));
                self.watch_for_silence(lease);
            }
            Action::Refuse { request, refusal } => {
                let want = self.lock().wants.remove(&request);
                let responder = want.and_then(|it| it.responder);
                reply(responder, &Answer::Refused(refusal));
            }
            Action::Revoke { request, lease } => {
                log::info!("the terminal is taken from {}", request.actor);
                self.answer_read(lease, &Answer::Revoked);
            }
            Action::Reclaim(lease) => self.reclaim(lease),
            Action::Wake(at) => {
                let me = self.me.clone();
                let tick = timer::schedule(self.begun + at, move || {
                    if let Some(desk) = me.upgrade() {
                        desk.tell(Event::Tick);
                    }
                });
                let earlier = self.lock().tick.replace(tick);
                drop(earlier);
            }
        }
    }

    fn reclaim(&self, lease: Lease) {
        self.answer_read(lease, &Answer::Revoked);
        let me = self.me.clone();
        let reclaimed = move || {
            if let Some(desk) = me.upgrade() {
                desk.tell(Event::Reclaimed(lease));
            }
        };
        match self.opened() {
            Some(terminal) => terminal.reclaim(lease, Box::new(reclaimed)),
            None => reclaimed(),
        }
    }

    /// A request came over the tree.
    pub(crate) fn asked(&self, ask: Ask, responder: Responder) {
        match ask {
            Ask::Want { pauses: true, .. } if self.skips.load(Ordering::SeqCst) => {
                reply(Some(responder), &Answer::Skipped);
            }
            Ask::Want {
                request,
                shielded,
                why,
                ..
            } => {
                let want = Want {
                    why,
                    since: Instant::now(),
                    responder: Some(responder),
                };
                self.lock().wants.insert(request.clone(), want);
                if !self.open() {
                    self.tell(Event::Shut(Refusal::NoTerminal));
                }
                self.tell(Event::Requested { request, shielded });
            }
            Ask::Read {
                lease,
                text,
                prompt,
                words,
            } => {
                let shown = Shown {
                    text,
                    prompt,
                    words,
                };
                self.read(lease, shown, responder);
            }
            Ask::Native {
                lease,
                native,
                target,
            } => self.lend(lease, native, target, responder),
            Ask::Tree => reply(Some(responder), &Answer::Text(self.draw())),
            Ask::Queue => reply(Some(responder), &Answer::Text(self.queue())),
            Ask::Prefer { lease, place } => {
                let is_holder = self.lock().lock.admits(lease);
                let answer = if is_holder {
                    Answer::Text(self.prefer(place))
                } else {
                    Answer::Revoked
                };
                reply(Some(responder), &answer);
            }
            Ask::SkipAll => {
                self.skips.store(true, Ordering::SeqCst);
                let told = "No breakpoint of the tree stops any more; crashes do, and who waits.\n";
                reply(Some(responder), &Answer::Text(told.to_owned()));
            }
            Ask::Kill => {
                reply(Some(responder), &Answer::Revoked);
                self.shut();
                self.tree.kill();
            }
        }
    }

    /// A request is over, however it stood.
    pub(crate) fn released(&self, request: RequestId) {
        self.say_gone(&request);
        let want = self.lock().wants.remove(&request);
        drop(want);
        self.tell(Event::Released(request.clone()));
        self.tell(Event::HoldWithdrawn(request));
    }

    fn read(&self, lease: Lease, shown: Shown, responder: Responder) {
        let Some(terminal) = self.expect_answer(lease, responder) else {
            return;
        };
        self.lock().reads += 1;
        let me = self.me.clone();
        let done = move |read| {
            let Some(desk) = me.upgrade() else { return };
            let answer = match read {
                Read::Line(line) => {
                    desk.watch_for_silence(lease);
                    Answer::Line(line)
                }
                Read::EndOfInput => Answer::EndOfInput,
                // The next prompt has another editor.
                Read::EditorLost => Answer::Line(String::new()),
                Read::Revoked => Answer::Revoked,
            };
            desk.answer_read(lease, &answer);
        };
        terminal.read(lease, shown, Box::new(done));
    }

    /// The terminal, for what this grant has it do next, whose answer the responder waits for. If
    /// it is over, or there is none, that is the answer.
    fn expect_answer(&self, lease: Lease, responder: Responder) -> Option<Arc<dyn Front>> {
        let mut state = self.lock();
        let (true, Some(terminal)) = (state.lock.admits(lease), self.opened()) else {
            drop(state);
            reply(Some(responder), &Answer::Revoked);
            return None;
        };
        let earlier = state.read.replace((lease, responder));
        drop(state);
        drop(earlier);
        Some(terminal)
    }

    /// Gives whoever waits for something of this grant its answer, if that did not happen yet.
    fn answer_read(&self, lease: Lease, answer: &Answer) {
        let read = self.lock().read.take_if(|(of, _)| *of == lease);
        reply(read.map(|(_, responder)| responder), answer);
    }

    /// Opens the terminal for prompts, if that was not tried yet; tells whether there is one.
    fn open(&self) -> bool {
        self.screen().open()
    }

    /// The terminal, if prompts can be opened there.
    fn opened(&self) -> Option<Arc<dyn Front>> {
        self.screen().opened()
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock as it stands.
    #[cfg(feature = "__mutants")]
    pub(crate) fn seen(&self) -> Lock {
        self.lock().lock.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lock checks itself; what is beside it is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

fn reply(responder: Option<Responder>, answer: &Answer) {
    if let Some(responder) = responder {
        let payload = codec::encode(answer).expect("texts and numbers always encode");
        responder.answer(&payload);
    }
}
