//! [`converse`]: an actor's half of one prompt, from its request to its end.
//!
//! The actor asks for the terminal, and once it has it, again and again for a line, with the text
//! that the last one gave. All of it are requests to the root over the supervision links.

use std::fmt::Arguments;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{AbortHandle, abortable};
use tractor_core::scope::{self, HeldShield};
use tractor_core::services::ServiceId;
use tractor_core::stall::AtPrompt;
use tractor_core::{Actor, CancelScope, Error, current_actor, journal, logging};
use tractor_ipc::codec;

use crate::attendance::{Attendant, attend};
use crate::hand_over::{Return, Stack, hand_over};
use crate::local;
use crate::lock::{Lease, Refusal, RequestId};
use crate::message::{Answer, Ask, Report};
use crate::options::{self, Guard, Reentry};
use crate::planted::planted;
use crate::repl::{Native, Repl, Skip, Step, World, show_place};
use crate::scene::{Scene, Why};
use crate::service::Voice;
use crate::skips;
use crate::this_actor::ThisActor;

/// What comes of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Whoever paused goes on.
    Continue,
    /// Whoever paused ends here.
    Quit,
    /// Whoever paused was not to.
    Refused,
}

/// How many prompts of this actor are open or waited for.
static OPEN: AtomicU32 = AtomicU32::new(0);

/// Opens a prompt, in its turn, and returns when it is over. Where there is none to be had, prints
/// what it would have shown. A native debugger, when one is asked for, looks at this `stack`.
///
/// Waiting for the terminal ends with a cancel unless it is `shielded`; the prompt itself is
/// shielded, and the root ends it when the actor is gone.
///
/// It happens on a thread of its own: another task may block the one that polls this, with a panic
/// that waits for its turn behind this prompt.
pub(crate) async fn converse(scene: Scene, stack: Stack, shielded: bool) -> Verdict {
    let entered = match Entered::by(&scene) {
        Ok(entered) => entered,
        Err(verdict) => return verdict,
    };
    let mut party = Party::here(stack, entered);
    let (attendant, asked) = Attendant::new();
    party.attendant = (stack == Stack::Polled).then_some(attendant);
    let ((tell, begun), (end, ended)) = (oneshot::channel(), oneshot::channel());
    let begin = Begin {
        scope: scope::current().filter(|_| !shielded),
        task: poll_fn(|cx| Poll::Ready(cx.waker().clone())).await,
        tell,
    };
    let (talk, abort) = abortable(async move {
        let verdict = talk(party, scene, shielded, Some(begin)).await;
        // Whoever waited for it is cancelled, if nobody does.
        let _ = end.send(verdict);
    });
    if let Err(error) = spawn(move || block_on(talk)) {
        log::error!("no prompt: {error}");
        return Verdict::Continue;
    }
    let _withdrawn = WithdrawnOnDrop(abort);
    let begun = if shielded || planted!(CancelWaitsForTheTerminal) {
        scope::shield(begun).await.unwrap_or(Ok(None))
    } else {
        begun.await
    };
    let verdict = scope::shield(attend(ended, asked)).await;
    drop(begun);
    verdict.unwrap_or(Verdict::Continue)
}

/// As [`converse`], and blocks this thread meanwhile.
pub(crate) fn converse_blocking(scene: Scene, stack: Stack, shielded: bool) -> Verdict {
    match Entered::by(&scene) {
        Ok(entered) => {
            let party = Party::here(stack, entered);
            block_on(talk(party, scene, shielded, None))
        }
        Err(verdict) => verdict,
    }
}

/// As [`converse_blocking`], for whoever that is.
pub(crate) fn converse_for(party: Party, scene: Scene) {
    block_on(talk(party, scene, true, None));
}

/// Begins a thread for a prompt.
pub(crate) fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let prompt = thread::Builder::new().name("tractor-prompt".to_owned());
    prompt.spawn(run)
}

/// Tells the task that waits for a conversation that it has its turn.
struct Begin {
    /// Where the task waits, if it is not shielded.
    scope: Option<CancelScope>,
    task: Waker,
    tell: oneshot::Sender<Option<HeldShield>>,
}

impl Begin {
    /// From here on no cancel ends what the task waits for, also before it is polled again; false
    /// if one came before.
    fn begin(self) -> bool {
        let shield = self.scope.map(|scope| scope.hold_shield(self.task));
        match shield {
            Some(None) => false,
            shield => self.tell.send(shield.flatten()).is_ok(),
        }
    }
}

/// Ends a conversation that nobody waits for any more.
struct WithdrawnOnDrop(AbortHandle);

impl Drop for WithdrawnOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The conversation. A task that waits for it is told when it has its turn.
async fn talk(party: Party, scene: Scene, shielded: bool, begin: Option<Begin>) -> Verdict {
    let mut repl = Repl::new(scene);
    let Ok(actor) = current_actor() else {
        return alone(repl);
    };
    let turn = Turn::take(actor, party, &repl, shielded).await;
    let begin = begin.filter(|_| turn.is_ok());
    if !begin.is_none_or(Begin::begin) {
        return Verdict::Continue;
    }
    match turn {
        Ok(turn) => {
            let Some(guard) = options::enter() else {
                return Verdict::Continue;
            };
            repl = repl.coloured(has_colours());
            turn.prompt(&mut repl, guard).await
        }
        Err(NoTurn::Skipped) => {
            skips::here(|skips| skips.add(Skip::Actor));
            Verdict::Continue
        }
        Err(reason) => {
            print(&repl, &reason.to_string());
            Verdict::Continue
        }
    }
}

/// Whose prompt it is.
pub(crate) struct Party {
    voice: Voice,
    /// What can be asked of it.
    world: Box<dyn World + Send + Sync>,
    /// What a native debugger looks at.
    stack: Stack,
    /// Of a prompt of this actor's own.
    entered: Option<Entered>,
    /// Who is inside the poll of what is paused, if that is not this conversation itself.
    attendant: Option<Attendant>,
}

impl Party {
    fn here(stack: Stack, entered: Entered) -> Self {
        Self {
            voice: Voice::Here,
            world: Box::new(ThisActor),
            stack,
            entered: Some(entered),
            attendant: None,
        }
    }

    /// A child, of which this actor speaks in its stead.
    pub(crate) fn for_child(
        voice: Voice,
        world: impl World + Send + Sync + 'static,
        stack: Stack,
    ) -> Self {
        Self {
            voice,
            world: Box::new(world),
            stack,
            entered: None,
            attendant: None,
        }
    }
}

/// The prompt of a process that is no actor.
fn alone(repl: Repl) -> Verdict {
    let Some(_guard) = options::enter() else {
        return Verdict::Continue;
    };
    let mut repl = repl.coloured(has_colours());
    local::converse(&mut repl).unwrap_or_else(|reason| {
        print(&repl.coloured(false), &format!("no prompt: {reason}"));
        Verdict::Continue
    })
}

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
enum NoTurn {
    #[error("no prompt: {0}")]
    Refused(Refusal),
    #[error("no prompt: {0}")]
    Lost(Error),
    #[error("no breakpoint is to stop")]
    Skipped,
    #[error("no prompt: the task is cancelled")]
    Cancelled,
}

/// Whether the user wants colours. The environment comes from the root, as the terminal does.
fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Why a prompt is wanted, in a few words.
fn summary(repl: &Repl) -> String {
    let scene = repl.scene();
    let why = match scene.why {
        Why::Pause => "a breakpoint",
        Why::Crash => "a crash",
    };
    match &scene.place {
        Some(place) => format!("{why} at {}", show_place(place)),
        None => why.to_owned(),
    }
}

/// The report in a prompt's stead.
fn print(repl: &Repl, reason: &str) {
    logging::print(&format!("{}\n{reason}; going on", repl.opening()));
}

/// Counts the prompts of this actor.
struct Entered;

impl Entered {
    /// Enters, unless it is a breakpoint that is to be passed by.
    fn by(scene: &Scene) -> Result<Self, Verdict> {
        let before = OPEN.fetch_add(1, Ordering::SeqCst);
        let entered = Self;
        if scene.why == Why::Crash || before == 0 {
            return Ok(entered);
        }
        match options::reentry() {
            Reentry::Queue => Ok(entered),
            Reentry::Refuse => Err(Verdict::Refused),
            Reentry::Pass => {
                log::warn!("a breakpoint is passed by: another task of this actor is at a prompt");
                Err(Verdict::Continue)
            }
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The terminal, for the time of one prompt. Dropped, also while it is waited for, it is given
/// back.
struct Turn {
    actor: &'static Actor,
    world: Box<dyn World + Send + Sync>,
    stack: Stack,
    claim: Claim,
    lease: Lease,
    attendant: Option<Attendant>,
    _entered: Option<Entered>,
}

/// A request that stands until this is dropped.
struct Claim {
    request: RequestId,
    voice: Voice,
    _at_prompt: AtPrompt,
}

impl Claim {
    fn new(actor: &Actor, voice: Voice) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let request = match &voice {
            Voice::Here => RequestId {
                actor: actor.aid().clone(),
                number,
            },
            // Its own numbers are small.
            Voice::Child(_, child) => RequestId {
                actor: child.clone(),
                number: u64::MAX - number,
            },
        };
        note(&request, format_args!("waits"));
        voice.report(&Report::Hold(request.clone()));
        Self {
            request,
            voice,
            _at_prompt: AtPrompt::new(),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        note(&self.request, format_args!(""));
        self.voice.report(&Report::Release(self.request.clone()));
    }
}

/// Notes in the journal how a request stands.
fn note(request: &RequestId, text: Arguments<'_>) {
    journal::state(format_args!("prompt {}", request.number), text);
}

impl Turn {
    async fn take(
        actor: &'static Actor,
        party: Party,
        repl: &Repl,
        shielded: bool,
    ) -> Result<Self, NoTurn> {
        let Party {
            voice,
            world,
            stack,
            entered,
            attendant,
        } = party;
        let claim = Claim::new(actor, voice);
        let want = Ask::Want {
            request: claim.request.clone(),
            shielded,
            pauses: repl.scene().why == Why::Pause,
            why: summary(repl),
        };
        match ask(actor, &want).await.map_err(NoTurn::Lost)? {
            Answer::Granted(lease) => {
                note(&claim.request, format_args!("has it, lease {}", lease.0));
                Ok(Self {
                    actor,
                    world,
                    stack,
                    claim,
                    lease,
                    attendant,
                    _entered: entered,
                })
            }
            Answer::Skipped => Err(NoTurn::Skipped),
            Answer::Refused(refusal) => Err(NoTurn::Refused(refusal)),
            _ => Err(NoTurn::Cancelled),
        }
    }

    /// Shows the prompt until it is left. The program's guard around it goes before the terminal is
    /// given back.
    async fn prompt(self, repl: &mut Repl, _guard: Option<Guard>) -> Verdict {
        let mut text = repl.opening() + "\n";
        loop {
            let read = Ask::Read {
                lease: self.lease,
                text,
                prompt: repl.prompt(),
                words: repl.words(),
            };
            let line = match ask(self.actor, &read).await {
                Ok(Answer::Line(line)) => line,
                // The end of input, or the terminal was taken away.
                Ok(_) => return Verdict::Continue,
                Err(error) => {
                    log::warn!("the prompt of {:?} is lost: {error}", self.claim.request);
                    return Verdict::Continue;
                }
            };
            text = match repl.run(&line, &*self.world) {
                Step::Show(text) if text.is_empty() => text,
                Step::Show(text) => text + "\n",
                Step::Continue => return Verdict::Continue,
                Step::Quit => return Verdict::Quit,
                Step::Kill => self.told(&Ask::Kill).await,
                Step::Tree => self.told(&Ask::Tree).await,
                Step::SkipAll => self.told(&Ask::SkipAll).await,
                Step::Queue => self.told(&Ask::Queue).await,
                Step::Prefer(place) => {
                    let lease = self.lease;
                    self.told(&Ask::Prefer { lease, place }).await
                }
                Step::Native(native) => match self.native(native, repl.scene()).await {
                    Return::Left(answer) => text_of(answer),
                    Return::Released(rest) => {
                        self.keep_until(rest);
                        return Verdict::Continue;
                    }
                },
            };
        }
    }

    /// What the root says about the tree.
    async fn told(&self, question: &Ask) -> String {
        text_of(ask(self.actor, question).await)
    }

    /// Has a native debugger look at what is paused.
    async fn native(&self, native: Native, scene: &Scene) -> Return {
        match &self.attendant {
            Some(attendant) => {
                attendant
                    .hand_over(self.actor, self.lease, native, scene)
                    .await
            }
            None => hand_over(self.actor, self.lease, native, scene, self.stack).await,
        }
    }

    /// Keeps the terminal until this is over, while the task goes on.
    fn keep_until<T>(self, over: impl Future<Output = T> + Send + 'static) {
        let kept = spawn(move || {
            block_on(over);
            drop(self);
        });
        if let Err(error) = kept {
            log::error!("the native debugger ends at once: {error}");
        }
    }
}

fn text_of(answer: Result<Answer, Error>) -> String {
    match answer {
        Ok(Answer::Text(text)) => text,
        Ok(_) => String::new(),
        Err(error) => format!("{error}\n"),
    }
}

/// Asks the root.
pub(crate) async fn ask(actor: &Actor, ask: &Ask) -> Result<Answer, Error> {
    let payload = codec::encode(ask).expect("texts and numbers always encode");
    let answer = actor
        .ask_root(ServiceId::DEBUG, "the terminal", &payload)
        .await?;
    codec::decode(&answer).map_err(|error| {
        let refusal = tractor_core::Refusal::BadResult(error.to_string());
        Error::new(actor.aid().clone(), tractor_core::Ending::Refused(refusal))
    })
}
