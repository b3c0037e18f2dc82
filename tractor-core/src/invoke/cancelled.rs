//! A task that is cancelled: who drops it, and what it answers.

use std::sync::Arc;
use std::task::Wake;

use tractor_ipc::ActorId;

use super::RpcTask;
use super::phase::{Cancel, GivenBack};
use crate::crash;
use crate::error::Error;
use crate::io::{Job, engine};
use crate::scope::{CancelReason, Cancellation};
use crate::stream::inbound::Ended;

impl RpcTask {
    /// Cancels it. It is answered when it has been dropped.
    pub(crate) fn cancel(self: &Arc<Self>, reason: CancelReason, by: Option<ActorId>) {
        // Set before the state says so: whoever sees the state asks for the reason. The first
        // cancel is the one that counts.
        let _ = self.cancelled.set(Cancellation {
            by: by.clone(),
            reason,
        });
        let step = self.phase.cancel(self.scope.has_active_shield());
        if step == Cancel::Nothing {
            return;
        }
        self.break_off_dialog();
        self.scope.cancel_with(reason, by);
        match step {
            Cancel::Nothing => {}
            Cancel::Drop => self.drop_soon(),
            Cancel::Answer => self.send_answer(Err(self.cancelled_error()), false),
            // The shield may have been left meanwhile; the poll that follows will see.
            Cancel::Wake => self.wake_by_ref(),
        }
    }

    /// Has the leader drop it, for who holds it. If it entered a shield just before that,
    /// it is given back, and the poll that leaves the shield sees to it.
    fn drop_soon(self: &Arc<Self>) {
        if !self.scope.has_active_shield() {
            return engine().push(Job::Drop(self.clone()));
        }
        match self.phase.give_back() {
            GivenBack { woken: false, .. } => self.wake_by_ref(),
            GivenBack { moved: true, .. } => self.outer.wake(),
            GivenBack { moved: false, .. } => self.spawn(),
        }
    }

    /// Whoever called it is gone.
    pub(crate) fn cancel_for_lost_peer(self: &Arc<Self>) {
        self.cancel(CancelReason::PeerLost, self.link.peer().cloned());
    }

    /// Drops what it holds, as user code, and answers that it was cancelled. Only for who
    /// holds it.
    pub(crate) fn drop_body(self: &Arc<Self>) {
        self.end_dialog();
        self.discard();
        self.answer(Err(self.cancelled_error()), false);
        self.outer.wake();
    }

    /// It is cancelled: behind a shield it would wait for items of one who sends no more. The table
    /// is asked, whose lock orders this with the beginning of the dialog.
    pub(super) fn break_off_dialog(&self) {
        if let Some(dialog) = self.link.dialog(self.call) {
            let error = self.cancelled_error();
            dialog.end(&Ended::Badly(error.clone()), Some(&error));
        }
    }

    /// Whether it is cancelled and nothing shields it.
    pub(super) fn is_to_be_dropped(&self, cancelled: bool) -> bool {
        cancelled && !self.scope.has_active_shield()
    }

    /// What it answers when it is dropped: a failure that was being looked at stays one.
    pub(super) fn cancelled_error(&self) -> Error {
        if let Some(ending) = self.failed.get() {
            return self.error(ending.clone());
        }
        let cancellation = self.cancelled.get().cloned();
        self.error(crash::ending_of(cancellation.unwrap_or(Cancellation {
            by: None,
            reason: CancelReason::ScopeCancelled,
        })))
    }
}
