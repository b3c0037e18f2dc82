//! The actor's half of giving the terminal to a native debugger: what it is to look at, and that
//! this is there to be seen.
//!
//! The stack of what is paused has to stand still while the debugger is there. That of plain code
//! does, and so does a panicking one. A paused task has none while it waits; but what reads its
//! lines runs inside its own poll, and stays in there until the debugger is left.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rustix::process::{PTracer, Pid, set_ptracer};
use tractor_core::{Actor, Error};

use crate::lock::Lease;
use crate::message::{Answer, Ask};
use crate::native::Target;
use crate::repl::NativeKind;
use crate::scene::Scene;
use crate::session::ask;

/// Where the stack of what is paused is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Above whatever polls the prompt.
    Polled,
    /// On this thread, which waits until the prompt is over.
    Parked(u32),
    /// Nowhere: what the prompt is about has ended.
    Gone,
}

impl Stack {
    /// That of the calling thread, which is about to wait.
    pub(crate) fn of_this_thread() -> Self {
        Self::Parked(this_thread())
    }
}

/// Has the root give the terminal to a native debugger, attached to the scene's process, and returns when
/// it is left, with what is to be shown then.
pub(crate) async fn hand_over(
    actor: &Actor,
    lease: Lease,
    kind: NativeKind,
    scene: &Scene,
    stack: Stack,
) -> Result<Answer, Error> {
    let thread = match stack {
        Stack::Polled => Some(this_thread()),
        Stack::Parked(thread) => Some(thread),
        Stack::Gone => None,
    };
    let place = scene.place.as_ref();
    let target = Target {
        pid: scene.pid,
        thread,
        place: place.map(|place| (place.file.clone(), place.line)),
    };
    let question = Ask::Native {
        lease,
        kind,
        target,
    };
    let _traceable = Traceable::by(actor.identity().root.pid);
    let answer = ask(actor, &question);
    match stack {
        Stack::Polled => block_in_poll(answer),
        Stack::Parked(_) | Stack::Gone => answer.await,
    }
}

fn this_thread() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
}

/// Waits without leaving the poll that this is called in. The runtime's own threads bring what it
/// waits for.
fn block_in_poll<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Lets the descendants of a process trace this one, as long as it lives, where the system asks
/// for that.
struct Traceable;

impl Traceable {
    fn by(root: u32) -> Self {
        if let Some(root) = root.try_into().ok().and_then(Pid::from_raw) {
            set(PTracer::ProcessID(root));
        }
        Self
    }
}

impl Drop for Traceable {
    fn drop(&mut self) {
        set(PTracer::None);
    }
}

fn set(tracer: PTracer) {
    // A system that knows nothing of it refuses no debugger for that.
    let _ = set_ptracer(tracer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_in_its_poll_until_it_is_woken() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let waiting = thread::spawn(|| block_in_poll(receiver));
        sender.send(7).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(7));
    }

    #[test]
    fn it_can_wait_inside_of_another_wait() {
        let outer = async { block_in_poll(async { 7 }) };
        assert_eq!(futures::executor::block_on(outer), 7);
    }
}
