//! The end of a child: its exit, its last words, and what is told of both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tractor_core::process::{ExitStatus, OutOfMemory, out_of_memory};
use tractor_core::timer::{self, Timer};
use tractor_core::{CancelReason, Cancellation, Ending, Error, current_actor};

use super::{Child, Role, State};
use crate::child_main::LINK_LOST;
use crate::ladder::Event;
use crate::place;
use crate::spec::Stopped;
use crate::tree::{Report, Tree};

impl Child {
    /// Waits for the process to exit by asking again and again, where it cannot be watched.
    pub(crate) fn poll_exit(self: Arc<Self>) {
        match self.process.peek_exited() {
            Ok(None) => Timer::forget(timer::schedule(Instant::now() + REAP_AGAIN, move || {
                self.poll_exit();
            })),
            Ok(Some(_)) | Err(_) => self.exited(),
        }
    }

    /// The process has exited.
    pub(super) fn exited(self: &Arc<Self>) {
        // Whatever it started in its group goes with it, while the group's number is its own:
        // once it is reaped the number may come to mean others.
        if let Err(error) = self.process.kill_group() {
            log::warn!("end the process group of {}: {error}", self.aid);
        }
        let out_of_memory = self.ask_for_memory();
        let status = self.process.try_reap().unwrap_or_else(|error| {
            log::error!("reap {}: {error}", self.aid);
            Some(ExitStatus::Lost)
        });
        let Some(status) = status else {
            // A debugger that traces it sees its end first, and leaves it to us when it is done.
            let child = self.clone();
            Timer::forget(timer::schedule(Instant::now() + REAP_AGAIN, move || {
                child.exited();
            }));
            return;
        };
        log::debug!("{} (pid {}) {status}", self.aid, self.pid());
        {
            let mut state = self.lock();
            state.status = Some(status);
            state.out_of_memory = out_of_memory;
        }
        self.handle(Event::Exited);
        match self.link.get() {
            // What it said last is read before its end is judged.
            Some(link) if !link.is_closed() => link.end_after_reading(),
            _ => self.conclude(),
        }
    }

    /// Whether the kernel has killed it for its memory, if nobody here has: known before it is reaped.
    fn ask_for_memory(&self) -> Option<OutOfMemory> {
        let status = self.process.peek_exited().ok().flatten();
        let is_killed = matches!(status, Some(ExitStatus::Signaled { signal: 9, .. }));
        (is_killed && !self.lock().signalled)
            .then(|| out_of_memory(self.pid()))
            .flatten()
    }

    /// Once it is both reaped and heard to the end: tells everybody.
    pub(super) fn conclude(self: &Arc<Self>) {
        let (in_order, outcome, ready, watcher) = {
            let mut state = self.lock();
            let Some(status) = state.status else { return };
            if self.link.get().is_some_and(|link| !link.is_closed()) {
                return;
            }
            if state.end.is_some() {
                return;
            }
            state.timer = None;
            let in_order = state.stopped.is_some();
            let outcome = self.outcome(&mut state, status);
            state.end = Some(outcome.error.clone());
            let (ready, watcher) = (state.ready.take(), state.watcher.take());
            (in_order, outcome, ready, watcher)
        };
        if let Some(address) = &self.address {
            place::remove_socket(address);
        }
        let was_ready = ready.is_none();
        if let Some(nursery) = self.nursery.upgrade()
            && was_ready
            && self.role != Role::Worker
            && let Err(error) = &outcome.result
        {
            // Before anybody hears of a lost call: the nursery's block is cancelled, not told.
            nursery.fail(error.clone());
        }
        if let Some(link) = self.link.get() {
            link.lose_calls(outcome.error.clone());
        }
        if let Some(watcher) = watcher {
            // Its pool may be over.
            let _ = watcher.send(outcome.error.clone());
        }
        if let Some(ready) = ready {
            // Whoever started it may have been dropped.
            let _ = ready.send(Err(outcome.error));
        }
        let Ok(actor) = current_actor() else { return };
        Tree::report(
            actor,
            &Report::Gone {
                aid: self.aid.clone(),
            },
        );
        let child = self.clone();
        let then = move || {
            if let Some(nursery) = child.nursery.upgrade() {
                nursery.child_gone(&child);
            }
        };
        self.tree
            .when_subtree_gone(actor, &self.aid, in_order, then);
    }

    fn outcome(&self, state: &mut State, status: ExitStatus) -> Outcome {
        let died = |ending: Ending| {
            let died = self.died(match state.ready {
                Some(_) => Ending::DiedBeforeReady {
                    status: Box::new(ending),
                },
                None => ending,
            });
            died.with_out_of_memory(state.out_of_memory)
        };
        match (state.stopped.take(), state.why.clone()) {
            (Some(Stopped::Failed(error)), _) => Outcome {
                result: Err(error.clone()),
                error,
            },
            // It was asked to end, by us or by somebody else, and did.
            (Some(Stopped::Cancelled | Stopped::Tested(_)), why) => Outcome {
                result: Ok(()),
                error: self.cancelled(why),
            },
            (None, Some(why)) if !is_its_own_end(status, state.signalled) => Outcome {
                result: Ok(()),
                error: self.cancelled(Some(why)),
            },
            // Nobody wanted it to end, or not like this: a cancel hides no crash.
            (None, _) => {
                let lost = loss_of_link(state.link_lost.take(), status, state.signalled);
                let lost = lost.filter(|_| state.ready.is_none());
                let error = died(match lost {
                    Some(reason) => Ending::LinkLost { reason },
                    None => ending_of(status),
                });
                Outcome {
                    result: Err(error.clone()),
                    error,
                }
            }
        }
    }

    /// The error of its death by a fatal signal that it is about to die of.
    pub(crate) fn struck(&self, signal: i32) -> Error {
        self.died(Ending::Signaled {
            signal,
            core_dumped: false,
        })
    }

    fn died(&self, ending: Ending) -> Error {
        let link = self.link.get();
        let calls = link.map(|link| link.calls_in_flight()).unwrap_or_default();
        let error = Error::new(self.aid.clone(), ending).with_pid(self.pid());
        let error = match &calls[..] {
            [call] => error.in_call(call.clone()),
            _ => error,
        };
        error.with_calls_in_flight(calls)
    }

    fn cancelled(&self, why: Option<Cancellation>) -> Error {
        let ending = match why {
            Some(Cancellation { by, reason }) => Ending::Cancelled { by, reason },
            None => Ending::Cancelled {
                by: None,
                reason: CancelReason::Asked,
            },
        };
        Error::new(self.aid.clone(), ending).with_pid(self.pid())
    }
}

/// How a child's end is told.
struct Outcome {
    /// To the nursery.
    result: Result<(), Error>,
    /// To those whose calls were lost with it.
    error: Error,
}

/// The ending of a process that nobody asked to end.
pub(crate) fn ending_of(status: ExitStatus) -> Ending {
    match status {
        ExitStatus::Exited(code) => Ending::Exited { code },
        ExitStatus::Signaled {
            signal,
            core_dumped,
        } => Ending::Signaled {
            signal,
            core_dumped,
        },
        ExitStatus::Lost => Ending::StatusLost,
    }
}

/// Whether a child that was cancelled, and did not say that it ended for that, ended by itself:
/// it died before it was sent a signal, or of another one.
fn is_its_own_end(status: ExitStatus, signalled: bool) -> bool {
    match status {
        ExitStatus::Exited(code) => code != 0 && !signalled,
        ExitStatus::Signaled { signal, .. } => !signalled || !LADDER_SIGNALS.contains(&signal),
        ExitStatus::Lost => false,
    }
}

/// Why the link was lost, if a child that nobody cancelled ended as one does for that: it left
/// because of it, or the ladder ended it. `seen` is what this end of the link knows.
fn loss_of_link(seen: Option<String>, status: ExitStatus, signalled: bool) -> Option<String> {
    match status {
        // It may have found the loss, and have left, before anything was seen at this end.
        ExitStatus::Exited(LINK_LOST) => {
            Some(seen.unwrap_or_else(|| "the child has lost its end of the link".to_owned()))
        }
        ExitStatus::Signaled { signal, .. } if signalled && LADDER_SIGNALS.contains(&signal) => {
            seen
        }
        _ => None,
    }
}

/// How long to wait before a process that ended and could not be reaped is looked at again.
const REAP_AGAIN: Duration = Duration::from_millis(10);
/// SIGKILL and SIGTERM.
const LADDER_SIGNALS: [i32; 2] = [9, 15];
