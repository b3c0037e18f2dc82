//! The root's half of giving the terminal to a native debugger.

use tractor_core::services::Responder;

use super::{Desk, reply};
use crate::lock::Lease;
use crate::message::Answer;
use crate::native::{self, Outcome, Target};
use crate::os;
use crate::repl::Native;

impl Desk {
    /// Answers with what is to be shown when the debugger is left, or when there can be none.
    pub(super) fn lend(&self, lease: Lease, wanted: Native, target: Target, responder: Responder) {
        if let Some(reason) = os::certain_refusal(target.pid) {
            let text = format!(
                "No debugger can attach to process {}: {reason}.\n",
                target.pid
            );
            return reply(Some(responder), &Answer::Text(text));
        }
        let Some(terminal) = self.expect_answer(lease, responder) else {
            return;
        };
        let launch = native::launch(&wanted, &target);
        let greeting = native::greeting(wanted.kind, &target);
        let me = self.me.clone();
        let done = move |outcome: Outcome| {
            let Some(desk) = me.upgrade() else { return };
            let answer = match &outcome {
                Outcome::Revoked => Answer::Revoked,
                how => Answer::Text(native::epilogue(wanted.kind, &target, how, || {
                    os::refusal(target.pid)
                })),
            };
            desk.answer_read(lease, &answer);
        };
        terminal.lend(lease, greeting, launch, Box::new(done));
    }
}
