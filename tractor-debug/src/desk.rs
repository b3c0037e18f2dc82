//! [`Desk`]: the root's half of the debugger. It puts what the [`Lock`] says into effect.
//!
//! It runs on the runtime's threads and never waits: the terminal belongs to a thread of its own,
//! which may hang in it.

// Giving the terminal to a native debugger.
mod lending;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tractor_core::services::Responder;
use tractor_core::timer::{self, Timer};
use tractor_core::{journal, logging};
use tractor_ipc::{ActorId, codec};

use crate::lock::{Action, Event, Lease, Lock, Phase, Refusal, RequestId, State as LockState};
use crate::message::{Answer, Ask};
use crate::planted::planted;
use crate::terminal::{Read, Settings, Terminal};

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
    state: Mutex<State>,
}

/// The terminal, and who has it.
struct Screen {
    settings: Settings,
    terminal: Option<Arc<Terminal>>,
    claim: Claim,
}

/// Whether prompts can be opened. It is not tried before somebody wants one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Untried,
    Ours,
    Refused,
}

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
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            screen: Mutex::new(Screen {
                settings,
                terminal: None,
                claim: Claim::Untried,
            }),
            tree: Box::new(tree),
            begun: Instant::now(),
            state: Mutex::new(State {
                lock: Lock::new(),
                wants: BTreeMap::new(),
                read: None,
                reads: 0,
                actions: VecDeque::new(),
                acting: false,
                tick: None,
            }),
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
        let terminal = match Terminal::open_with_output(screen.settings.clone()) {
            Ok(terminal) => Arc::new(terminal),
            Err(reason) => return log::debug!("output goes where it went: {reason}"),
        };
        screen.terminal = Some(terminal.clone());
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
        let mut screen = self.screen();
        screen.claim = Claim::Refused;
        let terminal = screen.terminal.clone();
        drop(screen);
        logging::restore();
        if let Some(terminal) = terminal {
            terminal.close(patience);
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
        let now = self.begun.elapsed();
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
            Some(terminal) => terminal.reclaim(lease, reclaimed),
            None => reclaimed(),
        }
    }

    /// A request came over the tree.
    pub(crate) fn asked(&self, ask: Ask, responder: Responder) {
        match ask {
            Ask::Want {
                request,
                shielded,
                why,
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
            Ask::Native {
                lease,
                kind,
                target,
            } => self.lend(lease, kind, target, responder),
            Ask::Tree => reply(Some(responder), &Answer::Text(self.draw())),
            Ask::Queue => reply(Some(responder), &Answer::Text(self.queue())),
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

    /// Says that the holder is gone, if a line is being read for this request: nobody else ends a
    /// prompt but by a line.
    fn say_gone(&self, gone: &RequestId) {
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

    fn read(
        &self,
        lease: Lease,
        text: String,
        prompt: String,
        words: Vec<String>,
        responder: Responder,
    ) {
        let Some(terminal) = self.expect_answer(lease, responder) else {
            return;
        };
        self.lock().reads += 1;
        let me = self.me.clone();
        terminal.read(lease, text, prompt, words, move |read| {
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
        });
    }

    /// The terminal, for what this grant has it do next, whose answer the responder waits for. If
    /// it is over, or there is none, that is the answer.
    fn expect_answer(&self, lease: Lease, responder: Responder) -> Option<Arc<Terminal>> {
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
        let mut screen = self.screen();
        if screen.claim == Claim::Untried {
            let claimed = match &screen.terminal {
                Some(terminal) => terminal.claim(),
                None => Terminal::open(screen.settings.clone())
                    .map(|terminal| screen.terminal = Some(Arc::new(terminal))),
            };
            screen.claim = match claimed {
                Ok(()) => Claim::Ours,
                Err(reason) => {
                    log::warn!("no prompts: {reason}");
                    Claim::Refused
                }
            };
        }
        screen.claim == Claim::Ours
    }

    /// The terminal, if prompts can be opened there.
    fn opened(&self) -> Option<Arc<Terminal>> {
        let screen = self.screen();
        let terminal = screen.terminal.as_ref();
        terminal.filter(|_| screen.claim == Claim::Ours).cloned()
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree, with who has the terminal and who waits for it.
    fn draw(&self) -> String {
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
    fn watch_for_silence(&self, lease: Lease) {
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

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// Notes in the journal who has the terminal, and who waits for it.
fn note(lock: &Lock) {
    match lock.state() {
        LockState::Free => journal::over(format_args!("terminal")),
        LockState::Held { request, lease } => {
            let (actor, number, lease) = (&request.actor, request.number, lease.0);
            let text = format_args!("{actor:?} has it, by its request {number}, lease {lease}");
            journal::state(format_args!("terminal"), text);
        }
        LockState::Reclaiming { .. } => {
            journal::state(format_args!("terminal"), format_args!("is being restored"));
        }
    }
    journal::state(format_args!("queue"), format_args!("{}", Queue(lock)));
}

/// Who waits, in a line.
struct Queue<'a>(&'a Lock);

impl fmt::Display for Queue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, request) in self.0.waiting().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{:?} {}", request.actor, request.number)?;
        }
        Ok(())
    }
}

/// For how long who has the terminal may say nothing before it is named.
const SILENCE: Duration = Duration::from_secs(5);

fn reply(responder: Option<Responder>, answer: &Answer) {
    if let Some(responder) = responder {
        let payload = codec::encode(answer).expect("texts and numbers always encode");
        responder.answer(&payload);
    }
}
