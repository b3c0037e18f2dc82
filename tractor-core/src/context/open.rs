//! The caller's side: [`Portal::open_context`] and [`Portal::open_stream`].

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tractor_ipc::{ActorId, DecodeError, codec};

use super::conversation::{Conversation, Outcome};
use super::linked::run_block;
use super::{ContextCall, StreamCall};
use crate::actor::misused;
use crate::call::Failure;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::exports::BoxedError;
use crate::portal::Portal;
use crate::scope::CancelScope;
use crate::stream::{RecvStream, SendStream};
use crate::travel::Travel;

/// The caller's side of a context: `In` is what the function receives, so what this side sends,
/// `Out` what the function sends, and `T` what it returns.
pub struct OpenContext<In, Out, T> {
    conversation: Conversation,
    stream_opened: AtomicBool,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    types: PhantomData<fn(In) -> Out>,
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
    /// A deadline of the scope travels with the request: the function is cancelled at it.
    /// Dropping the future itself cancels the function, too, and waits for nothing.
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
        let block = CancelScope::new();
        let context = OpenContext::begin(self, call, block.clone()).await?;
        let body = async {
            let started = context.first().await?;
            let value = body(&context, started).await?;
            context.close_unopened_stream();
            Ok(value)
        };
        run_block(&block, &[&context.conversation], body).await
    }

    /// Starts a function that returns a stream in the actor, and gives its items.
    ///
    /// Dropping the stream cancels the function.
    ///
    /// # Cancellation
    ///
    /// Cancel-relays: dropping the future cancels the function.
    ///
    /// A deadline of the scope travels with the request. So if this is awaited inside of
    /// [`timeout`](crate::scope::timeout) or [`move_on_after`](crate::scope::move_on_after), the
    /// function is cancelled at that deadline also when their block is left earlier and the stream
    /// is read outside: the stream then ends with an error, [`Ending::Cancelled`]. Open it outside,
    /// or read it inside.
    ///
    /// # Errors
    ///
    /// As of any call, until the function runs; what happens later is an item of the stream.
    /// [`Misuse::OwnActor`] if the portal leads here.
    pub async fn open_stream<T: Travel>(
        &self,
        call: StreamCall<T>,
    ) -> Result<RecvStream<T>, Error> {
        let conversation = Conversation::begin(self, call.request(), CancelScope::new()).await?;
        conversation.first().await?;
        let dialog = conversation.dialog.clone();
        Ok(RecvStream::new(dialog).owning(Box::new(conversation)))
    }
}

impl<In, Out, T> OpenContext<In, Out, T> {
    /// Sends the request. A bad end of the function will cancel `block`.
    pub(super) async fn begin<Started, F: Failure>(
        portal: &Portal,
        call: ContextCall<Started, In, Out, T, F>,
        block: CancelScope,
    ) -> Result<Self, Error> {
        let ContextCall {
            request, decode, ..
        } = call;
        Ok(Self {
            conversation: Conversation::begin(portal, request, block).await?,
            stream_opened: AtomicBool::new(false),
            decode,
            types: PhantomData,
        })
    }

    /// Waits for the first value.
    pub(super) async fn first<Started: Travel>(&self) -> Result<Started, Error> {
        let first = self.conversation.first().await?;
        codec::decode(&first).map_err(|error| bad_result(self.outcome(), &error))
    }

    pub(super) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

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
    pub(super) fn close_unopened_stream(&self) {
        if !self.stream_opened.swap(true, Ordering::AcqRel) && !self.is_over() {
            let dialog = &self.conversation.dialog;
            drop(SendStream::<In>::new(dialog.clone()));
            drop(RecvStream::<Out>::new(dialog.clone()));
        }
    }
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

fn bad_result(outcome: &Outcome, error: &DecodeError) -> Error {
    let refusal = Refusal::BadResult(error.to_string());
    Error::new(outcome.callee().clone(), Ending::Refused(refusal)).in_call(outcome.export().path())
}
