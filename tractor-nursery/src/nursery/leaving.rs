//! Leaving a nursery: what is waited for when its block has ended, what is raised, and what becomes
//! of the children if nobody waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tractor_core::{CancelReason, Cancellation, Ending, Error, scope, timer};

use super::{Inner, OnExit, State};
use crate::nurseries;
use crate::options::DAEMON_NOTICE_AFTER;

/// Leaves the children of a nursery whose future is over, or was dropped, to the actor.
pub(super) struct HandOver(pub(super) Arc<Inner>);

impl Inner {
    /// The block has ended: waits for the children, or cancels them.
    pub(super) async fn leave(&self, well: bool, on_exit: OnExit) {
        let by = Some(self.owner.clone());
        self.lock().is_left = true;
        if !well {
            let why = self.block.cancelled_by();
            let why = why.unwrap_or(Cancellation {
                by,
                reason: CancelReason::ScopeCancelled,
            });
            self.cancel(&why, Duration::MAX);
        } else {
            self.wait(|state| state.one_shots == 0 && state.starting == 0)
                .await;
            if on_exit == OnExit::CancelDaemons {
                self.cancel(
                    &Cancellation {
                        by,
                        reason: CancelReason::Asked,
                    },
                    Duration::MAX,
                );
            }
        }
        let notice = self.notice_of_daemons();
        // Closed in the same step: a clone in another task must not start anything in between.
        self.wait(State::close_if_empty).await;
        drop(notice);
    }

    /// Says in the log, by and by, for which daemons the nursery waits.
    fn notice_of_daemons(&self) -> Option<timer::Timer> {
        if self.lock().cancelled.is_some() {
            return None;
        }
        let number = self.number;
        Some(timer::schedule(
            Instant::now() + DAEMON_NOTICE_AFTER,
            move || {
                let Some(inner) = nurseries::find(number) else {
                    return;
                };
                if inner.lock().cancelled.is_some() {
                    return;
                }
                let waiting = inner.statistics().children;
                let names: Vec<_> = waiting.iter().map(|child| child.aid.to_string()).collect();
                log::warn!(
                    "the nursery's block ended {DAEMON_NOTICE_AFTER:?} ago, and it waits for {}: \
                 nobody has cancelled them (`Portal::cancel_actor`, `Nursery::cancel` or \
                 `OnExit::CancelDaemons` does)",
                    names.join(", "),
                );
            },
        ))
    }

    /// What the nursery returns.
    pub(super) fn verdict<T, E>(
        &self,
        block: Result<Result<T, E>, scope::Cancelled>,
    ) -> Result<T, E>
    where
        E: From<Error> + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (failures, interrupted) = {
            let mut state = self.lock();
            (
                std::mem::take(&mut state.failures),
                state.interrupted.take(),
            )
        };
        let raise = |errors: Vec<Error>| Err(E::from(Error::several(&self.owner, errors)));
        let cancelled = |Cancellation { by, reason }| {
            raise(vec![Error::new(
                self.owner.clone(),
                Ending::Cancelled { by, reason },
            )])
        };
        match block {
            Ok(Ok(value)) if failures.is_empty() => match interrupted {
                None => Ok(value),
                Some(cancellation) => cancelled(cancellation),
            },
            Ok(Ok(_)) => raise(failures),
            Ok(Err(error)) if failures.is_empty() => Err(error),
            Ok(Err(error)) => {
                let first = Error::of_block(&self.owner, "the nursery's block", error.into());
                // That it has heard how the children were cancelled for a failure adds nothing.
                let first = Some(first).filter(|first| !first.is_of_cancel());
                raise(first.into_iter().chain(failures).collect())
            }
            Err(_) if !failures.is_empty() => raise(failures),
            Err(block) => cancelled(block.into_cancellation()),
        }
    }
}

impl Drop for HandOver {
    fn drop(&mut self) {
        let empty = {
            let mut state = self.0.lock();
            state.closed = true;
            state.is_empty()
        };
        if !empty {
            let by = Some(self.0.owner.clone());
            let cancellation = Cancellation {
                by,
                reason: CancelReason::Dropped,
            };
            self.0.cancel(&cancellation, Duration::MAX);
        }
        self.0.forget_if_over();
    }
}
