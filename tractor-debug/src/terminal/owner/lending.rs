//! Giving the terminal to a native debugger, and taking it back.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::process as sys;

use super::{Owner, tell};
use crate::lock::Lease;
use crate::native::{Launch, Outcome};
use crate::terminal::device::Device;
use crate::terminal::loan::Loan;

/// A native debugger that is asked for.
pub(in crate::terminal) struct PendingLoan {
    pub(in crate::terminal) lease: Lease,
    pub(in crate::terminal) text: String,
    pub(in crate::terminal) launch: Launch,
    pub(in crate::terminal) done: Box<dyn FnOnce(Outcome) + Send>,
}

/// A native debugger that has the terminal.
pub(super) struct Lent {
    loan: Loan,
    lease: Lease,
    done: Box<dyn FnOnce(Outcome) + Send>,
    /// Whether it was stopped, and the terminal taken from it for that.
    is_suspended: bool,
}

/// How often it is looked whether a native debugger is stopped, of which nothing tells.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

impl AsFd for Lent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.loan.as_fd()
    }
}

impl Lent {
    /// Ctrl-Z has stopped it alone. This process group is stopped as well, for whoever looks after
    /// that. When it goes on and has the foreground, or in a group that nobody looks after at once,
    /// the debugger goes on too.
    fn follow_stops(&mut self, device: &Device) {
        let is_stopped = self.loan.is_stopped();
        if !is_stopped {
            self.is_suspended = false;
        } else if !self.is_suspended {
            self.is_suspended = true;
            device.restore();
            stop_group();
        } else if device.give(self.loan.group()) {
            self.loan.go_on();
        }
    }
}

impl Owner {
    pub(super) fn lend(&mut self, pending: PendingLoan) {
        let PendingLoan {
            lease,
            text,
            launch,
            done,
        } = pending;
        if lease <= self.over || self.active.is_some() || self.lent.is_some() {
            return tell(|| done(Outcome::Revoked));
        }
        self.end_editor();
        self.device.put(text);
        self.device.restore();
        match Loan::start(&self.settings, &self.device, &launch) {
            Ok(loan) => {
                self.device.lend(Some(loan.group()));
                self.lent = Some(Lent {
                    loan,
                    lease,
                    done,
                    is_suspended: false,
                });
            }
            Err(error) => tell(|| done(Outcome::NotStarted(error.to_string()))),
        }
    }

    /// Notices its end, and Ctrl-Z.
    pub(super) fn look_after_loan(&mut self) {
        let outcome = self.lent.as_mut().and_then(|lent| lent.loan.outcome());
        if let Some(outcome) = outcome
            && let Some(lent) = self.lent.take()
        {
            self.take_back();
            tell(|| (lent.done)(outcome));
        }
        if let Some(lent) = &mut self.lent {
            lent.follow_stops(&self.device);
        }
    }

    /// Ends it if its lease is over.
    pub(super) fn revoke_loan(&mut self) {
        let over = self.over;
        if let Some(lent) = self.lent.take_if(|lent| lent.lease <= over) {
            lent.loan.end();
            self.device.put("\r\n");
            self.take_back();
            tell(|| (lent.done)(Outcome::Revoked));
        }
    }

    /// Whatever it has done to the terminal is undone.
    fn take_back(&mut self) {
        self.device.restore();
        self.device.discard_input();
        self.device.lend(None);
        self.show_unsaid();
    }
}

/// Stops this process group, as Ctrl-Z does at every other time.
fn stop_group() {
    if let Err(error) = sys::kill_current_process_group(sys::Signal::TSTP) {
        log::warn!("the processes of this terminal cannot be stopped: {error}");
    }
}
