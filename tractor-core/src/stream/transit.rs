//! Ends of fresh streams on their way out, between the encoding of a call or an answer and its
//! frame; and from the arguments or the result that they came with to whoever decodes those.
//!
//! An end is encoded as its place among the ends of the same call. Whoever encodes and decodes
//! says so for its thread, because serde knows nothing of calls.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tractor_ipc::limits::FRAME_BYTES_MAX;
use tractor_ipc::{EncodeError, FROM_CALLEE, Kind, codec};

use super::arrivals::{Announced, Received, lost};
use super::ends::Side;
use super::home::{Home, HomeEnd};
use super::outbound::Outbound;
use super::tie::Tie;
use crate::dialog::Dialog;
use crate::ending::Misuse;
use crate::error::Error;
use crate::io::link::Link;

/// An end that was encoded and not sent; dropped, it is lost, which its other end is told.
#[derive(Debug)]
pub(crate) struct Leaving(Option<HomeEnd>);

thread_local! {
    /// The ends that were encoded; `None` where none can be.
    static PACKED: RefCell<Option<Vec<Leaving>>> = const { RefCell::new(None) };
    /// Those of the answer that a function of this thread has just given.
    static ANSWERED: Cell<Vec<Leaving>> = const { Cell::new(Vec::new()) };
    /// The ends that can be decoded; `None` where none can be.
    static RECEIVED: RefCell<Option<Vec<Option<Received>>>> = const { RefCell::new(None) };
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.close(Some(lost()));
        }
    }
}

/// Encodes arguments or a result, and gives the ends that were in it.
pub(crate) fn packing<R>(encode: impl FnOnce() -> R) -> (R, Vec<Leaving>) {
    let _restore = Restore(&PACKED, PACKED.replace(Some(Vec::new())));
    let result = encode();
    (result, PACKED.take().unwrap_or_default())
}

/// Puts a thread's list back, also when a panic passes.
struct Restore<T: 'static>(
    &'static std::thread::LocalKey<RefCell<Option<Vec<T>>>>,
    Option<Vec<T>>,
);

impl<T> Drop for Restore<T> {
    fn drop(&mut self) {
        let mine = self.0.replace(self.1.take());
        drop(mine);
    }
}

/// Ends cannot be sent any more, and why.
pub(crate) fn lose(leaving: Vec<Leaving>, why: &Error) {
    for mut end in leaving {
        if let Some(end) = end.0.take() {
            end.close(Some(why.clone()));
        }
    }
}

/// Adds ends that were encoded before to those of the call that is encoded now.
pub(crate) fn pack_again(leaving: Vec<Leaving>) {
    PACKED.with_borrow_mut(|packed| packed.get_or_insert_default().extend(leaving));
}

/// Takes an end out of its holder's hands; gives the number that stands for it.
///
/// # Errors
///
/// Why it cannot leave.
pub(super) fn pack(end: &HomeEnd) -> Result<u32, Misuse> {
    // Asked before it is taken.
    let number = packed_number()?;
    let end = Leaving(Some(end.pack()?));
    PACKED.with_borrow_mut(|packed| packed.get_or_insert_default().push(end));
    Ok(number)
}

/// The number of the next end.
///
/// # Errors
///
/// [`Misuse::EndOutsideCall`].
pub(super) fn packed_number() -> Result<u32, Misuse> {
    let number = PACKED.with_borrow(|packed| packed.as_ref().map(Vec::len));
    let number = number.ok_or(Misuse::EndOutsideCall)?;
    u32::try_from(number).map_err(|_| Misuse::EndOutsideCall)
}

/// Notes the ends of an answer, until whoever polled the function takes them.
pub(crate) fn note_answered(leaving: Vec<Leaving>) {
    let before = ANSWERED.replace(leaving);
    drop(before);
}

/// The ends of the answer that was just given.
pub(crate) fn take_answered() -> Vec<Leaving> {
    ANSWERED.take()
}

/// Decodes arguments or a result that came with these ends. Those that are not decoded are lost.
pub(crate) fn receiving<R>(ends: Vec<Received>, decode: impl FnOnce() -> R) -> R {
    if ends.is_empty() {
        return decode();
    }
    let ends = ends.into_iter().map(Some).collect();
    let _restore = Restore(&RECEIVED, RECEIVED.replace(Some(ends)));
    decode()
}

/// As [`receiving`], of what was encoded in this very actor.
pub(crate) fn receiving_here<R>(leaving: Vec<Leaving>, decode: impl FnOnce() -> R) -> R {
    let ends = leaving.into_iter().filter_map(Leaving::unpack);
    receiving(ends.map(Received::Home).collect(), decode)
}

/// Takes the end of this number.
///
/// # Errors
///
/// Why there is none.
pub(super) fn receive(number: u32, side: Side) -> Result<Received, &'static str> {
    RECEIVED.with_borrow_mut(|received| {
        let Some(received) = received else {
            return Err("no end of a stream can be received here");
        };
        let end = usize::try_from(number).ok();
        let end = end.and_then(|number| received.get_mut(number));
        match end {
            Some(end) if end.as_ref().is_some_and(|end| end.side() == side) => end
                .take()
                .ok_or("this end of a stream was received already"),
            _ => Err("this end of a stream did not come, or was received already"),
        }
    })
}

/// Sends ends over `link`, ahead of the call or the answer with `payload` that they belong to:
/// `call` is its number, for an answer with [`FROM_CALLEE`].
///
/// # Errors
///
/// [`EncodeError::TooLong`] if the frame that they belong to is; they are lost then.
pub(crate) fn send_ahead(
    link: &Arc<Link>,
    call: u64,
    payload: &[u8],
    leaving: Vec<Leaving>,
) -> Result<(), EncodeError> {
    if leaving.is_empty() {
        return Ok(());
    }
    let len = payload.len();
    if len > FRAME_BYTES_MAX {
        return Err(EncodeError::TooLong { len });
    }
    let announced: Vec<_> = leaving
        .iter()
        .map(|end| end.announced(link.next_id(), &leaving))
        .collect();
    // Entered before the frame leaves: what they are answered may come at once.
    let dialogs: Vec<_> = announced.iter().map(|end| entered(link, end)).collect();
    let frame = codec::encode(&announced)?;
    if let Err(error) = link.send(Kind::Ends, call, &frame) {
        return Err(EncodeError::TooLong { len: error.len });
    }
    let (readers, senders): (Vec<_>, Vec<_>) = leaving
        .into_iter()
        .zip(dialogs)
        .partition(|(end, _)| end.side() == Some(Side::Reader));
    // A sender may have been told that its reader is away.
    for (end, dialog) in readers.into_iter().chain(senders) {
        end.depart(dialog);
    }
    Ok(())
}

/// The dialog over which an end goes.
fn entered(link: &Arc<Link>, end: &Announced) -> Arc<Dialog> {
    let ids = (end.dialog, end.dialog | FROM_CALLEE);
    Dialog::of_ends(link, ids, Outbound::new(), Tie::new(link.hold()))
}

impl Leaving {
    fn side(&self) -> Option<Side> {
        self.0.as_ref().map(HomeEnd::side)
    }

    fn home(&self) -> Option<&Home> {
        self.0.as_ref().map(HomeEnd::home)
    }

    fn announced(&self, dialog: u64, all: &[Self]) -> Announced {
        let is_sender = self.side() == Some(Side::Sender);
        let beside = || {
            let home = self.home().map(std::ptr::from_ref);
            let is_reader = |end: &Self| {
                end.side() == Some(Side::Reader) && end.home().map(std::ptr::from_ref) == home
            };
            all.iter().any(is_reader)
        };
        let away = || self.0.as_ref().is_some_and(HomeEnd::is_other_away);
        let waits = is_sender && (away() || beside());
        Announced {
            dialog,
            is_sender,
            waits,
        }
    }

    fn depart(mut self, dialog: Arc<Dialog>) {
        if let Some(end) = self.0.take() {
            end.depart(dialog);
        }
    }

    fn unpack(mut self) -> Option<HomeEnd> {
        let end = self.0.take()?;
        end.unpack();
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_leaves_only_while_a_call_is_encoded() {
        let (sender, _reader) = Home::fresh_ends();
        assert_eq!(pack(&sender).unwrap_err(), Misuse::EndOutsideCall);
        let (number, leaving) = packing(|| pack(&sender));
        assert_eq!((number, leaving.len()), (Ok(0), 1));
        let (again, leaving_again) = packing(|| pack(&sender));
        assert_eq!(again, Err(Misuse::EndSent));
        assert!(leaving_again.is_empty());
    }

    #[test]
    fn an_end_that_is_used_stays() {
        let (sender, reader) = Home::fresh_ends();
        sender.begin();
        let ((used, unused), leaving) = packing(|| (pack(&sender), pack(&reader)));
        assert_eq!((used, unused), (Err(Misuse::EndUsed), Ok(0)));
        assert_eq!(leaving.len(), 1);
    }

    #[test]
    fn what_was_encoded_and_not_sent_is_lost() {
        let (sender, reader) = Home::fresh_ends();
        let (_, leaving) = packing(|| pack(&sender));
        assert!(reader.home().inbound.ended().is_none());
        drop(leaving);
        assert!(reader.home().inbound.ended().is_some());
    }

    #[test]
    fn what_was_sent_here_is_received_once_and_from_the_right_side() {
        let (sender, _reader) = Home::fresh_ends();
        let (_, leaving) = packing(|| pack(&sender));
        assert!(receive(0, Side::Sender).is_err(), "nothing came");
        receiving_here(leaving, || {
            assert!(receive(1, Side::Sender).is_err());
            assert!(receive(0, Side::Reader).is_err());
            let back = receive(0, Side::Sender).unwrap();
            assert!(receive(0, Side::Sender).is_err());
            let Received::Home(back) = back else {
                panic!("it came from here");
            };
            let (again, _leaving) = packing(|| pack(&back));
            assert_eq!(again, Ok(0), "it never left");
        });
    }
}
