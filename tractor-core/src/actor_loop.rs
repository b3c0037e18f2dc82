//! What an actor does with a frame, whoever read it: the one place where kinds of frames get
//! their meaning.
//!
//! It never waits and runs no user code, so that it can be called by the leader and by a waiter
//! alike. A call is only prepared here.

use std::sync::Arc;

use tractor_ipc::{FROM_CALLEE, Frame, Kind};

use crate::actor::{self, current_actor};
use crate::calls::Reply;
use crate::dialog::Dialog;
use crate::ending::{Ending, Refusal};
use crate::exports;
use crate::invoke::RpcTask;
use crate::io::engine;
use crate::io::link::Link;
use crate::io::noted;
use crate::scope::CancelReason;
use crate::start::{self, Header};
use crate::stream::inbound::Pushed;
use crate::stream::{arrivals, tie};

/// Tasks that one peer may have running here. Each costs about a kilobyte, so that a peer which
/// starts them without end is told before it has taken the memory of the machine.
const TASKS_MAX: usize = 65_536;

/// What is left to do after a frame.
pub(crate) enum Next {
    /// Nothing.
    Done,
    /// Nothing, and a waiter was woken.
    Woke,
    /// A call has to be polled for the first time.
    Start(Arc<RpcTask>),
    /// The peer broke the rules in this way; the link is to be closed.
    Violation(String),
}

/// Handles one frame.
pub(crate) fn dispatch(link: &Arc<Link>, frame: Frame<'_>) -> Next {
    let Frame { kind, id, payload } = frame;
    noted::heard(link, kind, id);
    if !link.is_open() {
        return owned(link, kind, id, payload.as_slice());
    }
    match kind {
        Kind::Start => start(link, id, payload.as_slice()),
        Kind::Return => {
            let (ends, bytes) = (link.arrivals.take(id | FROM_CALLEE), payload.into_vec());
            let reply = match ends.is_empty() {
                true => Reply::Returned(bytes),
                false => Reply::ReturnedWith(bytes, ends),
            };
            fill(link, id, reply)
        }
        Kind::Fail => {
            // Ends that came for a result that was none.
            drop(link.arrivals.take(id | FROM_CALLEE));
            fill(link, id, Reply::Failed(payload.into_vec()))
        }
        Kind::Cancel => {
            let task = link.tasks().get(id).cloned();
            if let Some(task) = task {
                task.cancel(CancelReason::Asked, link.peer().cloned());
            }
            Next::Done
        }
        Kind::Started => in_dialog(link, id | FROM_CALLEE, |dialog| dialog.started(payload)),
        Kind::Items => in_dialog(link, id, |dialog| dialog.items(payload)),
        Kind::End => in_dialog(link, id, |dialog| dialog.ended()),
        Kind::Credit => in_dialog(link, id, |dialog| dialog.credit(payload.as_slice())),
        Kind::Ends => stated(arrivals::announced(link, id, payload.as_slice())),
        Kind::Attach => stated(tie::attached(link, id, payload.as_slice())),
        Kind::Meet => in_dialog(link, id, |dialog| dialog.meet(payload.as_slice())),
        Kind::Break => in_dialog(link, id, |dialog| dialog.broken(payload.as_slice())),
        Kind::Request => match current_actor() {
            Ok(actor) => verdict(actor.services.request(actor, link, id, payload.as_slice())),
            Err(error) => Next::Violation(error.to_string()),
        },
        Kind::Reply => fill(link, id, Reply::Returned(payload.into_vec())),
        Kind::Report => match current_actor() {
            Ok(actor) => verdict(actor.services.report(link, payload.as_slice())),
            Err(error) => Next::Violation(error.to_string()),
        },
        Kind::Ping => {
            // A pong has no payload that could be too long.
            let _ = link.send(Kind::Pong, id, &[]);
            Next::Done
        }
        Kind::Pong => {
            if !link.pong(id) {
                unasked(link, id);
            }
            Next::Woke
        }
        Kind::Hello
        | Kind::Proof
        | Kind::Welcome
        | Kind::Spec
        | Kind::Ready
        | Kind::Stop
        | Kind::Stopped => owned(link, kind, id, payload.as_slice()),
    }
}

fn owned(link: &Arc<Link>, kind: Kind, id: u64, payload: &[u8]) -> Next {
    verdict(link.owner().frame(link, kind, id, payload))
}

fn verdict(result: Result<(), String>) -> Next {
    match result {
        Ok(()) => Next::Done,
        Err(reason) => Next::Violation(reason),
    }
}

fn stated(result: Result<(), &'static str>) -> Next {
    verdict(result.map_err(str::to_owned))
}

/// Has a call's dialog handle a frame. What comes for one that is over is dropped: it crossed the
/// end on its way.
fn in_dialog(link: &Link, id: u64, handle: impl FnOnce(&Arc<Dialog>) -> Pushed) -> Next {
    match link.dialog(id).map(|dialog| handle(&dialog)) {
        Some(Pushed::Woke) => Next::Woke,
        Some(Pushed::Quiet | Pushed::Late) | None => Next::Done,
        Some(Pushed::Violation(reason)) => Next::Violation(reason.to_owned()),
    }
}

/// Completes a call. An answer that nobody waits for any more is dropped: its call was cancelled,
/// or there was none.
fn fill(link: &Link, id: u64, reply: Reply) -> Next {
    match link.leave_call(id) {
        Some(slot) if slot.fill(reply) => Next::Woke,
        Some(_) => Next::Done,
        None => {
            unasked(link, id);
            Next::Done
        }
    }
}

/// Counts an answer that nobody waits for, unless it may be a late one: a number that was given to
/// nothing yet was not asked for.
fn unasked(link: &Link, id: u64) {
    if !link.has_given(id) {
        engine().counts.ignored_frame();
    }
}

fn start(link: &Arc<Link>, id: u64, payload: &[u8]) -> Next {
    let Some((header, args)) = Header::split(payload) else {
        return Next::Violation("a start frame is shorter than its header".to_owned());
    };
    // If the call is refused, so are they.
    let ends = link.arrivals.take(id);
    let refused = |refusal, export| {
        let error = actor::local_error(Ending::Refused(refusal), export);
        // An encoded error is bounded far below a frame.
        let _ = link.send(Kind::Fail, id, &error.encode());
        Next::Done
    };
    let Some(export) = exports::by_index(header.export) else {
        let (number, caller) = (header.export, link.peer());
        log::debug!("a call of function number {number}, which is not here, from {caller:?}");
        return refused(Refusal::UnknownExport, None);
    };
    if start::signature(header.export) != Some(header.signature) {
        let ours = format!(
            "number {} with fingerprint {:x}",
            header.export, header.signature
        );
        let theirs = export.signature.to_owned();
        return refused(Refusal::OtherSignature { ours, theirs }, Some(export));
    }
    let Ok(actor) = current_actor() else {
        return refused(Refusal::NotAnActor, Some(export));
    };
    if !actor.may_call(header.export) {
        return refused(Refusal::NotExposed, Some(export));
    }
    if actor.cancel_remaining().is_some() {
        return refused(Refusal::Closing, Some(export));
    }
    if link.tasks().len() >= TASKS_MAX {
        return refused(Refusal::TooManyCalls, Some(export));
    }
    let target = (header.export, export);
    match RpcTask::enter(link, id, target, (args.to_vec(), ends), header.remaining) {
        Some(task) => {
            // The actor may have been cancelled since it was asked, and not have met this task.
            if let Some(cancellation) = actor.cancelled_since() {
                task.cancel(cancellation.reason, cancellation.by);
            }
            Next::Start(task)
        }
        // Its id is in use, and an answer would complete the other call; or nobody is there.
        None => Next::Done,
    }
}
