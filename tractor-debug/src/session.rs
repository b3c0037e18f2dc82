//! [`converse`]: an actor's half of one prompt, from its request to its end.
//!
//! The actor asks for the terminal, and once it has it, again and again for a line, with the text
//! that the last one gave. All of it are requests to the root over the supervision links.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use futures::executor::block_on;
use tractor_core::services::ServiceId;
use tractor_core::{Actor, Error, current_actor, journal, scope};
use tractor_ipc::codec;

use crate::hand_over::{Return, Stack, hand_over};
use crate::lock::{Lease, Refusal, RequestId};
use crate::message::{Answer, Ask, Report};
use crate::planted::planted;
use crate::repl::{Repl, Step, World};
use crate::scene::{Scene, Why};
use crate::service::Voice;
use crate::this_actor::ThisActor;

/// What comes of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Whoever paused goes on.
    Continue,
    /// Whoever paused ends here.
    Quit,
}

/// How many prompts of this actor are open or waited for.
static OPEN: AtomicU32 = AtomicU32::new(0);

/// Opens a prompt, in its turn, and returns when it is over. Where there is none to be had, prints
/// what it would have shown. A native debugger, when one is asked for, looks at this `stack`.
///
/// Waiting for the terminal ends with a cancel unless it is `shielded`; the prompt itself is
/// shielded, and the root ends it when the actor is gone.
pub(crate) async fn converse(scene: Scene, stack: Stack, shielded: bool) -> Verdict {
    let entered = Entered::new();
    if scene.why == Why::Pause && entered.0 > 0 {
        log::warn!("a breakpoint is passed by: another task of this actor is at a prompt");
        return Verdict::Continue;
    }
    converse_for(Party::here(stack, entered), scene, shielded).await
}

/// As [`converse`], for whoever that is.
pub(crate) async fn converse_for(party: Party, scene: Scene, shielded: bool) -> Verdict {
    let mut repl = Repl::new(scene);
    let Ok(actor) = current_actor() else {
        print(&repl, "this process is not an actor");
        return Verdict::Continue;
    };
    let asked = async { Turn::take(actor, party, &repl, shielded).await };
    let turn = if shielded || planted!(CancelWaitsForTheTerminal) {
        scope::shield(asked)
            .await
            .unwrap_or_else(|_| Err(NoTurn::Cancelled))
    } else {
        asked.await
    };
    match turn {
        Ok(turn) => {
            repl = repl.coloured(has_colours());
            let prompt = turn.prompt(&mut repl);
            scope::shield(prompt).await.unwrap_or(Verdict::Continue)
        }
        Err(reason) => {
            print(&repl, &reason.to_string());
            Verdict::Continue
        }
    }
}

/// Whose prompt it is.
pub(crate) struct Party {
    pub(crate) voice: Voice,
    /// What can be asked of it.
    pub(crate) world: Box<dyn World + Send + Sync>,
    /// What a native debugger looks at.
    pub(crate) stack: Stack,
    /// Of a prompt of this actor's own.
    entered: Option<Entered>,
}

impl Party {
    fn here(stack: Stack, entered: Entered) -> Self {
        Self {
            voice: Voice::Here,
            world: Box::new(ThisActor),
            stack,
            entered: Some(entered),
        }
    }
}

impl Party {
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
        }
    }
}

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
enum NoTurn {
    #[error("no prompt: {0}")]
    Refused(Refusal),
    #[error("no prompt: {0}")]
    Lost(Error),
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
fn print(repl: &Repl, reason: &str) {
    // Where it cannot be written, on a full disk for one, nobody is told; the program goes on.
    let _ = writeln!(io::stderr(), "{}\n{reason}; going on", repl.opening());
}

/// Counts the prompts of this actor; holds how many there were before.
struct Entered(u32);

impl Entered {
    fn new() -> Self {
        Self(OPEN.fetch_add(1, Ordering::SeqCst))
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
    _entered: Option<Entered>,
}

/// A request that stands until this is dropped.
struct Claim {
    request: RequestId,
    voice: Voice,
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
        Self { request, voice }
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
        } = party;
        let claim = Claim::new(actor, voice);
        let want = Ask::Want {
            request: claim.request.clone(),
            shielded,
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
                    _entered: entered,
                })
            }
            Answer::Refused(refusal) => Err(NoTurn::Refused(refusal)),
            _ => Err(NoTurn::Cancelled),
        }
    }

    /// Shows the prompt until it is left.
    async fn prompt(self, repl: &mut Repl) -> Verdict {
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
                Step::Queue => self.told(&Ask::Queue).await,
                Step::Native(kind) => {
                    match hand_over(self.actor, self.lease, kind, repl.scene(), self.stack).await {
                        Return::Left(answer) => text_of(answer),
                        Return::Released(rest) => {
                            self.keep_until(rest);
                            return Verdict::Continue;
                        }
                    }
                }
            };
        }
    }

    /// What the root says about the tree.
    async fn told(&self, question: &Ask) -> String {
        text_of(ask(self.actor, question).await)
    }

    /// Keeps the terminal until this is over, while the task goes on.
    fn keep_until<T>(self, over: impl Future<Output = T> + Send + 'static) {
        let keeper = thread::Builder::new().name("tractor-prompt".to_owned());
        let kept = keeper.spawn(move || {
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
