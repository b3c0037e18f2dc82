//! [`ContextCall`] and [`StreamCall`]: functions with their arguments, whose callee says more than
//! an answer.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures::Stream;
use futures::stream::BoxStream;
use tractor_ipc::{DecodeError, EncodeError};

use crate::call::{Failure, Never};
use crate::exports::Export;
use crate::private::Codec;
use crate::stream::transit::{self, Leaving};

/// A function with its encoded arguments, as a request for it is sent.
pub(crate) struct Request {
    pub(crate) export: &'static Export,
    pub(crate) args: Result<Vec<u8>, EncodeError>,
    /// Ends of streams that are in them.
    pub(crate) leaving: Vec<Leaving>,
}

impl Request {
    pub(crate) fn new<A>(export: &'static Export, args: &A, codec: Codec<A>) -> Self {
        let mut bytes = Vec::new();
        let (encoded, leaving) = transit::packing(|| (codec.encode)(args, &mut bytes));
        Self {
            export,
            args: encoded.map(|()| bytes),
            leaving,
        }
    }
}

/// A context that was not opened: a `#[context]` function with its arguments, for
/// [`Portal::open_context`](crate::Portal::open_context).
///
/// `Started` is the function's first value, `In` what it receives, `Out` what it sends, `T` what
/// it returns and `E` its error, if it returns a `Result<T, E>`.
#[must_use = "a context does nothing before a portal opens it"]
pub struct ContextCall<Started, In, Out, T, E: Failure = Never> {
    pub(crate) request: Request,
    pub(crate) decode: fn(&[u8]) -> Result<T, DecodeError>,
    #[expect(clippy::type_complexity, reason = "the types of the function")]
    types: PhantomData<fn(In) -> (Started, Out, E)>,
}

impl<Started, In, Out, T, E: Failure> ContextCall<Started, In, Out, T, E> {
    /// Prepares a context for the code that the macro writes.
    pub(crate) fn new(request: Request, decode: fn(&[u8]) -> Result<T, DecodeError>) -> Self {
        Self {
            request,
            decode,
            types: PhantomData,
        }
    }

    /// The function.
    pub fn export(&self) -> &'static Export {
        self.request.export
    }
}

impl<Started, In, Out, T, E: Failure> fmt::Debug for ContextCall<Started, In, Out, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextCall({})", self.request.export.path())
    }
}

/// A function that returns a stream, with its arguments: polled, it runs here; handed to
/// [`Portal::open_stream`](crate::Portal::open_stream), it runs in the portal's actor.
///
/// # Examples
///
/// ```
/// # use tractor_macros::rpc;
/// use futures::{Stream, StreamExt, stream};
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// fn countdown(from: u32) -> impl Stream<Item = u32> {
///     stream::iter((1..=from).rev())
/// }
///
/// # futures::executor::block_on(async {
/// let here: Vec<_> = countdown(3).collect().await;
/// assert_eq!(here, [3, 2, 1]);
/// # });
/// ```
#[must_use = "a stream does nothing before it is polled or opened by a portal"]
pub struct StreamCall<T> {
    export: &'static Export,
    state: State<T>,
}

/// How far it has come, here.
enum State<T> {
    Prepared(Box<dyn Prepared<T>>),
    Running(BoxStream<'static, T>),
    Done,
}

/// A function with its arguments, whatever their types.
trait Prepared<T>: Send {
    fn request(&self, export: &'static Export) -> Request;
    fn run(self: Box<Self>) -> BoxStream<'static, T>;
}

struct Streaming<A, F> {
    args: A,
    codec: Codec<A>,
    run: fn(A) -> F,
}

impl<A, F, T> Prepared<T> for Streaming<A, F>
where
    A: Send + 'static,
    F: Future + Send + 'static,
    F::Output: Stream<Item = T> + Send + 'static,
{
    fn request(&self, export: &'static Export) -> Request {
        Request::new(export, &self.args, self.codec)
    }

    fn run(self: Box<Self>) -> BoxStream<'static, T> {
        use futures::{FutureExt, StreamExt};
        (self.run)(self.args).flatten_stream().boxed()
    }
}

impl<T> StreamCall<T> {
    /// Prepares a stream for the code that the macro writes.
    pub(crate) fn new<A, F>(
        export: &'static Export,
        (args, codec): (A, Codec<A>),
        run: fn(A) -> F,
    ) -> Self
    where
        A: Send + 'static,
        F: Future + Send + 'static,
        F::Output: Stream<Item = T> + Send + 'static,
    {
        let state = State::Prepared(Box::new(Streaming { args, codec, run }));
        Self { export, state }
    }

    /// The function.
    pub fn export(&self) -> &'static Export {
        self.export
    }

    /// What is sent to another actor.
    pub(crate) fn request(&self) -> Request {
        match &self.state {
            State::Prepared(prepared) => prepared.request(self.export),
            State::Running(_) | State::Done => Request {
                export: self.export,
                args: Err(EncodeError::Invalid(format!(
                    "{self:?} was already polled here"
                ))),
                leaving: Vec::new(),
            },
        }
    }
}

impl<T> Stream for StreamCall<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<T>> {
        // Nothing in it is pinned but what stands in a box of its own.
        let call = &mut *self;
        if let State::Prepared(_) = call.state {
            // Taken out first: if the function panics, it is over.
            if let State::Prepared(prepared) = std::mem::replace(&mut call.state, State::Done) {
                call.state = State::Running(prepared.run());
            }
        }
        let State::Running(stream) = &mut call.state else {
            return Poll::Ready(None);
        };
        let item = std::task::ready!(stream.as_mut().poll_next(cx));
        if item.is_none() {
            call.state = State::Done;
        }
        Poll::Ready(item)
    }
}

impl<T> fmt::Debug for StreamCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamCall({})", self.export.path())
    }
}
