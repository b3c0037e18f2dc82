//! [`Moved`]: a task that the executor polls from now on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::RpcTask;
use super::phase::{Claim, Rest};

/// A task that the executor polls from now on.
pub(super) struct Moved(pub(super) Arc<RpcTask>);

impl Future for Moved {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = &self.0;
        task.outer.register(cx.waker());
        let cancelled = match task.phase.claim() {
            Claim::Done => return Poll::Ready(()),
            // Who drops it wakes us when that is done.
            Claim::Busy => return Poll::Pending,
            Claim::Held { cancelled } => cancelled,
        };
        if task.is_to_be_dropped(cancelled) {
            task.drop_body();
            return Poll::Ready(());
        }
        if let Some(answer) = task.poll_moved() {
            task.answer(answer, false);
            return Poll::Ready(());
        }
        match task.phase.rest() {
            Rest::Resting => Poll::Pending,
            Rest::Blocking => Poll::Ready(()),
            Rest::StillHeld { cancelled } if task.is_to_be_dropped(cancelled) => {
                task.drop_body();
                Poll::Ready(())
            }
            Rest::StillHeld { .. } => {
                // Asked in the step that gives it back: a wake in between finds it held and
                // leaves it to us.
                if task.phase.give_back().woken {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}
