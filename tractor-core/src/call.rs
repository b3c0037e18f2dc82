//! [`Call`]: a function and its arguments, to be run here or in another actor.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tractor_ipc::{DecodeError, EncodeError};

use crate::exports::{BoxedError, Export};
use crate::private::Codec;

/// A function of `#[tractor::rpc]` with its arguments, not started yet.
///
/// It is a future of what the function returns: awaited, the function runs here, a plain one
/// right in the first poll. Handed to a portal, the same function runs in the portal's actor, as
/// `Result<T, tractor::Error>`. It owns its arguments, so it can be moved to any task.
///
/// `T` is what the function returns, and `E` the error, if it returns a `Result<T, E>`.
///
/// # Cancellation
///
/// Awaited here, it is as cancel-safe as the function itself: dropping the call drops the
/// function's future where it stands.
///
/// # Panics
///
/// When it is polled again after it returned.
///
/// # Examples
///
/// ```
/// # use tractor_macros::rpc;
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// async fn is_prime(n: u64) -> bool {
///     n > 1 && (2..n).all(|divisor| n % divisor != 0)
/// }
///
/// # futures::executor::block_on(async {
/// assert!(is_prime(7).await); // here; `portal.run(is_prime(7)).await?` runs it there
/// # });
/// ```
#[must_use = "a call does nothing before it is awaited or handed to a portal"]
pub struct Call<T, E: Failure = Never> {
    export: &'static Export,
    state: State<T, E>,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
}

impl<T, E: Failure> Call<T, E> {
    /// The function.
    pub fn export(&self) -> &'static Export {
        self.export
    }

    /// Appends the arguments, encoded as one tuple, to `out`, which stays as it was on failure.
    ///
    /// # Errors
    ///
    /// `EncodeError::Invalid` if an argument refuses to be serialized, or if the call was polled
    /// already and runs here; `EncodeError::LeftOut` and `EncodeError::UnknownLength` for types that
    /// could not be read back; `EncodeError::TooLong` if the arguments exceed a frame (1 GiB).
    pub fn encode_args(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match &self.state {
            State::Prepared(prepared) => prepared.encode_args(out),
            State::Running(_) | State::Done => Err(EncodeError::Invalid(format!(
                "{self:?} was already polled here"
            ))),
        }
    }

    /// How a result that came from another actor is decoded.
    pub fn decoder(&self) -> fn(&[u8]) -> Result<T, DecodeError> {
        self.decode
    }

    /// Prepares a call of an `async fn` for the code that the macro writes.
    pub(crate) fn of_async<A, F>(
        export: &'static Export,
        (args, codec): (A, Codec<A>),
        run: fn(A) -> F,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Self
    where
        A: Send + 'static,
        F: Future<Output = E::Local<T>> + Send + 'static,
    {
        let encode = codec.encode;
        let state = State::Prepared(Box::new(AsyncFn { args, run, encode }));
        Self {
            export,
            state,
            decode,
        }
    }

    /// Prepares a call of a plain function for the code that the macro writes.
    pub(crate) fn of_plain<A>(
        export: &'static Export,
        (args, codec): (A, Codec<A>),
        run: fn(A) -> E::Local<T>,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Self
    where
        A: Send + 'static,
        E::Local<T>: 'static,
    {
        let encode = codec.encode;
        let state = State::Prepared(Box::new(PlainFn { args, run, encode }));
        Self {
            export,
            state,
            decode,
        }
    }
}

impl<T, E: Failure> Future for Call<T, E> {
    type Output = E::Local<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Nothing in a call is pinned but what stands in a box of its own.
        let call = &mut *self;
        if let State::Prepared(_) = call.state {
            // Taken out first: if the function panics, the call is over.
            if let State::Prepared(prepared) = std::mem::replace(&mut call.state, State::Done) {
                call.state = State::Running(prepared.run());
            }
        }
        let State::Running(future) = &mut call.state else {
            panic!("{call:?} was polled after it returned");
        };
        let output = std::task::ready!(future.as_mut().poll(cx));
        call.state = State::Done;
        Poll::Ready(output)
    }
}

impl<T, E: Failure> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.export.path())
    }
}

/// What a function may return as the error of a `Result`: all that converts into
/// `Box<dyn Error + Send + Sync>`, which is every [`Error`](std::error::Error) type that is `Send`
/// and `Sync`, `String`, `anyhow::Error`, and that box itself; and [`Never`] for functions that
/// return no `Result`.
///
/// Nobody implements it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a call",
    label = "does not convert into `Box<dyn Error + Send + Sync>`",
    note = "implement `std::error::Error` for it (it must be `Send` and `Sync`), or use `String`, \
            `Box<dyn Error + Send + Sync>`, `anyhow::Error` or `tractor::Error`"
)]
pub trait Failure: 'static {
    /// What awaiting the call here gives, for a function that returns a `T`, or a `Result` of it.
    type Local<T>;

    /// The error in a box.
    #[doc(hidden)]
    fn into_boxed(self) -> BoxedError;
}

impl<E> Failure for E
where
    E: Into<BoxedError> + 'static,
{
    type Local<T> = Result<T, E>;

    fn into_boxed(self) -> BoxedError {
        self.into()
    }
}

/// The error of a function that returns no `Result`: it has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl Failure for Never {
    type Local<T> = T;

    fn into_boxed(self) -> BoxedError {
        match self {}
    }
}

/// How far a call has come, here: prepared, then (by the first poll) running, then (by its last)
/// done. One that is handed to a portal stays prepared.
enum State<T, E: Failure> {
    Prepared(Box<dyn Prepared<T, E>>),
    Running(Pin<Box<dyn Future<Output = E::Local<T>> + Send>>),
    Done,
}

/// A function with its arguments, whatever their types.
trait Prepared<T, E: Failure>: Send {
    fn encode_args(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    fn run(self: Box<Self>) -> Pin<Box<dyn Future<Output = E::Local<T>> + Send>>;
}

struct AsyncFn<A, F> {
    args: A,
    run: fn(A) -> F,
    encode: fn(&A, &mut Vec<u8>) -> Result<(), EncodeError>,
}

impl<T, E, A, F> Prepared<T, E> for AsyncFn<A, F>
where
    E: Failure,
    A: Send,
    F: Future<Output = E::Local<T>> + Send + 'static,
{
    fn encode_args(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(&self.args, out)
    }

    fn run(self: Box<Self>) -> Pin<Box<dyn Future<Output = E::Local<T>> + Send>> {
        Box::pin((self.run)(self.args))
    }
}

struct PlainFn<A, R> {
    args: A,
    run: fn(A) -> R,
    encode: fn(&A, &mut Vec<u8>) -> Result<(), EncodeError>,
}

impl<T, E, A> Prepared<T, E> for PlainFn<A, E::Local<T>>
where
    E: Failure,
    A: Send + 'static,
    E::Local<T>: 'static,
{
    fn encode_args(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(&self.args, out)
    }

    fn run(self: Box<Self>) -> Pin<Box<dyn Future<Output = E::Local<T>> + Send>> {
        Box::pin(async move { (self.run)(self.args) })
    }
}
