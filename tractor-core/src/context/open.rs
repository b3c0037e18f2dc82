//! The caller's side: [`Portal::open_context`] and [`Portal::open_stream`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use pin_project_lite::pin_project;
use tractor_ipc::{ActorId, DecodeError, codec};

use super::conversation::{self, Conversation, Outcome};
use super::{ContextCall, StreamCall};
use crate::actor::{current_actor, misused};
use crate::call::Failure;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::exports::BoxedError;
use crate::portal::Portal;
use crate::scope::{self, CancelReason, CancelScope, Cancellation, Cancelled, Registration};
use crate::stream::{RecvStream, SendStream};
use crate::travel::Travel;

/// The caller's side of a context: `In` is what the function receives, so what this side sends,
/// `Out` what the function sends, and `T` what it returns.
pub struct OpenContext<In, Out, T> {
    conversation: Conversation,
    stream_opened: AtomicBool,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    types: std::marker::PhantomData<fn(In) -> Out>,
}

impl Portal {
    /// Opens a context: starts the function in the actor, waits until it has called `started`,
    /// then runs `body` with the first value beside it. It returns when both have ended.
    ///
    /// If the function ends badly, `body` is cancelled, which drops it where it waits, and the
    /// failure is returned. If `body` ends with an error, or is cancelled, the function is
    /// cancelled, and waited for. If `body` ends well, the function is waited for, whose result
    /// [`OpenContext::result`] gives; a stream that `body` has not opened is closed then.
    ///
    /// A function that was cancelled by this side has ended as it should: that is no failure. One
    /// that was cancelled by anybody else is, and says by whom. If another part of this actor
    /// cancelled it, by [`Portal::cancel_actor`] say, `body` is cancelled with it, but if it has
    /// ended well that is what counts.
    ///
    /// # Cancellation
    ///
    /// Inside a [`CancelScope`] it is shielded: a cancel of the scope drops `body`, cancels the
    /// function and waits for its end, for [`CANCEL_WITHIN`](crate::portal::CANCEL_WITHIN) at most.
    /// A deadline of the scope travels with the request. Dropping the future itself cancels the
    /// function, too, and waits for nothing.
    ///
    /// # Errors
    ///
    /// What `body` returned; how the function ended, as of any call; both as a group;
    /// [`Ending::Cancelled`] if a scope around it was cancelled; [`Misuse::NotStarted`] if the
    /// function returned without having started; [`Misuse::OwnActor`] if the portal leads here.
    pub async fn open_context<Started, In, Out, T, F, R, E, B>(
        &self,
        call: ContextCall<Started, In, Out, T, F>,
        body: B,
    ) -> Result<R, E>
    where
        Started: Travel,
        F: Failure,
        B: AsyncFnOnce(&OpenContext<In, Out, T>, Started) -> Result<R, E>,
        E: From<Error> + Into<BoxedError>,
    {
        let ContextCall {
            request, decode, ..
        } = call;
        let conversation = Conversation::begin(self, request).await?;
        let context = OpenContext {
            conversation,
            stream_opened: AtomicBool::new(false),
            decode,
            types: std::marker::PhantomData,
        };
        let conversation = &context.conversation;
        let outcome = conversation.outcome();
        let _outer = follow_outer_scope(outcome);
        let ended = async {
            let block = async {
                let first = conversation.first().await?;
                let started = codec::decode(&first).map_err(|error| bad_result(outcome, &error))?;
                body(&context, started).await
            };
            let block = Block {
                body: block,
                conversation,
                is_over: false,
            };
            let block = outcome.block.run(block).await;
            match block {
                Ok(Ok(_)) => context.close_unopened_stream(),
                _ => conversation.cancel_unless_over(),
            }
            (block, context.wait_or_cancel().await)
        };
        match CancelScope::new().shield(true).run(ended).await {
            Ok((block, far)) => verdict(outcome, block, far),
            Err(cancelled) => Err(E::from(cancelled_here(cancelled.into_cancellation())?)),
        }
    }

    /// Starts a function that returns a stream in the actor, and gives its items.
    ///
    /// Dropping the stream cancels the function.
    ///
    /// # Cancellation
    ///
    /// Cancel-relays: dropping the future cancels the function. A deadline of the scope travels
    /// with the request.
    ///
    /// # Errors
    ///
    /// As of any call, until the function runs; what happens later is an item of the stream.
    /// [`Misuse::OwnActor`] if the portal leads here.
    pub async fn open_stream<T: Travel>(
        &self,
        call: StreamCall<T>,
    ) -> Result<RecvStream<T>, Error> {
        let conversation = Conversation::begin(self, call.request()).await?;
        conversation.first().await?;
        let dialog = conversation.dialog.clone();
        Ok(RecvStream::new(dialog).owning(Box::new(conversation)))
    }
}

impl<In, Out, T> OpenContext<In, Out, T> {
    /// The actor that runs the function.
    pub fn callee(&self) -> &ActorId {
        self.outcome().callee()
    }

    /// Opens the context's stream, both ways at once: what is sent, and what is received. Each way
    /// is closed by dropping its end, or by [`SendStream::close`].
    ///
    /// # Errors
    ///
    /// [`Misuse::StreamOpenedTwice`]; [`Misuse::CancelledBefore`] after [`cancel`](Self::cancel).
    pub fn open_stream(&self) -> Result<(SendStream<In>, RecvStream<Out>), Error> {
        if self.outcome().is_cancel_called() {
            return Err(misused(Misuse::CancelledBefore));
        }
        if self.stream_opened.swap(true, Ordering::AcqRel) {
            return Err(misused(Misuse::StreamOpenedTwice));
        }
        let dialog = &self.conversation.dialog;
        Ok((
            SendStream::new(dialog.clone()),
            RecvStream::new(dialog.clone()),
        ))
    }

    /// Asks for the function to be cancelled, and nothing else: the block goes on. Returns at once;
    /// [`result`](Self::result) waits for the end. Its streams end as if it had ended well.
    pub fn cancel(&self) {
        self.conversation.cancel();
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancel_called(&self) -> bool {
        self.outcome().is_cancel_called()
    }

    /// Whether the function has ended, however.
    pub fn is_over(&self) -> bool {
        self.outcome().is_over()
    }

    /// Waits for the function's end and gives its result. It may be asked again.
    ///
    /// # Cancellation
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// How it ended, as of any call; also that it was cancelled by this side.
    pub async fn result(&self) -> Result<T, Error> {
        let bytes = self.outcome().wait().await?;
        (self.decode)(&bytes).map_err(|error| bad_result(self.outcome(), &error))
    }

    fn outcome(&self) -> &Arc<Outcome> {
        self.conversation.outcome()
    }

    /// Closes both ways of a stream that the block did not open, because nobody will: a function
    /// that reads, or sends more than its credit, would wait for ever, and this side for it.
    fn close_unopened_stream(&self) {
        if !self.stream_opened.swap(true, Ordering::AcqRel) && !self.is_over() {
            let dialog = &self.conversation.dialog;
            drop(SendStream::<In>::new(dialog.clone()));
            drop(RecvStream::<Out>::new(dialog.clone()));
        }
    }

    /// Waits for the function's end; a cancel of the block, which follows the scope around the
    /// context, cancels the function.
    async fn wait_or_cancel(&self) -> Far {
        use futures::future::{Either, select};
        let over = std::pin::pin!(self.outcome().wait());
        let cancelled = std::pin::pin!(self.outcome().block.cancelled());
        match select(over, cancelled).await {
            Either::Left((result, _)) => Far {
                result,
                cut_off: None,
            },
            Either::Right((cancellation, over)) => {
                let is_ours = !self.is_cancel_called();
                self.conversation.cancel();
                let result = over.await;
                let cut_off = is_ours && result.is_err();
                Far {
                    result,
                    cut_off: cut_off.then_some(cancellation),
                }
            }
        }
    }
}

/// How the function ended.
struct Far {
    result: Result<Vec<u8>, Error>,
    /// The cancel from around the context that ended it, if one did after the block.
    cut_off: Option<Cancellation>,
}

impl<In, Out, T> fmt::Debug for OpenContext<In, Out, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenContext({} in {})",
            self.outcome().export().path(),
            self.callee()
        )
    }
}

pin_project! {
    /// What runs as the caller's side. Dropped before its end, it cancels the function before its
    /// streams are dropped, and the first end that the function hears of counts: nobody may take a
    /// stream that breaks off for one that is done.
    struct Block<'a, F> {
        #[pin]
        body: F,
        conversation: &'a Conversation,
        is_over: bool,
    }

    impl<F> PinnedDrop for Block<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.is_over {
                this.conversation.cancel_unless_over();
            }
        }
    }
}

impl<F: Future> Future for Block<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(this.body.poll(cx));
        *this.is_over = true;
        Poll::Ready(output)
    }
}

/// Has a cancel of the scope around the context cancel its block.
fn follow_outer_scope(outcome: &Arc<Outcome>) -> Option<Registration> {
    let outer = scope::current()?;
    outcome.block.set_deadline(outer.deadline());
    let (outcome, asked) = (Arc::downgrade(outcome), outer.clone());
    Some(outer.on_cancel(move || {
        let Some(outcome) = outcome.upgrade() else {
            return;
        };
        let Cancellation { by, reason } = asked.cancelled_by().unwrap_or(Cancellation {
            by: None,
            reason: CancelReason::ScopeCancelled,
        });
        outcome.block.cancel_with(reason, by);
    }))
}

/// What a context returns.
fn verdict<R, E>(
    outcome: &Outcome,
    block: Result<Result<R, E>, Cancelled>,
    far: Far,
) -> Result<R, E>
where
    E: From<Error> + Into<BoxedError>,
{
    let Far { result, cut_off } = far;
    let far = result.err().filter(|error| !outcome.is_wanted(error));
    match (block, far) {
        (Ok(Ok(value)), None) => match cut_off {
            Some(cancellation) => Err(cancelled_here(cancellation)?.into()),
            None => Ok(value),
        },
        (Ok(block), None) => block,
        // Whoever in this actor cancelled the function's, the block has what it wanted.
        (Ok(Ok(value)), Some(far)) if conversation::is_cancelled_here(&far) => Ok(value),
        (Ok(Ok(_)), Some(far)) => Err(far.into()),
        // That the function was cancelled, or heard that nobody reads, says nothing beside what
        // the block says.
        (Ok(Err(error)), Some(far)) if is_effect_of_failure(&far) => Err(error),
        (Ok(Err(error)), Some(far)) => {
            let me = current_actor()?.aid();
            let error = Error::of_block(me, "the context's block", error.into());
            let error = Some(error).filter(|error| !error.is_of_cancel());
            let both = error.into_iter().chain([far]).collect();
            Err(Error::several(me, both).into())
        }
        (Err(_), Some(far)) => Err(far.into()),
        (Err(cancelled), None) => Err(cancelled_here(cancelled.into_cancellation())?.into()),
    }
}

fn is_effect_of_failure(far: &Error) -> bool {
    far.is_of_cancel() || conversation::is_of_stopped_stream(far)
}

fn cancelled_here(cancellation: Cancellation) -> Result<Error, Error> {
    let Cancellation { by, reason } = cancellation;
    let me = current_actor()?.aid().clone();
    Ok(Error::new(me, Ending::Cancelled { by, reason }))
}

fn bad_result(outcome: &Outcome, error: &DecodeError) -> Error {
    let refusal = Refusal::BadResult(error.to_string());
    Error::new(outcome.callee().clone(), Ending::Refused(refusal)).in_call(outcome.export().path())
}
