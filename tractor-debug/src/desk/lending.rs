//! The root's half of giving the terminal to a native debugger.

use std::fs;
use std::io;

use tractor_core::services::Responder;

use super::{Desk, reply};
use crate::lock::Lease;
use crate::message::Answer;
use crate::native::{self, Facts, Outcome, Status, Target};
use crate::repl::Native;

impl Desk {
    /// Answers with what is to be shown when the debugger is left, or when there can be none.
    pub(super) fn lend(&self, lease: Lease, wanted: Native, target: Target, responder: Responder) {
        if let Some(reason) = facts_about(target.pid).certain() {
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
                how => Answer::Text(native::epilogue(
                    wanted.kind,
                    &target,
                    how,
                    &facts_about(target.pid),
                )),
            };
            desk.answer_read(lease, &answer);
        };
        terminal.lend(lease, greeting, launch, Box::new(done));
    }
}

/// What decides whether a child of ours may attach to this process.
fn facts_about(pid: u32) -> Facts {
    let status = |process: &str| {
        let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Status::parse(&text)
    };
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    Facts {
        debugger: status("self"),
        target: status(&pid.to_string()),
        is_hidden: is_refused(&fs::read_link(format!("/proc/{pid}/exe"))),
        scope: scope.and_then(|scope| scope.trim().parse().ok()),
    }
}

fn is_refused<T>(result: &io::Result<T>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
