//! [`Desk`]: the root's half of the debugger. It puts what the [`Lock`] says into effect.
//!
//! It runs on the runtime's threads and never waits: the terminal belongs to a thread of its own,
//! which may hang in it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use tractor_core::services::Responder;
use tractor_core::timer::{self, Timer};
use tractor_ipc::{ActorId, codec};

use crate::lock::{Action, Event, Lease, Lock, Phase, Refusal, RequestId, State as LockState};
use crate::message::{Answer, Ask};
use crate::terminal::{Read, Settings, Terminal};

/// What a prompt can ask of the tree, answered by the crate that owns its processes.
pub trait Tree: Send + Sync + 'static {
    /// The actors, one a line, each below its parent.
    fn draw(&self) -> String;
    /// Ends all of it at once.
    fn kill(&self);
}

/// The root's half of the debugger: who has the terminal, and what is said there.
pub struct Desk {
    me: Weak<Self>,
    screen: Mutex<Screen>,
    tree: Box<dyn Tree>,
    begun: Instant,
    state: Mutex<State>,
    /// Whether no breakpoint stops any more.
    skips: AtomicBool,
}

/// The terminal, which is not touched before somebody wants it.
enum Screen {
    Closed(Settings),
    Open(Arc<Terminal>),
    Missing,
}

struct State {
    lock: Lock,
    wants: BTreeMap<RequestId, Want>,
    /// Who waits for the line that is being read.
    read: Option<(Lease, Responder)>,
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
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            screen: Mutex::new(Screen::Closed(settings)),
            tree: Box::new(tree),
            begun: Instant::now(),
            state: Mutex::new(State {
                lock: Lock::new(),
                wants: BTreeMap::new(),
                read: None,
                actions: VecDeque::new(),
                acting: false,
                tick: None,
            }),
            skips: AtomicBool::new(false),
        })
    }

    /// An actor has ended: it wants nothing any more.
    pub fn actor_gone(&self, aid: &ActorId) {
        let held = matches!(
            self.lock().lock.state(),
            LockState::Held { request, .. } if request.actor == *aid
        );
        if held && let Some(terminal) = self.opened() {
            terminal.say(format!("{aid} is gone, and its prompt with it"));
        }
        self.tell(Event::PeerLost(aid.clone()));
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

    /// Prompts end at once, and the terminal is as it was when this returns.
    pub fn close(&self) {
        self.shut();
        let screen = std::mem::replace(&mut *self.screen(), Screen::Missing);
        drop(screen);
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
        let now = self.begun.elapsed();
        state.lock.handle(event, now, &mut actions);
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
            }
            Action::Refuse { request, refusal } => {
                let want = self.lock().wants.remove(&request);
                let responder = want.and_then(|it| it.responder);
                reply(responder, &Answer::Refused(refusal));
            }
            Action::Revoke { request, lease } => {
                log::info!("the terminal is taken from {}", request.actor);
                self.end_read(lease);
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
        self.end_read(lease);
        let me = self.me.clone();
        let reclaimed = move || {
            if let Some(desk) = me.upgrade() {
                desk.tell(Event::Reclaimed(lease));
            }
        };
        match self.opened() {
            Some(terminal) => terminal.reclaim(lease, reclaimed),
            None => reclaimed(),
        }
    }

    /// Whoever waits for a line of this grant gets none.
    fn end_read(&self, lease: Lease) {
        let read = self.lock().read.take_if(|(of, _)| *of == lease);
        reply(read.map(|(_, responder)| responder), &Answer::Revoked);
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
            } => self.read(lease, text, prompt, words, responder),
            Ask::Tree => reply(Some(responder), &Answer::Text(self.tree.draw())),
            Ask::Queue => reply(Some(responder), &Answer::Text(self.queue())),
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
        let want = self.lock().wants.remove(&request);
        drop(want);
        self.tell(Event::Released(request.clone()));
        self.tell(Event::HoldWithdrawn(request));
    }

    fn read(
        &self,
        lease: Lease,
        text: String,
        prompt: String,
        words: Vec<String>,
        responder: Responder,
    ) {
        let mut state = self.lock();
        let (true, Some(terminal)) = (state.lock.admits(lease), self.opened()) else {
            drop(state);
            return reply(Some(responder), &Answer::Revoked);
        };
        let earlier = state.read.replace((lease, responder));
        drop(state);
        drop(earlier);
        let me = self.me.clone();
        terminal.read(lease, text, prompt, words, move |read| {
            let Some(desk) = me.upgrade() else { return };
            let waiting = desk.lock().read.take_if(|(of, _)| *of == lease);
            let answer = match read {
                Read::Line(line) => Answer::Line(line),
                Read::EndOfInput => Answer::EndOfInput,
                // The next prompt has another editor.
                Read::EditorLost => Answer::Line(String::new()),
                Read::Revoked => Answer::Revoked,
            };
            reply(waiting.map(|(_, responder)| responder), &answer);
        });
    }

    /// Opens the terminal, if that was not tried yet; tells whether there is one.
    fn open(&self) -> bool {
        let mut screen = self.screen();
        if let Screen::Closed(settings) = &*screen {
            *screen = match Terminal::open(settings.clone()) {
                Ok(terminal) => Screen::Open(Arc::new(terminal)),
                Err(reason) => {
                    log::warn!("no prompts: {reason}");
                    Screen::Missing
                }
            };
        }
        matches!(*screen, Screen::Open(_))
    }

    fn opened(&self) -> Option<Arc<Terminal>> {
        match &*self.screen() {
            Screen::Open(terminal) => Some(terminal.clone()),
            Screen::Closed(_) | Screen::Missing => None,
        }
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> String {
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
        for request in state.lock.waiting() {
            line("waits: ", request, &mut text);
        }
        if state.lock.phase() != Phase::Open {
            text.push_str("the tree is ending: nobody else is let in unless shielded\n");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lock checks itself; what is beside it is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

fn reply(responder: Option<Responder>, answer: &Answer) {
    if let Some(responder) = responder {
        let payload = codec::encode(answer).expect("texts and numbers always encode");
        responder.answer(&payload);
    }
}
