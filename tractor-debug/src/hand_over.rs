//! The actor's half of giving the terminal to a native debugger: what it is to look at, and that
//! this is there to be seen.
//!
//! The stack of what is paused has to stand still while the debugger is there. A panicking one
//! does. A task has none while it waits; but what reads its lines runs inside its own poll, and
//! stays in there until the debugger is left, or tells it to go on. The debugger does that when
//! it is to make a step: it cannot send a message, since all of this process stands still for it,
//! but it can write into a pipe of it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures::future::BoxFuture;
use tractor_core::{Actor, Error};

use crate::lock::Lease;
use crate::message::{Answer, Ask};
use crate::native::{Gate, Target};
use crate::os;
use crate::repl::Native;
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
        Self::Parked(os::this_thread())
    }
}

/// What the root says when a native debugger is left.
type Left = Result<Answer, Error>;

/// How a task comes back from a native debugger.
pub(crate) enum Return {
    /// It is left: the prompt is shown again.
    Left(Left),
    /// The task goes on below it, and until this is over.
    Released(BoxFuture<'static, Left>),
}

/// Has the root give the terminal to a native debugger, attached to the scene's process.
pub(crate) async fn hand_over(
    actor: &'static Actor,
    lease: Lease,
    native: Native,
    scene: &Scene,
    stack: Stack,
) -> Return {
    let target = |thread, gate| Target {
        pid: scene.pid,
        thread,
        place: scene.place.as_ref().map(|it| (it.file.clone(), it.line)),
        gate,
    };
    let (thread, gate) = match stack {
        Stack::Polled => match Pipe::new() {
            Ok(pipe) => {
                let target = target(Some(os::this_thread()), Some(pipe.gate()));
                return wait_in_poll(asked(actor, lease, native, target), pipe);
            }
            Err(error) => {
                let text = format!("{error}: nothing can stand still for a debugger\n");
                return Return::Left(Ok(Answer::Text(text)));
            }
        },
        Stack::Parked(thread) => (Some(thread), None),
        Stack::Gone => (None, None),
    };
    Return::Left(asked(actor, lease, native, target(thread, gate)).await)
}

/// Asks the root for it. Meanwhile its descendants may trace this process.
fn asked(
    actor: &'static Actor,
    lease: Lease,
    native: Native,
    target: Target,
) -> BoxFuture<'static, Left> {
    Box::pin(async move {
        let _traceable = Traceable::by(actor.identity().root.pid);
        let question = Ask::Native {
            lease,
            native,
            target,
        };
        ask(actor, &question).await
    })
}

/// Waits without leaving the poll that this is called in. The runtime's own threads bring what it
/// waits for, and who has opened the pipe by its name can end it.
fn wait_in_poll(mut answer: BoxFuture<'static, Left>, pipe: Pipe) -> Return {
    let pipe = Arc::new(pipe);
    let waker = Waker::from(pipe.clone());
    let mut bytes = [0; 64];
    loop {
        if let Poll::Ready(left) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Return::Left(left);
        }
        match (&pipe.reader).read(&mut bytes) {
            Ok(length) if bytes[..length].iter().any(|byte| *byte != WOKEN) => {
                return Return::Released(answer);
            }
            _ => {}
        }
    }
}

/// Waits without leaving the poll that this is called in, for what another thread does soon.
pub(crate) fn block_in_poll<T>(mut future: impl Future<Output = T> + Unpin) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
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

/// Both ends are there as long as anybody could write.
struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer })
    }

    /// It, for a debugger.
    fn gate(&self) -> Gate {
        Gate(os::fd_path(std::process::id(), self.writer.as_raw_fd()))
    }
}

impl Wake for Pipe {
    fn wake(self: Arc<Self>) {
        // It cannot fail: both ends are here.
        let _ = (&self.writer).write(&[WOKEN]);
    }
}

/// What a waker writes.
const WOKEN: u8 = 0;

/// Lets the descendants of a process trace this one, as long as it lives, where the system asks
/// for that.
struct Traceable;

impl Traceable {
    fn by(root: u32) -> Self {
        os::allow_tracing(Some(root));
        Self
    }
}

impl Drop for Traceable {
    fn drop(&mut self) {
        os::allow_tracing(None);
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;

    /// Waits for an answer on a thread of its own.
    fn waiting() -> (
        oneshot::Sender<Answer>,
        PipeWriter,
        thread::JoinHandle<Return>,
    ) {
        let (sender, receiver) = oneshot::channel();
        let answer = Box::pin(async { Ok(receiver.await.unwrap()) });
        let pipe = Pipe::new().unwrap();
        let gate = pipe.writer.try_clone().unwrap();
        let waiting = thread::spawn(|| wait_in_poll(answer, pipe));
        (sender, gate, waiting)
    }

    #[test]
    fn a_thread_waits_in_its_poll_until_it_is_answered() {
        let (sender, _gate, waiting) = waiting();
        sender.send(Answer::EndOfInput).unwrap();
        let returned = waiting.join().unwrap();
        assert!(matches!(returned, Return::Left(Ok(Answer::EndOfInput))));
    }

    #[test]
    fn a_released_thread_leaves_the_answer_to_somebody_else() {
        let (sender, mut gate, waiting) = waiting();
        gate.write_all(b"r").unwrap();
        let Return::Released(rest) = waiting.join().unwrap() else {
            panic!("it was not answered");
        };
        sender.send(Answer::EndOfInput).unwrap();
        let left = futures::executor::block_on(rest);
        assert_eq!(left.unwrap(), Answer::EndOfInput);
    }

    #[test]
    fn it_can_wait_inside_of_another_wait() {
        let outer = async {
            let answer = Box::pin(async { Ok(Answer::EndOfInput) });
            wait_in_poll(answer, Pipe::new().unwrap())
        };
        let returned = futures::executor::block_on(outer);
        assert!(matches!(returned, Return::Left(Ok(Answer::EndOfInput))));
    }
}
