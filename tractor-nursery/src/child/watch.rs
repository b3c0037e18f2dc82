//! What the runtime's threads tell a child of its process and of its link.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tractor_core::io::link::{Link, LinkOwner};
use tractor_core::io::{Source, Watch};
use tractor_core::{CancelReason, Cancellation, Contact, current_actor};
use tractor_ipc::{Address, CloseReason, Kind, codec};

use super::Child;
use crate::debugger;
use crate::ladder::Event;
use crate::spec::Ready;
use crate::tree::{Report, Tree};

/// Has the leader tell the child of its process's exit.
pub(crate) struct ExitWatch(pub(crate) Arc<Child>);

impl Source for ExitWatch {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.process.as_fd()
    }

    fn ready(self: Arc<Self>) -> Watch {
        self.0.exited();
        Watch::End
    }
}

/// Owns the link to a child. The child owns the link in turn, and is kept by its nursery.
pub(crate) struct ChildLink(pub(crate) Weak<Child>);

impl LinkOwner for ChildLink {
    fn frame(&self, _link: &Arc<Link>, kind: Kind, _id: u64, payload: &[u8]) -> Result<(), String> {
        let Some(child) = self.0.upgrade() else {
            return Ok(());
        };
        let misread = |error: tractor_ipc::DecodeError| error.to_string();
        match kind {
            Kind::Ready => {
                let Ready { address } = codec::decode(payload).map_err(misread)?;
                child.ready(address);
            }
            Kind::Stopped => {
                let stopped = codec::decode(payload).map_err(misread)?;
                child.lock().stopped = Some(stopped);
            }
            kind => return Err(format!("a child does not send {kind:?} frames")),
        }
        Ok(())
    }

    fn closed(&self, _link: &Arc<Link>, reason: &CloseReason) {
        let Some(child) = self.0.upgrade() else {
            return;
        };
        log::debug!("the link to {} ended: {reason}", child.aid);
        {
            let mut state = child.lock();
            if state.status.is_none() {
                state.link_lost = Some(reason.to_string());
            }
        }
        child.handle(Event::LinkClosed);
        debugger::child_lost(&child.aid);
        child.conclude();
    }

    fn will_cancel(&self, cancellation: &Cancellation) {
        if let Some(child) = self.0.upgrade() {
            child.will_cancel(cancellation);
        }
    }

    fn cancel(&self, cancellation: &Cancellation, remaining: Duration) {
        if let Some(child) = self.0.upgrade() {
            child.cancel(cancellation, remaining);
        }
    }

    fn is_cancelling(&self, cancellation: &Cancellation, remaining: Duration) {
        // One that was asked by us names its own share of the time, which is less than ours.
        if let Some(child) = self.0.upgrade().filter(|child| !child.was_cancelled()) {
            child.cancel(cancellation, remaining);
        }
    }
}

impl Child {
    fn ready(self: &Arc<Self>, address: Option<Address>) {
        let contact = Contact {
            aid: self.aid.clone(),
            pid: self.pid(),
            address,
        };
        let Ok(actor) = current_actor() else { return };
        let Some(ready) = self.lock().ready.take() else {
            return;
        };
        let parent = actor.aid().clone();
        Tree::report(
            actor,
            &Report::Ready {
                contact: contact.clone(),
                parent,
            },
        );
        if ready.send(Ok(contact)).is_err() {
            // Nobody has its portal, so nobody could ever use or cancel it.
            let reason = CancelReason::Dropped;
            self.cancel(&Cancellation { by: None, reason }, Duration::MAX);
        }
    }
}
