//! Giving the terminal to a native debugger, and taking it back.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Owner, tell};
use crate::lock::Lease;
use crate::native::{Launch, Outcome};
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
}

impl AsFd for Lent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.loan.as_fd()
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
                self.lent = Some(Lent { loan, lease, done });
            }
            Err(error) => tell(|| done(Outcome::NotStarted(error.to_string()))),
        }
    }

    /// Notices its end.
    pub(super) fn look_after_loan(&mut self) {
        let outcome = self.lent.as_mut().and_then(|lent| lent.loan.outcome());
        if let Some(outcome) = outcome
            && let Some(lent) = self.lent.take()
        {
            self.take_back();
            tell(|| (lent.done)(outcome));
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
