//! [`Tie`]: what a dialog is that is no part of a call, but joins two ends of a stream; and how
//! the sender and the reader of a stream find each other when both have left.
//!
//! Everything here runs where frames are read: an end that nobody polls is heard nevertheless.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use serde::{Deserialize, Serialize};
use tractor_ipc::{FROM_CALLEE, Kind, codec, handshake};

use super::arrivals::{Held, Received};
use super::credit::WINDOW;
use super::ends::{Event, Side};
use super::home::{Home, HomeEnd};
use super::inbound::{Ended, Pushed};
use super::outbound::Outbound;
use super::way::Way;
use crate::actor::{self, Contact, current_actor};
use crate::dialog::Dialog;
use crate::ending::{Ending, Refusal};
use crate::error::Error;
use crate::io::link::Link;
use crate::peers::Hold;
use crate::portal::Portal;

/// What only whoever was told of a stream knows, so that its ends find each other.
pub(crate) type Token = [u8; 16];

/// What a dialog is besides that joins two ends of a stream.
pub(crate) struct Tie {
    /// Keeps the link open, if it was made here.
    hold: Option<Arc<Hold>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the actor that made the stream, while both ends are away: which of them this dialog
    /// leads to.
    home: Option<(Arc<Home>, Side)>,
    /// Of a sender: where the reader is.
    introduced: Option<Introduction>,
    /// Of a reader: where items come from after the end of this dialog.
    next: Option<Received>,
    /// Of a reader: by what the sender asks for it.
    token: Option<Token>,
}

/// What a `Meet` frame says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// To the reader: the sender will come and give this token. Where are you?
    Await(Token),
    /// The reader: I am here.
    At(Contact),
    /// To the sender: the reader is there and waits for this token.
    Go(Introduction),
}

/// Where a sender goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Introduction {
    token: Token,
    reader: Contact,
}

/// The readers that wait here for their senders, in the dialogs that they have so far.
static AWAITED: Mutex<Option<HashMap<Token, Weak<Dialog>>>> = Mutex::new(None);

impl Tie {
    pub(crate) fn new(hold: Option<Arc<Hold>>) -> Self {
        let state = Mutex::default();
        Self { hold, state }
    }

    /// Has the stream's maker told when this dialog is over, or no more.
    pub(super) fn set_home(&self, home: Option<(Arc<Home>, Side)>) {
        let before = std::mem::replace(&mut self.lock().home, home);
        drop(before);
    }

    /// Where the sender goes on, once.
    pub(super) fn take_introduction(&self) -> Option<Introduction> {
        self.lock().introduced.take()
    }

    pub(super) fn is_introduced(&self) -> bool {
        self.lock().introduced.is_some()
    }

    /// Where the reader goes on, once.
    pub(super) fn take_next(&self) -> Option<Received> {
        self.lock().next.take()
    }

    fn set_next(&self, next: Received) {
        let before = self.lock().next.replace(next);
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tie {
    fn drop(&mut self) {
        let token = self.lock().token.take();
        if let Some(token) = token {
            take_awaited(&token);
        }
        if let Some(hold) = self.hold.take().filter(|hold| hold.closes()) {
            // What was sent last has to arrive before the link may go.
            hold.link.clone().ping(move || drop(hold));
        }
    }
}

/// What arrives for a dialog between two ends, handled by whoever reads the link.
impl Dialog {
    /// What happened to the other end.
    pub(crate) fn broken(&self, payload: &[u8]) -> Pushed {
        if self.tie.is_none() {
            return Pushed::Violation("a stream of a call ends with the call");
        }
        match Error::decode(payload) {
            Ok(error) => self.lost(&error),
            Err(_) => return Pushed::Violation("what happened to a stream is no error"),
        }
        Pushed::Woke
    }

    /// Something happened to the other end, or to the link.
    pub(crate) fn lost(&self, error: &Error) {
        self.inbound.end(Ended::Badly(error.clone()));
        self.outbound.stop(Some(error.clone()));
        self.tell_home(Some(error.clone()));
    }

    /// Tells the actor's own record of the stream that the end at the other side is gone.
    pub(crate) fn tell_home(&self, why: Option<Error>) {
        let Some(tie) = &self.tie else { return };
        let home = tie.lock().home.clone();
        if let Some((home, side)) = home {
            home.handle(Event::Closed(side), why);
        }
    }

    /// How the ends of the stream find each other.
    pub(crate) fn meet(self: &Arc<Self>, payload: &[u8]) -> Pushed {
        let (Some(tie), Ok(word)) = (&self.tie, codec::decode(payload)) else {
            return Pushed::Violation("nobody is to be met here");
        };
        match word {
            Word::Await(token) => {
                if tie.lock().token.replace(token).is_some() {
                    return Pushed::Violation("a reader is to meet its sender twice");
                }
                awaited(|awaited| awaited.insert(token, Arc::downgrade(self)));
                if let Ok(actor) = current_actor() {
                    self.say(&Word::At(actor.contact()));
                }
                Pushed::Quiet
            }
            Word::At(contact) => {
                let home = tie.lock().home.clone();
                if let Some((home, _)) = home {
                    home.found(contact);
                }
                Pushed::Quiet
            }
            Word::Go(introduction) => {
                tie.lock().introduced = Some(introduction);
                match self.outbound.interrupt() {
                    true => Pushed::Woke,
                    false => Pushed::Quiet,
                }
            }
        }
    }

    pub(super) fn say(&self, word: &Word) {
        let payload = codec::encode(word).expect("a token and an address are encodable");
        self.send(Kind::Meet, &payload);
    }

    /// Closes its sending end, unless that is closed.
    pub(super) fn finish(&self) {
        if self.outbound.finish() {
            self.send(Kind::End, &[]);
            self.linger();
        }
    }

    /// Gives its sending end up because of an error, unless it is closed.
    pub(super) fn abandon(&self, error: &Error) {
        if self.outbound.finish() {
            self.send(Kind::Break, &error.encode());
            self.linger();
        }
    }

    /// Has the actor stay until what was sent has arrived. A call would wait for its answer.
    fn linger(&self) {
        if self.tie.is_some() {
            let lingering = Lingering::begin();
            self.link.ping(move || drop(lingering));
        }
    }
}

/// The last items of a stream, on their way.
struct Lingering;

struct Lingerers {
    count: usize,
    wakers: Vec<Waker>,
}

static LINGERERS: Mutex<Lingerers> = Mutex::new(Lingerers {
    count: 0,
    wakers: Vec::new(),
});

impl Lingering {
    fn begin() -> Self {
        lingerers().count += 1;
        Self
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let wakers = {
            let mut lingerers = lingerers();
            lingerers.count -= 1;
            std::mem::take(&mut lingerers.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Waits until the last items of all streams that were closed have arrived where they go, or
/// cannot.
pub(crate) async fn all_arrived() {
    poll_fn(|cx| {
        let waker = cx.waker().clone();
        let mut lingerers = lingerers();
        if lingerers.count == 0 {
            return Poll::Ready(());
        }
        lingerers.wakers.push(waker);
        Poll::Pending
    })
    .await;
}

fn lingerers() -> MutexGuard<'static, Lingerers> {
    LINGERERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Word {
    pub(super) fn go(token: Token, reader: Contact) -> Self {
        Self::Go(Introduction { token, reader })
    }
}

/// A token that nobody guesses.
pub(super) fn fresh_token() -> Token {
    let nonce = handshake::fresh_nonce();
    std::array::from_fn(|at| nonce[at])
}

fn awaited<R>(f: impl FnOnce(&mut HashMap<Token, Weak<Dialog>>) -> R) -> R {
    let mut awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
    f(awaited.get_or_insert_default())
}

fn take_awaited(token: &Token) -> Option<Weak<Dialog>> {
    awaited(|awaited| awaited.remove(token))
}

/// A sender has come over `link`, for the reader that waits for its token.
pub(crate) fn attached(link: &Arc<Link>, id: u64, payload: &[u8]) -> Result<(), &'static str> {
    let token = payload.try_into().map_err(|_| "a token has 16 bytes")?;
    let reader = take_awaited(&token).and_then(|reader| reader.upgrade());
    let tie = Tie::new(link.hold());
    let dialog = Dialog::of_ends(link, (id | FROM_CALLEE, id), Outbound::new(), tie);
    let Some(reader) = reader.filter(|reader| !reader.has_ended_badly()) else {
        let error = actor::local_error(Ending::Refused(Refusal::StreamStopped), None);
        dialog.send(Kind::Break, &error.encode());
        return Ok(());
    };
    let next = Received::Held(Held::new(dialog.clone(), Side::Reader));
    if let Some(tie) = &reader.tie {
        tie.set_next(next);
    }
    dialog.send(Kind::Credit, &WINDOW.to_le_bytes());
    if reader.has_ended_badly() {
        // Perhaps since a moment ago, and then nobody reads what comes next.
        let next = reader.tie.as_ref().and_then(|tie| tie.take_next());
        drop(next);
    }
    Ok(())
}

impl Dialog {
    fn has_ended_badly(&self) -> bool {
        matches!(self.inbound.ended(), Some(Ended::Badly(_)))
    }
}

/// A sender on its way to its reader, in a dialog that it has asked for.
struct Attaching(Option<Arc<Dialog>>);

impl Drop for Attaching {
    fn drop(&mut self) {
        // It was closed before it was there.
        self.0.take().into_iter().for_each(|dialog| dialog.finish());
    }
}

impl Introduction {
    /// Goes to the reader, and gives what leads to it, with credit.
    ///
    /// # Errors
    ///
    /// Its actor cannot be reached, or it is gone.
    pub(super) async fn follow(self) -> Result<(Way, i64), Error> {
        let portal = Portal::connect(self.reader).await?;
        let Some(hold) = portal.reach().await? else {
            return meet_here(&self.token).map(|end| (Way::Home(end), 0));
        };
        let link = hold.link.clone();
        let id = link.next_id();
        let tie = Tie::new(Some(hold));
        let outbound = Outbound::without_credit();
        let dialog = Dialog::of_ends(&link, (id, id | FROM_CALLEE), outbound, tie);
        let mut attaching = Attaching(Some(dialog.clone()));
        // A token is not near the limit.
        let _ = link.send(Kind::Attach, id, &self.token);
        let credit = dialog.outbound.drawn().await;
        let credit = credit.map_err(|shut| shut.into_error())?;
        attaching.0 = None;
        Ok((Way::Dialog(dialog), credit))
    }
}

/// The reader is in this very actor.
fn meet_here(token: &Token) -> Result<HomeEnd, Error> {
    let stopped = || actor::local_error(Ending::Refused(Refusal::StreamStopped), None);
    let reader = take_awaited(token).and_then(|reader| reader.upgrade());
    let reader = reader.ok_or_else(stopped)?;
    let (sender, next) = Home::used_ends();
    if let Some(tie) = &reader.tie {
        tie.set_next(Received::Home(next));
    }
    if reader.has_ended_badly() {
        let next = reader.tie.as_ref().and_then(|tie| tie.take_next());
        drop(next);
    }
    Ok(sender)
}

impl fmt::Debug for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tie")
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}
