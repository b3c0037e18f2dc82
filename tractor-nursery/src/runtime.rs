//! What this process keeps as an actor of its tree, whether as the root or as a child.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use tractor_core::services::ServiceId;
use tractor_core::{Actor, Ending, Error, Refusal, current_actor};

use crate::debugger;
use crate::nurseries::{self, Nurseries};
use crate::options::Limits;
use crate::tree::{Tree, TreeService};

/// What this process keeps as an actor.
pub(crate) struct Runtime {
    pub(crate) tree: Arc<Tree>,
    pub(crate) limits: Limits,
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// What this process keeps as an actor.
pub(crate) fn runtime() -> Result<&'static Runtime, Error> {
    match RUNTIME.get() {
        Some(runtime) => Ok(runtime),
        // It is installed with the actor, so without it there is none, or only half of one.
        None => Err(current_actor().map_or_else(
            |error| error,
            |actor| Error::new(actor.aid().clone(), Ending::Refused(Refusal::NotAnActor)),
        )),
    }
}

/// Begins to keep it.
pub(crate) fn install(actor: &Actor, tree: Arc<Tree>, limits: Limits) {
    actor.serve(ServiceId::TREE, Arc::new(TreeService(tree.clone())));
    debugger::install(actor, &tree);
    actor.set_owner(Box::new(Nurseries));
    // An actor is installed once in a process.
    let _ = RUNTIME.set(Runtime { tree, limits });
}

/// Waits until every child of this actor is reaped, and everybody below.
pub(crate) async fn everybody_gone() {
    poll_fn(|cx| {
        if nurseries::all_over(cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    nobody_below().await;
}

/// Waits until every process below this actor is reaped, although its own code may go on.
pub(crate) async fn nobody_below() {
    let Ok(runtime) = runtime() else { return };
    poll_fn(|cx| {
        if runtime.tree.is_empty(cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// How many actors of the tree have died before anybody had told this one, the root, of them.
pub(crate) fn untold() -> usize {
    runtime().map_or(0, |runtime| runtime.tree.untold())
}

/// Waits until no call of others runs here any more, but those of plain functions, which cannot
/// be ended.
pub(crate) async fn tasks_ended() {
    if let Ok(actor) = current_actor() {
        actor.tasks_ended().await;
    }
}
