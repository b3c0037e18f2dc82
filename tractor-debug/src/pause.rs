//! How a prompt is asked for: by the code itself, and by what has failed.

use std::backtrace::Backtrace;
use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use tractor_core::crash::{self, CrashWatch, DebuggerQuit, Running};
use tractor_core::{Ending, Error, UserError, current_actor, logging};
use tractor_ipc::ActorId;

use crate::crash_handler::take_awaited;
use crate::fatal;
use crate::hand_over::Stack;
use crate::options;
use crate::repl::show_place;
use crate::scene::{Capture, Place, Scene, Why};
use crate::session::{Verdict, converse, converse_blocking, spawn};
use crate::skips;

/// Whether this actor is in debug mode.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Puts this actor in debug mode, for as long as it lives: breakpoints pause, and what fails has a
/// prompt before it goes on.
pub fn arm() {
    ARMED.store(true, Ordering::Relaxed);
    logging::keep(LOG_LINES_KEPT);
    watch();
}

/// Begins to look at crashes.
pub(crate) fn watch() {
    crash::watch(Arc::new(Watch));
}

/// Whether this actor is in debug mode.
#[inline]
pub fn is_armed() -> bool {
    ARMED.load(Ordering::Relaxed)
}

/// How much of the log is there for `log`.
const LOG_LINES_KEPT: usize = 1000;

/// A breakpoint is reached; tells whether it is to stop there.
#[doc(hidden)]
pub fn stops_at(file: &str, line: u32) -> bool {
    skips::here(|skips| !skips.passes(file, line))
}

/// Opens a prompt here. Without debug mode it does nothing.
///
/// The macro `breakpoint!` of the facade does the same, and shows values and the place.
///
/// # Cancellation
///
/// With `shield` the request outlasts a cancel of the task, and of the tree; without, a cancel
/// withdraws it. An open prompt is not cancelled either way.
///
/// It may never return: `q` at the prompt cancels the task, as does a cancel of a task that does
/// not shield its pause.
///
/// # Panics
///
/// With [`Reentry::Refuse`](crate::Reentry::Refuse), if another task of this actor is at a prompt.
#[track_caller]
pub fn pause(shield: bool) -> impl Future<Output = ()> + Send {
    let caller = std::panic::Location::caller();
    let stops = is_armed() && stops_at(caller.file(), caller.line());
    let scene = stops.then(|| {
        let place = Place {
            file: caller.file().to_owned(),
            line: caller.line(),
            module: String::new(),
            manifest_dir: None,
        };
        Box::new(scene_of(Some(place), Vec::new()))
    });
    paused(scene, shield)
}

/// Opens a prompt that shows an error, after it has happened. Without debug mode it does nothing.
///
/// # Cancellation
///
/// As [`pause`] without a shield.
pub async fn post_mortem(error: &(dyn StdError + Send + Sync + 'static)) {
    if is_armed() {
        post_mortem_at(error, Box::new(scene_of(None, Vec::new()))).await;
    }
}

/// What `pm!` expands to: the same at a place, with values.
#[doc(hidden)]
pub async fn post_mortem_at(error: &(dyn StdError + Send + Sync + 'static), scene: Box<Scene>) {
    let mut scene = *scene;
    scene.why = Why::Crash;
    scene.error = Some(described(error));
    converse(scene, Stack::Polled, false).await;
}

/// The scene of the task that runs on this thread, with the frames of the thread.
#[doc(hidden)]
pub fn scene_of(place: Option<Place>, captures: Vec<Capture>) -> Scene {
    Scene {
        backtrace: Some(Backtrace::force_capture().to_string()),
        ..bare_scene(place, captures)
    }
}

fn bare_scene(place: Option<Place>, captures: Vec<Capture>) -> Scene {
    Scene {
        actor: this_actor(),
        pid: std::process::id(),
        task: Running::here().name().map(ToOwned::to_owned),
        why: Why::Pause,
        place,
        captures,
        error: None,
        backtrace: None,
    }
}

/// This actor; of a process that is none, the name of the program.
pub(crate) fn this_actor() -> ActorId {
    let program = || {
        let path = std::env::args_os().next().unwrap_or_default();
        let name = Path::new(&path).file_name().unwrap_or_default();
        ActorId::new(name.to_string_lossy(), 0)
    };
    current_actor().map_or_else(|_| program(), |it| it.aid().clone())
}

/// A pause, if there is to be one: small and quickly done where there is none.
#[doc(hidden)]
#[must_use = "a breakpoint pauses when it is awaited"]
pub struct Paused(Option<BoxFuture<'static, ()>>);

impl Future for Paused {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            None => Poll::Ready(()),
            Some(pause) => pause.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Paused({})", self.0.is_some())
    }
}

/// What `breakpoint!` expands to: pauses if there is a scene.
#[doc(hidden)]
#[inline]
pub fn paused(scene: Option<Box<Scene>>, shield: bool) -> Paused {
    Paused(scene.map(|scene| pause_in(scene, shield).boxed()))
}

async fn pause_in(scene: Box<Scene>, shield: bool) {
    if !shield && is_cancelled() {
        log::warn!("no prompt at {}: the task is cancelled", where_is(&scene));
        // The cancel drops it here, as it would in any other wait.
        return std::future::pending().await;
    }
    let running = Running::here();
    match converse(*scene, Stack::Polled, shield).await {
        Verdict::Continue => {}
        Verdict::Refused => panic!("{REFUSED}"),
        Verdict::Quit => {
            running.quit();
            match tractor_core::scope::current() {
                // The cancel drops it here.
                Some(scope) if scope.is_cancelled() => std::future::pending().await,
                _ => log::warn!("what was quit is shielded: it ends when it leaves its shield"),
            }
        }
    }
}

/// Whether the scope of this task is cancelled, so that the next wait in it is its end.
fn is_cancelled() -> bool {
    tractor_core::scope::current().is_some_and(|scope| scope.is_cancelled())
}

fn where_is(scene: &Scene) -> String {
    let place = scene.place.as_ref();
    place.map_or_else(|| "a breakpoint".to_owned(), show_place)
}

/// What `breakpoint_sync!` expands to.
#[doc(hidden)]
pub fn paused_sync(scene: Option<Box<Scene>>) {
    let Some(scene) = scene else { return };
    match converse_blocking(*scene, Stack::Polled, false) {
        Verdict::Continue => {}
        Verdict::Refused => panic!("{REFUSED}"),
        Verdict::Quit => std::panic::resume_unwind(Box::new(DebuggerQuit)),
    }
}

/// What a breakpoint panics with that is refused.
const REFUSED: &str = "a breakpoint while another task of this actor is at a prompt";

/// The root's main has failed: a prompt before that is the end of the tree.
pub async fn main_failed(error: &(dyn StdError + Send + Sync + 'static)) {
    if !is_armed() {
        return;
    }
    let error = described(error);
    if options::wants(&error) && !crash::is_quit(&error) {
        converse(crashed(None, error), Stack::Gone, true).await;
    }
}

/// A crash that somebody was there to see.
pub(crate) fn see_crash(error: Error) {
    converse_blocking(crashed(None, error), Stack::Gone, true);
}

/// An error of any type as one of the tree's.
#[doc(hidden)]
pub fn described(error: &(dyn StdError + Send + Sync + 'static)) -> Error {
    if let Some(error) = error.downcast_ref::<Error>() {
        return error.clone();
    }
    let described = UserError::describe("an error", error);
    Error::new(this_actor(), Ending::Failed(Box::new(described)))
}

/// The scene of a task that has failed. The frames of this thread are the runtime's, long after.
fn crashed(task: Option<String>, error: Error) -> Scene {
    Scene {
        why: Why::Crash,
        task,
        error: Some(error),
        ..bare_scene(None, Vec::new())
    }
}

/// Opens prompts for what fails.
struct Watch;

impl CrashWatch for Watch {
    fn wants(&self, error: &Error) -> bool {
        is_armed() && options::wants(error)
    }

    fn failed(&self, task: String, error: Error) -> BoxFuture<'static, ()> {
        let scene = crashed(Some(task), error);
        async move {
            converse(scene, Stack::Gone, false).await;
        }
        .boxed()
    }

    fn panicking(&self, task: Option<String>, message: String, location: Option<String>) {
        let is_awaited = take_awaited();
        if !is_awaited && !is_armed() {
            return;
        }
        let mut scene = scene_of(location.as_deref().and_then(place), Vec::new());
        scene.why = Why::Crash;
        scene.task = task;
        let ending = Ending::Panicked { message, location };
        let error = Error::new(scene.actor.clone(), ending);
        scene.error = Some(error.clone());
        let stack = Stack::of_this_thread();
        // Off this thread: a panic of anything here would end the process.
        let look = move || {
            if is_awaited || options::wants(&error) {
                converse_blocking(scene, stack, true);
            }
        };
        match spawn(look) {
            // What became of it is told there.
            Ok(prompt) => drop(prompt.join()),
            Err(error) => log::error!("no prompt for a panic: {error}"),
        }
        fatal::panic_was_seen();
    }
}

/// The place in a panic's location, `file:line:column`.
fn place(location: &str) -> Option<Place> {
    let mut parts = location.rsplitn(3, ':');
    let _column = parts.next()?;
    let line = parts.next()?.parse().ok()?;
    let file = parts.next()?.to_owned();
    Some(Place {
        file,
        line,
        module: String::new(),
        manifest_dir: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_taken_apart_from_its_end() {
        let place = place("C:odd/src/main.rs:10:5").unwrap();
        assert_eq!((&*place.file, place.line), ("C:odd/src/main.rs", 10));
        assert_eq!(super::place("nowhere"), None);
    }
}
