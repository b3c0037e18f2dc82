//! What the code that `#[tractor::rpc]` writes is made of: nothing here is for people to call.
//!
//! A macro sees names, not types. Where the code has to depend on what a type can do (is the
//! error serde? does it implement `Error`?), it names a constant of `Ability`: the compiler
//! takes the inherent one if the type fulfils its bounds, and the one of `Otherwise` if not.
//! The same trick keeps compile errors short: `travels` reports a type that is not serde once,
//! and no other line of the written code demands it.

use std::any::{Any, type_name};
use std::error::Error as StdError;
use std::marker::PhantomData;

use futures::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tractor_ipc::{EncodeError, codec};

pub use linkme;
pub use tractor_ipc::DecodeError;

pub use crate::ending::Ending;
pub use crate::exports::{Body, BoxedError, Export, Seat, Start, TRACTOR_EXPORTS_0_1 as EXPORTS};
pub use crate::travel::Travel;

use crate::call::{Call, Failure};
use crate::context::{Context, ContextCall, Request, StreamCall};
use crate::ending::{Misuse, Refusal, UserError};
use crate::error::Error;
use crate::stream::{SendStream, transit};

/// What an argument of type `&T` is on the wire, and in the call.
pub type Owned<T> = <T as ToOwned>::Owned;

/// Fails to compile, at the type's own place in the source, unless the type can travel.
pub fn travels<T: Travel>() {}

/// What a return type is that is named `…Result`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    label = "its name ends in `Result`, so it is taken for one",
    note = "write `#[tractor::rpc(value)]` if the function returns a value of this name"
)]
pub trait IsResult {
    /// What the call gives.
    type Ok;
    /// How the function fails.
    type Err;
    /// The same as a `Result`.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> IsResult for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Self {
        self
    }
}

/// A generic function, for one of the types that `instances(..)` lists.
#[diagnostic::on_unimplemented(
    message = "this function is not exported for `{Types}`",
    label = "`{Types}` is not in the function's `#[rpc(instances(..))]`",
    note = "a generic function can be called in another actor for the listed types only"
)]
pub trait Instance<Types> {
    /// The instance's own export.
    fn export() -> &'static Export;
}

/// How values of a type become bytes.
pub struct Codec<T> {
    pub(crate) encode: fn(&T, &mut Vec<u8>) -> Result<(), EncodeError>,
    pub(crate) decode: fn(&[u8]) -> Result<T, DecodeError>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

/// How a value is seen as an error.
pub type View<T> = fn(&T) -> &(dyn StdError + 'static);

/// A type, to ask what it can do.
pub struct Ability<T>(PhantomData<T>);

impl<T: Serialize + DeserializeOwned> Ability<T> {
    /// The codec of a serde type.
    pub const CODEC: Codec<T> = Codec {
        encode: codec::encode_into::<T>,
        decode: codec::decode,
    };
}

impl<T: StdError + 'static> Ability<T> {
    /// How it is seen as an error.
    pub const ERROR: Option<View<T>> = Some(|error| error);
}

impl<T: AsRef<dyn StdError + Send + Sync + 'static>> Ability<T> {
    /// How the error in it is seen, for boxes such as `anyhow::Error`.
    pub const BOXED: Option<View<T>> = Some(|error| error.as_ref());
}

/// What is true of a type that lacks an `Ability`.
pub trait Otherwise<T> {
    /// A codec that always fails.
    const CODEC: Codec<T> = Codec {
        encode: |_, _| Err(EncodeError::Invalid(not_serde::<T>())),
        decode: |_| Err(DecodeError::Invalid(not_serde::<T>())),
    };
    /// It is no error.
    const ERROR: Option<View<T>> = None;
    /// It holds no error.
    const BOXED: Option<View<T>> = None;
}

impl<T> Otherwise<T> for Ability<T> {}

/// All that can be known of a function's error type.
pub struct Fault<E> {
    /// How it travels, if it does.
    pub codec: Codec<E>,
    /// How it is seen as an error.
    pub error: Option<View<E>>,
    /// How the error in it is seen.
    pub boxed: Option<View<E>>,
}

/// Prepares a call of an `async fn`.
pub fn call_async<T, E, A, F>(
    export: &'static Export,
    args: A,
    run: fn(A) -> F,
    codecs: (Codec<A>, Codec<T>),
) -> Call<T, E>
where
    E: Failure,
    A: Send + 'static,
    F: Future<Output = E::Local<T>> + Send + 'static,
{
    Call::of_async(export, (args, codecs.0), run, codecs.1.decode)
}

/// Prepares a call of a plain function.
pub fn call_plain<T, E, A>(
    export: &'static Export,
    args: A,
    run: fn(A) -> E::Local<T>,
    codecs: (Codec<A>, Codec<T>),
) -> Call<T, E>
where
    E: Failure,
    E::Local<T>: 'static,
    A: Send + 'static,
{
    Call::of_plain(export, (args, codecs.0), run, codecs.1.decode)
}

/// The body of an `async fn` whose arguments came from a peer.
pub fn start_async<A, F>(
    bytes: &[u8],
    codec: Codec<A>,
    run: fn(A) -> F,
    finish: fn(F::Output) -> Result<Vec<u8>, Ending>,
) -> Result<Body, DecodeError>
where
    A: Send + 'static,
    F: Future + Send + 'static,
    F::Output: 'static,
{
    let args = (codec.decode)(bytes)?;
    Ok(Body::Async(Box::pin(
        async move { finish(run(args).await) },
    )))
}

/// The body of a plain function whose arguments came from a peer.
pub fn start_plain<A, R>(
    bytes: &[u8],
    codec: Codec<A>,
    run: fn(A) -> R,
    finish: fn(R) -> Result<Vec<u8>, Ending>,
) -> Result<Body, DecodeError>
where
    A: Send + 'static,
    R: 'static,
{
    let args = (codec.decode)(bytes)?;
    Ok(Body::Blocking(Box::new(move || finish(run(args)))))
}

/// Prepares a context.
pub fn call_context<Started, In, Out, T, E: Failure, A>(
    export: &'static Export,
    args: A,
    codecs: (Codec<A>, Codec<T>),
) -> ContextCall<Started, In, Out, T, E> {
    ContextCall::new(Request::new(export, &args, codecs.0), codecs.1.decode)
}

/// Prepares a stream.
pub fn call_stream<T, A, F>(
    export: &'static Export,
    args: A,
    run: fn(A) -> F,
    codec: Codec<A>,
) -> StreamCall<T>
where
    A: Send + 'static,
    F: Future + Send + 'static,
    F::Output: Stream<Item = T> + Send + 'static,
{
    StreamCall::new(export, (args, codec), run)
}

/// The body of a context that a peer has opened.
pub fn start_context<Started, In, Out, A, F>(
    (bytes, seat): (&[u8], Seat<'_>),
    codec: Codec<A>,
    run: fn(A, Context<Started, In, Out>) -> F,
    finish: fn(F::Output) -> Result<Vec<u8>, Ending>,
) -> Result<Body, DecodeError>
where
    A: Send + 'static,
    F: Future + Send + 'static,
    F::Output: 'static,
{
    let args = (codec.decode)(bytes)?;
    let dialog = seat.take();
    let body = run(args, Context::new(dialog.clone()));
    Ok(Body::Async(Box::pin(async move {
        let answer = finish(body.await)?;
        if dialog.has_started() {
            Ok(answer)
        } else {
            Err(Ending::Refused(Refusal::Misused(Misuse::NotStarted)))
        }
    })))
}

/// The body of a function whose stream a peer has opened.
pub fn start_stream<T, A, F>(
    (bytes, seat): (&[u8], Seat<'_>),
    codec: Codec<A>,
    run: fn(A) -> F,
) -> Result<Body, DecodeError>
where
    T: Travel,
    A: Send + 'static,
    F: Future + Send + 'static,
    F::Output: Stream<Item = T> + Send + 'static,
{
    let args = (codec.decode)(bytes)?;
    let dialog = seat.take();
    Ok(Body::Async(Box::pin(async move {
        let mut items = std::pin::pin!(run(args).await);
        dialog.start(&[]).map_err(Ending::Refused)?;
        let mut out = SendStream::<T>::new(dialog).closed_by_call();
        while let Some(item) = items.next().await {
            if let Err(error) = out.send(item).await {
                return Err(Ending::Several(vec![error]));
            }
        }
        Ok(Vec::new())
    })))
}

/// Encodes what a function returned.
pub fn returned<T>(value: &T, codec: Codec<T>) -> Result<Vec<u8>, Ending> {
    let mut bytes = Vec::new();
    let (encoded, leaving) = transit::packing(|| (codec.encode)(value, &mut bytes));
    match encoded {
        Ok(()) => {
            if !leaving.is_empty() {
                transit::note_answered(leaving);
            }
            Ok(bytes)
        }
        Err(error) => Err(Ending::Refused(Refusal::BadResult(error.to_string()))),
    }
}

/// Turns the error that a function returned into its ending.
///
/// A [`crate::Error`], also in a box such as `anyhow::Error`, is a failure from below that the
/// function passed on: it stays what it is, as a group of one (see [`Error::new`]).
pub fn failed<E: Failure>(error: E, export: &'static Export, fault: &Fault<E>) -> Ending {
    if let Some(error) = (&error as &dyn Any).downcast_ref::<Error>() {
        return Ending::Several(vec![error.clone()]);
    }
    let view = fault.boxed.or(fault.error).map(|view| view(&error));
    if let Some(error) = view.and_then(|view| view.downcast_ref::<Error>()) {
        return Ending::Several(vec![error.clone()]);
    }
    let mut bytes = Vec::new();
    let encoded = (fault.codec.encode)(&error, &mut bytes).is_ok();
    let name = type_name::<E>();
    let mut described = match view {
        Some(view) => UserError::describe(name, view),
        None => UserError::describe(name, &*error.into_boxed()),
    };
    if encoded {
        described.attach(export, bytes);
    }
    Ending::Failed(Box::new(described))
}

/// Decodes a function's own error.
pub fn decode_error<E: Failure>(bytes: &[u8], codec: Codec<E>) -> Option<BoxedError> {
    (codec.decode)(bytes).ok().map(E::into_boxed)
}

fn not_serde<T>() -> String {
    format!("{} is not serde", type_name::<T>())
}

#[cfg(test)]
#[expect(
    unsafe_code,
    reason = "the lint sees linkme's statics only where the macro's own crate uses it"
)]
mod tests;
