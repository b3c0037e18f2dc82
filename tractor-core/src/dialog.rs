//! [`Dialog`]: what two actors say to each other during one call, besides its arguments and its
//! answer: a first value, and a stream in each direction.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};

use tractor_ipc::{FROM_CALLEE, Kind, Payload};

use crate::ending::{Misuse, Refusal};
use crate::error::Error;
use crate::io::gather;
use crate::io::link::Link;
use crate::io::look::LookScore;
use crate::stream::inbound::{Ended, Inbound, Pushed};
use crate::stream::outbound::Outbound;
use crate::stream::tie::Tie;

/// The dialogs of a link, by the id that the peer's frames for them have.
pub(crate) type DialogTable = HashMap<u64, Weak<Dialog>>;

/// What is said during one call, at one of its two ends.
pub(crate) struct Dialog {
    pub(crate) link: Arc<Link>,
    /// The id of our frames of the streams.
    outgoing: u64,
    /// The id of the peer's.
    incoming: u64,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    first: Mutex<First>,
    /// Whether our first value was given.
    started: AtomicBool,
    /// Whether something came in since we last sent: then our next item is likely waited for.
    heard: AtomicBool,
    /// Whether it pays for the stream's reader to read the link itself.
    pub(crate) look: LookScore,
    /// What it is besides, if it is no part of a call but joins two ends of a stream.
    pub(crate) tie: Option<Box<Tie>>,
}

/// The place of the callee in a call that runs here, where a dialog can be begun.
pub struct Seat<'a> {
    link: &'a Arc<Link>,
    call: u64,
    /// Where the task finds the dialog, to end it with itself.
    dialog: &'a OnceLock<Weak<Dialog>>,
}

impl<'a> Seat<'a> {
    pub(crate) fn new(link: &'a Arc<Link>, call: u64, dialog: &'a OnceLock<Weak<Dialog>>) -> Self {
        Self { link, call, dialog }
    }

    /// Begins the dialog.
    pub(crate) fn take(self) -> Arc<Dialog> {
        let dialog = Dialog::of_callee(self.link, self.call);
        // A task begins one dialog.
        let _ = self.dialog.set(Arc::downgrade(&dialog));
        dialog
    }
}

impl fmt::Debug for Seat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

/// The value that a function gives when it has begun.
enum First {
    Awaited(Option<Waker>),
    Arrived(Vec<u8>),
    Taken,
}

impl Dialog {
    /// The caller's end of a call that is about to be sent.
    pub(crate) fn of_caller(link: &Arc<Link>, call: u64) -> Arc<Self> {
        Self::enter(link, (call, call | FROM_CALLEE), Outbound::new(), None)
    }

    /// Either end of a dialog that joins two ends of a stream.
    pub(crate) fn of_ends(
        link: &Arc<Link>,
        ids: (u64, u64),
        outbound: Outbound,
        tie: Tie,
    ) -> Arc<Self> {
        let dialog = Self::enter(link, ids, outbound, Some(Box::new(tie)));
        if let Some(error) = link.lost() {
            // Perhaps before it was entered, and then nobody would come for it.
            dialog.lost(&error);
        }
        dialog
    }

    /// The callee's end of a call that runs here.
    pub(crate) fn of_callee(link: &Arc<Link>, call: u64) -> Arc<Self> {
        let ids = (call | FROM_CALLEE, call);
        let dialog = Self::enter(link, ids, Outbound::new(), None);
        if link.is_closed() {
            // Perhaps before it was entered, and then nobody would come for it.
            dialog.end(&Ended::Well, None);
        }
        dialog
    }

    fn enter(
        link: &Arc<Link>,
        (outgoing, incoming): (u64, u64),
        outbound: Outbound,
        tie: Option<Box<Tie>>,
    ) -> Arc<Self> {
        let dialog = Arc::new(Self {
            link: link.clone(),
            outgoing,
            incoming,
            inbound: Inbound::new(),
            outbound,
            first: Mutex::new(First::Awaited(None)),
            started: AtomicBool::new(false),
            heard: AtomicBool::new(true),
            look: LookScore::new(),
            tie,
        });
        link.dialogs().insert(incoming, Arc::downgrade(&dialog));
        dialog
    }

    /// Whether it is the callee's end.
    fn is_callees(&self) -> bool {
        self.incoming & FROM_CALLEE == 0
    }

    /// Whether it ends with its link at once, as a call of the peer does; otherwise when it is
    /// known what happened to the peer.
    pub(crate) fn ends_with_link(&self) -> bool {
        self.is_callees() && self.tie.is_none()
    }

    /// The id of our frames.
    pub(crate) fn outgoing(&self) -> u64 {
        self.outgoing
    }

    /// Whether something came in since this was asked last.
    pub(crate) fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed) && self.heard.swap(false, Ordering::Relaxed)
    }

    /// Sends a frame of the dialog behind all items that were sent.
    pub(crate) fn send(&self, kind: Kind, payload: &[u8]) {
        // None of these frames is near the limit.
        let _ = self.link.send(kind, self.outgoing, payload);
        gather::flush_planned(&self.link);
    }

    /// Both streams are over.
    pub(crate) fn end(&self, ended: &Ended, why: Option<&Error>) {
        self.inbound.end(ended.clone());
        self.outbound.stop(why.cloned());
    }

    /// The callee gives its first value.
    ///
    /// # Errors
    ///
    /// [`Misuse::StartedTwice`]; [`PayloadTooLong`](tractor_ipc::PayloadTooLong) as a bad result.
    pub(crate) fn start(&self, value: &[u8]) -> Result<(), Refusal> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Err(Refusal::Misused(Misuse::StartedTwice));
        }
        let call = self.outgoing & !FROM_CALLEE;
        self.link
            .send(Kind::Started, call, value)
            .map_err(|error| Refusal::BadResult(error.to_string()))
    }

    /// Whether the callee has given its first value.
    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Waits for the first value.
    pub(crate) fn poll_first(&self, waker: &Waker) -> Poll<Vec<u8>> {
        let mut first = self.first();
        match std::mem::replace(&mut *first, First::Taken) {
            First::Arrived(bytes) => Poll::Ready(bytes),
            First::Awaited(_) => {
                *first = First::Awaited(Some(waker.clone()));
                Poll::Pending
            }
            First::Taken => Poll::Pending,
        }
    }

    fn first(&self) -> MutexGuard<'_, First> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What arrives for it, handled by whoever reads the link.
impl Dialog {
    pub(crate) fn started(&self, payload: Payload<'_>) -> Pushed {
        self.heard.store(true, Ordering::Relaxed);
        let mut first = self.first();
        let First::Awaited(waker) = &mut *first else {
            return Pushed::Violation("a call has started for the second time");
        };
        let waker = waker.take();
        *first = First::Arrived(payload.into_vec());
        drop(first);
        match waker {
            Some(waker) => {
                waker.wake();
                Pushed::Woke
            }
            None => Pushed::Quiet,
        }
    }

    pub(crate) fn items(&self, payload: Payload<'_>) -> Pushed {
        self.heard.store(true, Ordering::Relaxed);
        self.inbound.push(payload)
    }

    /// The peer has sent its last item.
    pub(crate) fn ended(&self) -> Pushed {
        let pushed = self.inbound.end(Ended::Well);
        self.tell_home(None);
        pushed
    }

    /// An empty grant says that the peer reads no more.
    pub(crate) fn credit(&self, payload: &[u8]) -> Pushed {
        let woke = if payload.is_empty() {
            let woke = self.outbound.stop(None);
            self.tell_home(None);
            woke
        } else {
            let more = payload.try_into().map(i64::from_le_bytes);
            match more.ok().filter(|more| *more > 0) {
                Some(more) => self.outbound.grant(more),
                None => return Pushed::Violation("a grant is no number above zero"),
            }
        };
        if woke { Pushed::Woke } else { Pushed::Quiet }
    }
}

impl Drop for Dialog {
    fn drop(&mut self) {
        let mut dialogs = self.link.dialogs();
        // The peer may have given the number to another call since this one ended.
        let is_ours = |held: &Weak<Self>| std::ptr::eq(held.as_ptr(), self);
        if dialogs.get(&self.incoming).is_some_and(is_ours) {
            dialogs.remove(&self.incoming);
        }
    }
}

impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("call", &(self.incoming & !FROM_CALLEE))
            .field("peer", &self.link.peer())
            .finish_non_exhaustive()
    }
}
