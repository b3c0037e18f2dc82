//! Contexts: two linked tasks in two actors, with a first value and a stream each way.
//!
//! A function marked with `#[context]` is the callee's side, [`Context`] is what it is given.
//! [`Portal::open_context`](crate::Portal::open_context) runs a block as the caller's side, with an
//! [`OpenContext`]. Either side's end is the other's, with its cause; `docs/design/streams.md` says
//! what each may rely on.

// What is asked for: a context, or a stream.
mod call;
// One call at the caller's end, and how it ended.
mod conversation;
// The caller's side, of one context or of several at once.
mod gather;
mod linked;
mod open;

pub use call::{ContextCall, StreamCall};
pub use gather::{Contexts, gather_contexts};
pub use open::OpenContext;

pub(crate) use call::Request;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tractor_ipc::{ActorId, codec};

use crate::actor::{self, misused};
use crate::dialog::Dialog;
use crate::ending::{Ending, Misuse, Refusal};
use crate::error::Error;
use crate::stream::{RecvStream, SendStream};
use crate::travel::Travel;

/// The callee's side of a context: `Started` is the first value that it gives, `In` what it
/// receives and `Out` what it sends.
///
/// # Examples
///
/// ```
/// # use tractor_macros::context;
/// use tractor_core::{Context, Error}; // `tractor::{..}`
///
/// #[context(crate = tractor_core)] // `#[tractor::context]` outside of the runtime's own crates
/// async fn doubled(ctx: Context<(), u32, u32>) -> Result<u32, Error> {
///     ctx.started(())?;
///     let (mut out, mut numbers) = ctx.open_stream()?;
///     let mut count = 0;
///     while let Some(n) = numbers.recv().await? {
///         out.send(2 * n).await?;
///         count += 1;
///     }
///     Ok(count)
/// }
/// ```
pub struct Context<Started, In, Out> {
    dialog: Arc<Dialog>,
    stream_opened: AtomicBool,
    types: PhantomData<fn(Started, Out) -> In>,
}

impl<Started, In, Out> Context<Started, In, Out> {
    pub(crate) fn new(dialog: Arc<Dialog>) -> Self {
        Self {
            dialog,
            stream_opened: AtomicBool::new(false),
            types: PhantomData,
        }
    }

    /// Who opened the context.
    pub fn caller(&self) -> Option<&ActorId> {
        self.dialog.link.peer()
    }

    /// Opens the context's stream, both ways at once: what is sent, and what is received. Each way
    /// is closed by dropping its end, or by [`SendStream::close`].
    ///
    /// # Errors
    ///
    /// [`Misuse::NotStarted`] before [`started`](Self::started), [`Misuse::StreamOpenedTwice`].
    pub fn open_stream(&self) -> Result<(SendStream<Out>, RecvStream<In>), Error> {
        if !self.dialog.has_started() {
            return Err(misused(Misuse::NotStarted));
        }
        if self.stream_opened.swap(true, Ordering::AcqRel) {
            return Err(misused(Misuse::StreamOpenedTwice));
        }
        let dialog = &self.dialog;
        Ok((
            SendStream::new(dialog.clone()),
            RecvStream::new(dialog.clone()),
        ))
    }
}

impl<Started: Travel, In, Out> Context<Started, In, Out> {
    /// Gives the first value: the caller's block begins.
    ///
    /// # Errors
    ///
    /// [`Misuse::StartedTwice`]; [`Refusal::BadResult`] for a value that refuses to be encoded.
    pub fn started(&self, value: Started) -> Result<(), Error> {
        let refused = |refusal| actor::local_error(Ending::Refused(refusal), None);
        let value = codec::encode(&value)
            .map_err(|error| refused(Refusal::BadResult(error.to_string())))?;
        self.dialog.start(&value).map_err(refused)
    }
}

impl<Started, In, Out> fmt::Debug for Context<Started, In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?})", self.dialog)
    }
}
