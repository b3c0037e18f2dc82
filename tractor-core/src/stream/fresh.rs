//! [`fresh_stream`]: a stream that belongs to no call yet, whose ends are values.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::ends::Side;
use super::home::Home;
use super::way::Way;
use super::{RecvStream, SendStream, transit};
use crate::ending::Misuse;

/// Makes a stream that belongs to no call: an end for sending and one for receiving.
///
/// Each end is a value: an argument or a result of a call, alone or inside of other values. Who
/// receives it has it for good, and speaks with the other end directly: when both ends were sent,
/// their actors are linked with each other, and the one that made the stream is out of it. An end
/// that stays is used where it is, and two that stay are a stream between two tasks of this actor.
/// The credit is that of any stream: about 256 KiB may be on their way or unread (1 MiB of items
/// of 16 KiB and more).
///
/// What may be sent is an end that was not used, by the actor that made the stream, once; not as
/// an item of a stream, the first value of a context, or the result of a context or a one-shot
/// actor. Everything else is refused when it is encoded
/// ([`Refusal::ArgumentsNotSent`](crate::Refusal::ArgumentsNotSent) or
/// [`Refusal::BadResult`](crate::Refusal::BadResult), in the words of [`Misuse`]). A call that is
/// refused takes the ends with it that were encoded.
///
/// Whatever becomes of an end, the holder of the other is told. A sender that is dropped closes
/// the stream; dropped by a panic, or because its task is cancelled, it ends the stream with that
/// error. A reader that is dropped stops it
/// ([`Refusal::StreamStopped`](crate::Refusal::StreamStopped)). If the actor that has an end dies
/// the other end says how. An end that is lost on its way, because the call was refused or
/// cancelled before its arguments were decoded, say, ends the stream with
/// [`Refusal::EndLost`](crate::Refusal::EndLost).
///
/// What was sent before the reader left goes after it, over this actor, and so does what the
/// sender's actor sends before it knows where the reader is; that is one window at most. Until then
/// the end of this actor is the end of the stream.
///
/// # Examples
///
/// ```
/// use tractor_core::{Error, Portal, RecvStream, SendStream, fresh_stream}; // `tractor::{..}`
/// # use tractor_core as tractor;
/// # use tractor_macros::rpc;
///
/// #[rpc(crate = tractor_core)] // `#[tractor::rpc]` outside of the runtime's own crates
/// async fn produce(mut numbers: SendStream<u64>) -> Result<(), Error> {
///     for number in 0..1000 {
///         numbers.send(number).await?;
///     }
///     Ok(())
/// }
///
/// #[rpc(crate = tractor_core)]
/// async fn consume(mut numbers: RecvStream<u64>) -> Result<u64, Error> {
///     let mut sum = 0;
///     while let Some(number) = numbers.recv().await? {
///         sum += number;
///     }
///     Ok(sum)
/// }
///
/// /// The numbers go from one to the other, and not through this actor.
/// async fn pipe(from: &Portal, to: &Portal) -> Result<u64, Error> {
///     let (sender, reader) = fresh_stream();
///     let (sum, ()) = futures::try_join!(to.run(consume(reader)), from.run(produce(sender)))?;
///     Ok(sum)
/// }
///
/// # futures::executor::block_on(async {
/// // The same within one actor:
/// let (sender, reader) = fresh_stream();
/// let (sum, ()) = futures::try_join!(consume(reader), produce(sender))?;
/// assert_eq!(sum, 499_500);
/// # Ok::<_, Error>(())
/// # }).unwrap();
/// ```
pub fn fresh_stream<T>() -> (SendStream<T>, RecvStream<T>) {
    let (sender, reader) = Home::fresh_ends();
    let sender = SendStream::over(Way::Home(sender));
    (sender, RecvStream::over(Way::Home(reader)))
}

/// Only as an argument or a result of a call, and once; see [`fresh_stream`].
impl<T> Serialize for SendStream<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        packed(self.way(), serializer)
    }
}

impl<'de, T> Deserialize<'de> for SendStream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        received(deserializer, Side::Sender).map(Self::over)
    }
}

/// Only as an argument or a result of a call, and once; see [`fresh_stream`].
impl<T> Serialize for RecvStream<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        packed(self.way(), serializer)
    }
}

impl<'de, T> Deserialize<'de> for RecvStream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        received(deserializer, Side::Reader).map(Self::over)
    }
}

fn packed<S: Serializer>(way: &Way, serializer: S) -> Result<S::Ok, S::Error> {
    let packed = match way {
        Way::Home(end) => transit::pack(end),
        Way::Dialog(_) => Err(Misuse::EndNotFresh),
    };
    match packed {
        Ok(number) => number.serialize(serializer),
        Err(misuse) => Err(ser::Error::custom(misuse)),
    }
}

fn received<'de, D: Deserializer<'de>>(deserializer: D, side: Side) -> Result<Way, D::Error> {
    let number = u32::deserialize(deserializer)?;
    let end = transit::receive(number, side).map_err(de::Error::custom)?;
    Ok(end.into_way())
}
