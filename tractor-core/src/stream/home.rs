//! [`Home`]: a fresh stream in the actor that made it.
//!
//! While an end is here its items wait here, in the same bounds as those of any stream. When an
//! end leaves it gets a dialog with the actor that it goes to; when both have left they are
//! introduced to each other, and this actor is out of it once what it still had is with the
//! reader. [`Ends`] decides, this file obeys.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tractor_ipc::Kind;
use tractor_ipc::limits::SHARED_BYTES_MIN;

use super::credit::cost;
use super::ends::{Action, Ends, Event, Place, Side};
use super::frame::{self, FRAME_HEAD};
use super::inbound::{Chunk, Ended, Inbound};
use super::outbound::Outbound;
use super::tie::{Token, Word, fresh_token};
use crate::actor::Contact;
use crate::dialog::Dialog;
use crate::ending::Misuse;
use crate::error::Error;

/// A fresh stream in the actor that made it.
pub(crate) struct Home {
    /// What was sent here and is not read.
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    token: Token,
    state: Mutex<State>,
}

struct State {
    ends: Ends,
    /// Leads to the sender, if that is away: items come out of it.
    sender: Option<Arc<Dialog>>,
    /// Leads to the reader, if that is away: items go into it.
    reader: Option<Arc<Dialog>>,
}

/// One end of it, as its holder in this actor has it. Dropped, it is closed.
pub(crate) struct HomeEnd {
    home: Arc<Home>,
    side: Side,
    /// Whether somebody else has the end now.
    passed_on: AtomicBool,
}

impl Home {
    /// A stream that nobody has used.
    pub(super) fn fresh_ends() -> (HomeEnd, HomeEnd) {
        let home = Arc::new(Self {
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            token: fresh_token(),
            state: Mutex::new(State {
                ends: Ends::new(),
                sender: None,
                reader: None,
            }),
        });
        let end = |side| HomeEnd::new(home.clone(), side);
        (end(Side::Sender), end(Side::Reader))
    }

    /// A stream whose ends stay here.
    pub(super) fn used_ends() -> (HomeEnd, HomeEnd) {
        let ends = Self::fresh_ends();
        ends.0.home.handle(Event::Used(Side::Sender), None);
        ends.0.home.handle(Event::Used(Side::Reader), None);
        ends
    }

    /// Something happened to an end; `why`, if it was no regular end.
    pub(super) fn handle(self: &Arc<Self>, event: Event, why: Option<Error>) {
        let actions = self.lock().ends.handle(event);
        if event == Event::Closed(Side::Reader) && !actions.is_empty() {
            self.inbound.stop();
        }
        self.obey(actions, why);
    }

    /// The reader's actor says where it is.
    pub(super) fn found(self: &Arc<Self>, reader: Contact) {
        let (actions, sender) = {
            let mut state = self.lock();
            (state.ends.handle(Event::Found), state.sender.clone())
        };
        if let ([Action::Introduce], Some(sender)) = (actions, sender) {
            sender.say(&Word::go(self.token, reader));
        }
    }

    /// An end has gone over `dialog` to another actor.
    fn departed(self: &Arc<Self>, side: Side, dialog: Arc<Dialog>) {
        let mut state = self.lock();
        let actions = state.ends.handle(Event::Departed(side));
        let mut end = None;
        if actions.contains(&Action::Divert) {
            // Under the lock, so that whoever sends here does not overtake it.
            end = self.divert(&dialog);
        }
        let place = match side {
            Side::Sender => &mut state.sender,
            Side::Reader => &mut state.reader,
        };
        *place = Some(dialog);
        drop(state);
        let why = match end {
            Some(Ended::Badly(error)) => Some(error),
            Some(Ended::Well) | None => None,
        };
        self.obey(actions, why);
    }

    /// Sends what waits here to the reader, which takes it: it took nothing else before.
    fn divert(&self, reader: &Dialog) -> Option<Ended> {
        let (chunks, end) = self.inbound.divert();
        let spent = pass_on(&chunks, reader);
        reader.outbound.spend(spent);
        end
    }

    fn obey(self: &Arc<Self>, actions: &[Action], why: Option<Error>) {
        for action in actions {
            match action {
                // Done when it departed, and when it was found.
                Action::Divert | Action::Introduce => {}
                Action::Wake(Side::Reader) => self.inbound.nudge(),
                Action::Wake(Side::Sender) => {
                    self.outbound.interrupt();
                }
                Action::AskReader => self.ask_reader(),
                Action::Forward => self.forward(),
                Action::EndReader => self.end_reader(why.clone()),
                Action::StopSender => self.stop_sender(why.clone()),
            }
        }
    }

    fn ask_reader(self: &Arc<Self>) {
        let (Some(sender), Some(reader)) = self.dialogs() else {
            return;
        };
        let hear = |dialog: &Dialog, side| {
            if let Some(tie) = &dialog.tie {
                tie.set_home(Some((self.clone(), side)));
            }
        };
        hear(&sender, Side::Sender);
        hear(&reader, Side::Reader);
        reader.say(&Word::Await(self.token));
        // What happened before is not told again.
        if reader.outbound.is_shut() {
            self.handle(Event::Closed(Side::Reader), reader.outbound.shut().why);
        }
        if sender.inbound.ended().is_some() {
            self.handle(Event::Closed(Side::Sender), None);
        }
    }

    fn forward(&self) {
        if let (Some(sender), Some(reader)) = self.dialogs() {
            let (chunks, end) = sender.inbound.divert();
            pass_on(&chunks, &reader);
            match end {
                Some(Ended::Badly(error)) => reader.abandon(&error),
                Some(Ended::Well) | None => reader.finish(),
            }
        }
        self.release();
    }

    fn end_reader(&self, why: Option<Error>) {
        match (self.dialogs().1, why) {
            (Some(reader), Some(error)) => reader.abandon(&error),
            (Some(reader), None) => reader.finish(),
            (None, Some(error)) => {
                self.inbound.end(Ended::Badly(error));
            }
            (None, None) => {
                self.inbound.end(Ended::Well);
            }
        }
        self.release();
    }

    fn stop_sender(&self, why: Option<Error>) {
        match (self.dialogs().0, why) {
            (Some(sender), why) => {
                sender.inbound.stop();
                match why {
                    Some(error) => sender.send(Kind::Break, &error.encode()),
                    None => sender.send(Kind::Credit, &[]),
                }
            }
            (None, why) => {
                self.outbound.stop(why);
            }
        }
        self.release();
    }

    /// It has nothing to do with its dialogs any more.
    fn release(&self) {
        let (sender, reader) = {
            let mut state = self.lock();
            (state.sender.take(), state.reader.take())
        };
        for dialog in [sender, reader].into_iter().flatten() {
            if let Some(tie) = &dialog.tie {
                tie.set_home(None);
            }
        }
    }

    fn dialogs(&self) -> (Option<Arc<Dialog>>, Option<Arc<Dialog>>) {
        let state = self.lock();
        (state.sender.clone(), state.reader.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends items as they are, small ones together, and tells what they cost.
fn pass_on(chunks: &[Chunk], reader: &Dialog) -> i64 {
    let send = |frame: &[u8]| {
        // None is longer than one that was permitted.
        let _ = reader.link.send(Kind::Items, reader.outgoing(), frame);
    };
    let mut spent = 0;
    let (mut items, mut gathered) = (0, vec![0; FRAME_HEAD]);
    let flush = |items: &mut usize, gathered: &mut Vec<u8>| {
        // A window has far fewer items than this number may be.
        let count = u32::try_from(std::mem::take(items)).unwrap_or(u32::MAX);
        if count > 0 {
            gathered[..FRAME_HEAD].copy_from_slice(&count.to_le_bytes());
            send(gathered);
            gathered.truncate(FRAME_HEAD);
        }
    };
    for frame in chunks.iter().flat_map(Chunk::frames) {
        let (count, bytes) = (
            frame::count(frame).unwrap_or_default(),
            frame.get(FRAME_HEAD..),
        );
        let bytes = bytes.unwrap_or_default();
        spent += cost(count, bytes.len());
        if gathered.len() + bytes.len() >= SHARED_BYTES_MIN {
            flush(&mut items, &mut gathered);
        }
        match bytes.len() + FRAME_HEAD < SHARED_BYTES_MIN {
            true => {
                items += count;
                gathered.extend_from_slice(bytes);
            }
            false => send(frame),
        }
    }
    flush(&mut items, &mut gathered);
    spent
}

impl HomeEnd {
    fn new(home: Arc<Home>, side: Side) -> Self {
        let passed_on = AtomicBool::new(false);
        Self {
            home,
            side,
            passed_on,
        }
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// It is used here: it stays.
    #[cold]
    pub(super) fn begin(&self) {
        self.home.handle(Event::Used(self.side), None);
    }

    /// What leads to the other end, if that is in another actor. Then this is of no use any more.
    #[cold]
    pub(super) fn other_end(&self) -> Option<Arc<Dialog>> {
        let mut state = self.home.lock();
        let dialog = match self.side {
            Side::Sender => state.reader.take(),
            Side::Reader => state.sender.take(),
        };
        drop(state);
        if dialog.is_some() {
            self.passed_on.store(true, Ordering::Release);
        }
        dialog
    }

    /// The same, only to be asked.
    pub(super) fn has_dialog(&self) -> bool {
        let state = self.home.lock();
        match self.side {
            Side::Sender => state.reader.is_some(),
            Side::Reader => state.sender.is_some(),
        }
    }

    /// Whether what is sent would be in vain, as far as is known here.
    pub(super) fn is_shut(&self) -> bool {
        self.home.outbound.is_shut() && !self.has_dialog()
    }

    /// Closes it; `why`, if that is no regular end.
    pub(super) fn close(&self, why: Option<Error>) {
        if !self.passed_on.swap(true, Ordering::AcqRel) {
            self.home.handle(Event::Closed(self.side), why);
        }
    }

    /// Takes it out of its holder's hands, to be sent.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent.
    pub(super) fn pack(&self) -> Result<Self, Misuse> {
        if self.passed_on.load(Ordering::Acquire) {
            return Err(Misuse::EndSent);
        }
        {
            let mut state = self.home.lock();
            if state.ends.place(self.side) != Place::Here {
                return Err(Misuse::EndUsed);
            }
            state.ends.handle(Event::Packed(self.side));
        }
        self.passed_on.store(true, Ordering::Release);
        Ok(Self::new(self.home.clone(), self.side))
    }

    /// It was sent to this very actor.
    pub(super) fn unpack(&self) {
        self.home.handle(Event::Unpacked(self.side), None);
    }

    /// Whether the other end is with another actor.
    pub(super) fn is_other_away(&self) -> bool {
        let other = match self.side {
            Side::Sender => Side::Reader,
            Side::Reader => Side::Sender,
        };
        self.home.lock().ends.place(other) == Place::Away
    }

    /// It has gone over `dialog`.
    pub(super) fn depart(self, dialog: Arc<Dialog>) {
        self.passed_on.store(true, Ordering::Release);
        self.home.departed(self.side, dialog);
    }
}

impl Drop for HomeEnd {
    fn drop(&mut self) {
        self.close(None);
    }
}

impl fmt::Debug for HomeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.side, self.home.lock().ends)
    }
}
