//! [`converse`]: an actor's half of one prompt, from its request to its end.
//!
//! The actor asks for the terminal, and once it has it, again and again for a line, with the text
//! that the last one gave. All of it are requests to the root over the supervision links.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{AbortHandle, abortable};
use tractor_core::services::ServiceId;
use tractor_core::{Actor, Error, current_actor, scope};
use tractor_ipc::codec;

use crate::local;
use crate::lock::{Lease, Refusal, RequestId};
use crate::message::{Answer, Ask, Report};
use crate::options::{self, Reentry};
use crate::repl::{Repl, Skip, Step};
use crate::scene::{Scene, Why};
use crate::service::report;
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
/// what it would have shown.
///
/// Waiting for the terminal ends with a cancel unless it is `shielded`; the prompt itself is
/// shielded, and the root ends it when the actor is gone.
///
/// All of it happens on a thread of its own: another task may block the one that polls this, with
/// a panic that waits for its turn behind this prompt.
pub(crate) async fn converse(scene: Scene, shielded: bool) -> Verdict {
    let entered = match Entered::by(&scene) {
        Ok(entered) => entered,
        Err(verdict) => return verdict,
    };
    let ((begin, begun), (end, ended)) = (oneshot::channel(), oneshot::channel());
    let (talk, abort) = abortable(async move {
        let verdict = talk(scene, shielded, begin).await;
        drop(entered);
        // Whoever waited for it is cancelled, if nobody does.
        let _ = end.send(verdict);
    });
    let thread = thread::Builder::new().name("tractor-prompt".to_owned());
    if let Err(error) = thread.spawn(move || block_on(talk)) {
        log::error!("no prompt: {error}");
        return Verdict::Continue;
    }
    let _withdrawn = WithdrawnOnDrop(abort);
    if shielded {
        let _ = scope::shield(begun).await;
    } else {
        let _ = begun.await;
    }
    let verdict = scope::shield(ended).await;
    verdict
        .ok()
        .and_then(Result::ok)
        .unwrap_or(Verdict::Continue)
}

/// As [`converse`], and blocks this thread meanwhile.
pub(crate) fn converse_blocking(scene: Scene, shielded: bool) -> Verdict {
    match Entered::by(&scene) {
        Ok(_entered) => block_on(talk(scene, shielded, oneshot::channel().0)),
        Err(verdict) => verdict,
    }
}

/// Ends a conversation that nobody waits for any more.
struct WithdrawnOnDrop(AbortHandle);

impl Drop for WithdrawnOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The conversation. `begin` is dropped when it has its turn, or has none.
async fn talk(scene: Scene, shielded: bool, begin: oneshot::Sender<()>) -> Verdict {
    let mut repl = Repl::new(scene);
    let Ok(actor) = current_actor() else {
        return alone(repl);
    };
    let turn = Turn::take(actor, &repl, shielded).await;
    drop(begin);
    match turn {
        Ok(turn) => {
            let Some(_guard) = options::enter() else {
                return Verdict::Continue;
            };
            repl = repl.coloured(has_colours());
            turn.prompt(&mut repl).await
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
        Some(place) => format!("{why} at {}:{}", place.file, place.line),
        None => why.to_owned(),
    }
}

/// The report in a prompt's stead.
#[expect(
    clippy::print_stderr,
    reason = "without a terminal this is where a prompt's text goes"
)]
fn print(repl: &Repl, reason: &str) {
    eprintln!("{}\n{reason}; going on", repl.opening());
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
    claim: Claim,
    lease: Lease,
}

/// A request that stands until this is dropped.
struct Claim(RequestId);

impl Claim {
    fn new(actor: &Actor) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let request = RequestId {
            actor: actor.aid().clone(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        };
        report(&Report::Hold(request.clone()));
        Self(request)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        report(&Report::Release(self.0.clone()));
    }
}

impl Turn {
    async fn take(actor: &'static Actor, repl: &Repl, shielded: bool) -> Result<Self, NoTurn> {
        let claim = Claim::new(actor);
        let want = Ask::Want {
            request: claim.0.clone(),
            shielded,
            pauses: repl.scene().why == Why::Pause,
            why: summary(repl),
        };
        match ask(actor, &want).await.map_err(NoTurn::Lost)? {
            Answer::Granted(lease) => Ok(Self {
                actor,
                claim,
                lease,
            }),
            Answer::Skipped => Err(NoTurn::Skipped),
            Answer::Refused(refusal) => Err(NoTurn::Refused(refusal)),
            _ => Err(NoTurn::Cancelled),
        }
    }

    /// Shows the prompt until it is left.
    async fn prompt(&self, repl: &mut Repl) -> Verdict {
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
                    log::warn!("the prompt of {:?} is lost: {error}", self.claim.0);
                    return Verdict::Continue;
                }
            };
            text = match repl.run(&line, &ThisActor) {
                Step::Show(text) if text.is_empty() => text,
                Step::Show(text) => text + "\n",
                Step::Continue => return Verdict::Continue,
                Step::Quit => return Verdict::Quit,
                Step::Kill => self.told(&Ask::Kill).await,
                Step::Tree => self.told(&Ask::Tree).await,
                Step::SkipAll => self.told(&Ask::SkipAll).await,
                Step::Queue => self.told(&Ask::Queue).await,
                Step::Native(_) => "there is no native debugger at this prompt yet\n".to_owned(),
            };
        }
    }

    /// What the root says about the tree.
    async fn told(&self, question: &Ask) -> String {
        match ask(self.actor, question).await {
            Ok(Answer::Text(text)) => text,
            Ok(_) => String::new(),
            Err(error) => format!("{error}\n"),
        }
    }
}

async fn ask(actor: &Actor, ask: &Ask) -> Result<Answer, Error> {
    let payload = codec::encode(ask).expect("texts and numbers always encode");
    let answer = actor
        .ask_root(ServiceId::DEBUG, "the terminal", &payload)
        .await?;
    codec::decode(&answer).map_err(|error| {
        let refusal = tractor_core::Refusal::BadResult(error.to_string());
        Error::new(actor.aid().clone(), tractor_core::Ending::Refused(refusal))
    })
}
