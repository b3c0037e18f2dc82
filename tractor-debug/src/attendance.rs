//! Standing still for a native debugger: the conversation of a paused task has a thread of its own,
//! and what such a debugger looks at is inside the poll of the task, which has to block for it.

use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use tractor_core::{Actor, scope};

use crate::hand_over::{Return, Stack, block_in_poll, hand_over};
use crate::lock::Lease;
use crate::message::Answer;
use crate::repl::Native;
use crate::scene::Scene;
use crate::session::Verdict;

/// How a conversation asks who is inside the poll of what is paused.
pub(crate) struct Attendant(mpsc::UnboundedSender<Attendance>);

impl Attendant {
    /// Makes one, and what [`attend`] hears it by.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Attendance>) {
        let (sender, receiver) = mpsc::unbounded();
        (Self(sender), receiver)
    }

    /// As [`hand_over()`], in the poll of the paused task.
    pub(crate) async fn hand_over(
        &self,
        actor: &'static Actor,
        lease: Lease,
        native: Native,
        scene: &Scene,
    ) -> Return {
        let ((begin, begun), (reply, replied)) = (oneshot::channel(), oneshot::channel());
        let attendance = Attendance {
            actor,
            lease,
            native,
            scene: scene.clone(),
            begin,
            reply,
        };
        // Who is gone does not begin.
        let _ = self.0.unbounded_send(attendance);
        match scope::timeout(ATTENDED_WITHIN, begun).await {
            Ok(Ok(())) => replied.await.unwrap_or_else(|_| told("The task is gone.")),
            Ok(Err(_)) => told("The task is gone."),
            Err(_) => told("The thread of the task is busy: there is no frame to be seen."),
        }
    }
}

/// Waits for the end of a conversation, inside the poll of the paused task, which is what native
/// debuggers look at.
pub(crate) async fn attend(
    mut ended: oneshot::Receiver<Verdict>,
    mut asked: mpsc::UnboundedReceiver<Attendance>,
) -> Verdict {
    loop {
        match select(ended, asked.next()).await {
            Either::Left((verdict, _)) => return verdict.unwrap_or(Verdict::Continue),
            Either::Right((None, ended)) => return ended.await.unwrap_or(Verdict::Continue),
            Either::Right((Some(attendance), rest)) => {
                ended = rest;
                if attendance.serve().await {
                    // A step has ended the pause: it is to end in this very poll.
                    let verdict = block_in_poll(&mut ended);
                    return verdict.unwrap_or(Verdict::Continue);
                }
            }
        }
    }
}

/// What is shown instead of a native debugger.
fn told(text: &str) -> Return {
    Return::Left(Ok(Answer::Text(format!("{text}\n"))))
}

/// The wish that a native debugger looks at a paused task, which its own poll has to fulfil.
pub(crate) struct Attendance {
    actor: &'static Actor,
    lease: Lease,
    native: Native,
    scene: Scene,
    begin: oneshot::Sender<()>,
    reply: oneshot::Sender<Return>,
}

impl Attendance {
    /// Stands still for it. Tells whether the pause is over.
    async fn serve(self) -> bool {
        if self.begin.send(()).is_err() {
            // It came too late.
            return false;
        }
        let (actor, lease) = (self.actor, self.lease);
        let back = hand_over(actor, lease, self.native, &self.scene, Stack::Polled).await;
        let is_over = matches!(back, Return::Released(_));
        // Who asked waits for it.
        let _ = self.reply.send(back);
        is_over
    }
}

/// For how long a paused task is waited for that has to stand still in its own poll.
const ATTENDED_WITHIN: Duration = Duration::from_secs(2);
