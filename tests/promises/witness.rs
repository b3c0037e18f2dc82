//! What happened in this actor, for those who wait for it: tests wait for events, not for times.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Notes that something happened in this actor.
pub(crate) fn note(event: impl Into<String>) {
    let wakers = {
        let mut seen = seen();
        seen.events.push(event.into());
        std::mem::take(&mut seen.wakers)
    };
    wakers.into_iter().for_each(Waker::wake);
}

/// Notes, in the actor that it is sent to, that something happened: opens a gate there.
#[tractor::rpc]
pub(crate) async fn tell(event: &str) {
    note(event);
}

/// Waits until it happened in the actor that it is sent to.
#[tractor::rpc]
pub(crate) async fn wait_for(event: &str) {
    wait_until(event, 1).await;
}

/// Waits until it happened so often in the actor that it is sent to.
#[tractor::rpc]
pub(crate) async fn wait_for_times(event: &str, times: usize) {
    wait_until(event, times).await;
}

async fn wait_until(event: &str, times: usize) {
    poll_fn(|cx| {
        let mut seen = seen();
        if seen.events.iter().filter(|other| *other == event).count() >= times {
            return Poll::Ready(());
        }
        seen.wakers.push(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// Everything that happened in the actor that it is sent to.
#[tractor::rpc]
pub(crate) async fn events() -> Vec<String> {
    seen().events.clone()
}

/// Notes `NAME begins`, waits for ever, and notes `NAME dropped` when it is dropped.
#[tractor::rpc]
pub(crate) async fn hold(name: &str) {
    let _dropped = NoteDrop(format!("{name} dropped"));
    note(format!("{name} begins"));
    std::future::pending::<()>().await;
}

/// Notes an event when it is dropped.
pub(crate) struct NoteDrop(pub(crate) String);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        note(std::mem::take(&mut self.0));
    }
}

struct Seen {
    events: Vec<String>,
    wakers: Vec<Waker>,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    events: Vec::new(),
    wakers: Vec::new(),
});

fn seen() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}
