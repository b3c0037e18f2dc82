//! What the debugger asks of the crate that owns the processes: that nobody is killed who is at a
//! prompt, and to see and end the tree. And what it is told: who is gone, and that the tree ends.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use tractor_core::runtime_vars::{self, runtime_var};
use tractor_core::services::ServiceId;
use tractor_core::{Actor, CancelReason, Cancellation, Error, process, scope};
use tractor_debug::{DebugService, Desk, Fatal, Settings};
use tractor_ipc::ActorId;

use crate::tree::Tree;
use crate::{entry, nurseries, root};

/// What this actor does for the debugger.
struct Debugger {
    service: Arc<DebugService>,
    /// In the root.
    desk: Option<Arc<Desk>>,
}

static DEBUGGER: OnceLock<Debugger> = OnceLock::new();

/// Whether nobody is asked any more: then no prompt is a reason to let a child live.
static IS_SHUT: AtomicBool = AtomicBool::new(false);

/// Begins to serve the debugger, and arms this actor if it is to be in debug mode.
pub(crate) fn install(actor: &Actor, tree: &Arc<Tree>) {
    let is_root = actor.is_root();
    let desk = is_root.then(|| {
        let settings = Settings {
            tree: actor.identity().tree,
            arguments: entry::arguments().unwrap_or_default(),
            ..Settings::default()
        };
        Desk::new(WholeTree(tree.clone()), settings)
    });
    let service = DebugService::new(
        |child, count| {
            if !IS_SHUT.load(Ordering::SeqCst) {
                nurseries::holds_changed(child, count);
            }
        },
        desk.clone(),
    );
    actor.serve(ServiceId::DEBUG, service.clone());
    // An actor is installed once in a process.
    let _ = DEBUGGER.set(Debugger { service, desk });
    if let Ok(Some(true)) = runtime_var::<bool>(runtime_vars::DEBUG_MODE) {
        tractor_debug::arm();
    }
}

/// The link to a child is gone.
pub(crate) fn child_lost(child: &ActorId) {
    if let Some(debugger) = DEBUGGER.get() {
        debugger.service.child_lost(child);
    }
}

/// A child has got a fatal signal, of which it will die with this error.
pub(crate) fn child_struck(child: &ActorId, error: Error, fatal: Fatal) {
    match DEBUGGER.get() {
        Some(debugger) => debugger.service.serve_fatal(child, error, fatal),
        None => fatal.release(),
    }
}

/// An actor of the tree has ended and is reaped.
pub(crate) fn actor_gone(aid: &ActorId) {
    if let Some(desk) = desk() {
        desk.actor_gone(aid);
    }
}

/// This actor is being cancelled.
pub(crate) fn closing() {
    if let Some(desk) = desk() {
        desk.closing();
    }
}

/// Nobody is to be asked any more. Who has a prompt may be stopped, and would keep its hold for
/// ever: what the children hold counts no longer.
pub(crate) fn shut() {
    IS_SHUT.store(true, Ordering::SeqCst);
    if let Some(desk) = desk() {
        desk.shut();
    }
    nurseries::forget_holds();
}

/// The root runs, and nobody is below it yet. In debug mode the tree's output goes through its hands
/// from now on.
pub(crate) fn begin() {
    if tractor_debug::is_armed()
        && let Some(desk) = desk()
    {
        desk.take_output();
        // Of a program that exits without us.
        if let Err(error) = process::at_exit(|| close(Some(SHOWN_WITHIN))) {
            log::warn!("what is printed last may be lost: {error}");
        }
    }
}

/// How long a terminal may take nothing that is to show what the tree printed, when the process does
/// not return from its main.
pub(crate) const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// The root is about to return, or to end: the terminal is as it was when this does, and shows all
/// that was printed. If the user has stopped it, and for longer than `patience`, if there is a limit,
/// what is left is lost.
pub(crate) fn close(patience: Option<Duration>) {
    if let Some(desk) = desk() {
        desk.close(patience);
    }
}

/// The root is about to be stopped: the terminal is as the shell wants it when this returns.
pub(crate) fn suspend() {
    if let Some(desk) = desk() {
        desk.suspend();
    }
}

/// The root goes on: a prompt is shown again.
pub(crate) fn go_on() {
    if let Some(desk) = desk() {
        desk.go_on();
    }
}

/// Whether a SIGINT of the root was for a prompt.
pub(crate) fn interrupted() -> bool {
    desk().is_some_and(|desk| desk.interrupted())
}

/// Does `work` within a time that does not pass while somebody at or below this actor has the
/// terminal or waits for it; tells whether it was done.
pub(crate) async fn within(time: Duration, work: impl Future<Output = ()>) -> bool {
    let Some(Debugger { service, .. }) = DEBUGGER.get() else {
        return scope::timeout(time, work).await.is_ok();
    };
    let mut work = pin!(work);
    let mut left = time;
    loop {
        let released = pin!(service.until_held(false));
        if let Either::Left(_) = select(work.as_mut(), released).await {
            return true;
        }
        let begin = Instant::now();
        let held = pin!(service.until_held(true));
        match scope::timeout(left, select(work.as_mut(), held)).await {
            Ok(Either::Left(_)) => return true,
            Ok(Either::Right(_)) => left = left.saturating_sub(begin.elapsed()),
            Err(_) => return false,
        }
    }
}

fn desk() -> Option<&'static Arc<Desk>> {
    DEBUGGER.get()?.desk.as_ref()
}

/// The root's main: in debug mode its failure has a prompt before anything ends because of it.
pub(crate) async fn watched<T, E>(body: impl Future<Output = Result<T, E>>) -> Result<T, E>
where
    E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let result = body.await;
    if !tractor_debug::is_armed() {
        return result;
    }
    match result {
        Ok(value) => Ok(value),
        Err(error) => {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            tractor_debug::main_failed(&*error).await;
            // Of a type of its own it comes back as what was in it.
            Err(E::from(tractor_debug::described(&*error)))
        }
    }
}

/// The tree, as the prompt sees it.
struct WholeTree(Arc<Tree>);

impl tractor_debug::Tree for WholeTree {
    fn draw(&self, note: &dyn Fn(&ActorId) -> Option<String>) -> String {
        self.0.draw(note)
    }

    fn look_at(&self, aid: &ActorId) -> Option<&'static str> {
        self.0.look_at(aid)
    }

    fn kill(&self) {
        let cancellation = Cancellation {
            by: None,
            reason: CancelReason::Asked,
        };
        nurseries::kill_all(&cancellation);
        root::end_by_force(signal_hook::consts::SIGTERM);
    }
}
