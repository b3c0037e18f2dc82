//! [`Link`]: one connection to another actor, as the I/O threads see it.

// How it ends.
mod end;
// It in numbers.
mod traffic;

use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tractor_ipc::codec::Shared;
use tractor_ipc::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};
use tractor_ipc::{ActorId, CloseReason, FrameDecoder, Kind, PayloadTooLong, Socket};

pub use self::traffic::LinkStatistics;
use self::traffic::Traffic;
use super::engine;
use super::items::Appended;
use super::look::LookScore;
use super::noted;
use super::rest::Rest;
use super::token::ReadToken;
use super::write::{WriteQueue, Written};
use crate::calls::{CallTable, Slot};
use crate::dialog::{Dialog, DialogTable};
use crate::error::Error;
use crate::invoke::RpcTask;
use crate::os::Interest;
use crate::peers::Hold;
use crate::scope::Cancellation;
use crate::stream::arrivals::Arrivals;
use crate::tasks::TaskTable;

/// What a link is for: it is told of every frame that is not about calls, and of the end.
///
/// Its functions run on a runtime thread. They are short, never wait and run no user code.
pub trait LinkOwner: Send + Sync + 'static {
    /// A frame came that is neither a call's nor a ping.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the link is then closed with that reason.
    fn frame(&self, link: &Arc<Link>, kind: Kind, id: u64, payload: &[u8]) -> Result<(), String>;

    /// The peer's end is closed, or the link broke; all that had arrived was handled. The owner
    /// has [`Link::lose_calls`] called, now or when it knows why.
    fn closed(&self, link: &Arc<Link>, reason: &CloseReason);

    /// Somebody here is about to ask the peer to end. What it answers from then on may be of that,
    /// before [`cancel`](Self::cancel) is called.
    fn will_cancel(&self, _cancellation: &Cancellation) {}

    /// Somebody here wants the peer's process to end within `remaining`. An owner that owns the
    /// process sees to it that it does; the others can only ask, which the caller does anyway.
    fn cancel(&self, _cancellation: &Cancellation, _remaining: Duration) {}

    /// The peer says that it is cancelling itself, within `remaining`, because somebody asked. An
    /// owner of its process that has asked it itself knows better how much time it has.
    fn is_cancelling(&self, _cancellation: &Cancellation, _remaining: Duration) {}
}

/// One connection to another actor.
///
/// Frames of many threads leave whole and in order; answers are matched with calls; tasks that
/// the peer started live no longer than the link.
pub struct Link {
    key: u64,
    peer: OnceLock<ActorId>,
    pub(crate) socket: Socket,
    pub(crate) reader: ReadToken<FrameDecoder>,
    writer: WriteQueue,
    interest: Mutex<Interest>,
    pub(crate) look: LookScore,
    pub(super) rest: Rest,
    pub(crate) calls: Mutex<CallTable>,
    pub(crate) tasks: Mutex<TaskTable<Arc<RpcTask>>>,
    dialogs: Mutex<DialogTable>,
    /// Ends of streams that came for calls and answers which did not come yet.
    pub(crate) arrivals: Arrivals,
    hold: OnceLock<Weak<Hold>>,
    /// Calls over this link whose answer nobody has taken yet, for the decision whether to gather
    /// frames. Answers that arrived together are taken one by one, and whoever takes one often
    /// makes the next call at once.
    pub(crate) calls_out: AtomicUsize,
    next_id: AtomicU64,
    /// Whether the peer may do more than shake hands.
    open: AtomicBool,
    ended: AtomicBool,
    /// Set when the peer's process is known to be gone: what is readable is read, then it ends.
    ending: AtomicBool,
    flush_planned: AtomicBool,
    owner: Box<dyn LinkOwner>,
    traffic: Traffic,
    pongs: Mutex<Pongs>,
}

/// Pings that were sent, and what is called when the answer comes.
type Pongs = Vec<(u64, Box<dyn FnOnce() + Send>)>;

impl Link {
    /// Takes a connection into the runtime's care. `peer` is `None` if it has to prove itself
    /// first; until [`open`](Self::open) every frame goes to the owner.
    ///
    /// # Errors
    ///
    /// Those of `epoll_ctl(2)`: too many watches.
    pub fn start(
        socket: Socket,
        decoder: FrameDecoder,
        peer: Option<ActorId>,
        owner: Box<dyn LinkOwner>,
    ) -> std::io::Result<Arc<Self>> {
        let link = engine().add_link(|key| Self {
            key,
            open: AtomicBool::new(peer.is_some()),
            peer: peer.map(OnceLock::from).unwrap_or_default(),
            socket,
            reader: ReadToken::new(decoder),
            writer: WriteQueue::default(),
            interest: Mutex::new(Interest::READ),
            look: LookScore::new(),
            rest: Rest::default(),
            calls: Mutex::default(),
            tasks: Mutex::default(),
            dialogs: Mutex::default(),
            arrivals: Arrivals::default(),
            hold: OnceLock::new(),
            calls_out: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            ended: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            flush_planned: AtomicBool::new(false),
            owner,
            traffic: Traffic::begin(),
            pongs: Mutex::default(),
        })?;
        // Frames that were read before, by whoever made the connection, raise no event.
        engine().serve_soon(&link);
        Ok(link)
    }

    /// Lets the peer call functions: it has proved to be `peer`.
    pub fn open(&self, peer: ActorId) {
        // A second proof cannot come: the handshake is over after the first.
        let _ = self.peer.set(peer);
        self.open.store(true, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Who is at the other end; `None` before it proved itself.
    pub fn peer(&self) -> Option<&ActorId> {
        self.peer.get()
    }

    /// The key that tells this link from all others of this process.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// A number that no other frame on this link in our direction has as id.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether [`next_id`](Self::next_id) has given this number.
    pub(crate) fn has_given(&self, id: u64) -> bool {
        id != 0 && id < self.next_id.load(Ordering::Relaxed)
    }

    /// Sends a frame now. On a link that has ended it goes nowhere; the end is reported by
    /// [`LinkOwner::closed`].
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`]; nothing was sent.
    pub fn send(&self, kind: Kind, id: u64, payload: &[u8]) -> Result<(), PayloadTooLong> {
        self.send_with(kind, id, payload, false)
    }

    /// As [`send`](Self::send); a corked frame waits for the next flush.
    pub(crate) fn send_with(
        &self,
        kind: Kind,
        id: u64,
        payload: &[u8],
        corked: bool,
    ) -> Result<(), PayloadTooLong> {
        self.count_out(payload.len())?;
        noted::sent(self, kind, id);
        self.heed(self.writer.send(&self.socket, (kind, id), payload, corked));
        Ok(())
    }

    /// As [`send_with`](Self::send_with), for a payload that is not needed here any more.
    pub(crate) fn send_owned(
        &self,
        kind: Kind,
        id: u64,
        payload: Vec<u8>,
        corked: bool,
    ) -> Result<(), PayloadTooLong> {
        self.count_out(payload.len())?;
        noted::sent(self, kind, id);
        self.heed(
            self.writer
                .send_owned(&self.socket, (kind, id), payload, corked),
        );
        Ok(())
    }

    /// Appends a small item to a stream; it leaves with the next flush.
    #[inline]
    pub(crate) fn append_item(&self, id: u64, item: &[u8]) -> Appended {
        let appended = self.writer.append_item(id, item);
        self.traffic.sent(item.len());
        appended
    }

    /// Sends a large item of a stream now.
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`]; nothing was sent.
    pub(crate) fn send_item(
        &self,
        id: u64,
        encoded: &[u8],
        shared: Option<Shared>,
    ) -> Result<(), PayloadTooLong> {
        let apart = shared.as_ref().map_or(0, |shared| shared.bytes.len());
        self.count_out(4 + encoded.len() + apart)?;
        self.heed(self.writer.send_item(&self.socket, id, encoded, shared));
        Ok(())
    }

    fn count_out(&self, len: usize) -> Result<(), PayloadTooLong> {
        if len > FRAME_BYTES_MAX {
            return Err(PayloadTooLong { len });
        }
        self.traffic.sent(len + FRAME_HEADER_BYTES);
        Ok(())
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.traffic.received(bytes);
    }

    /// Sends what was corked.
    pub(crate) fn flush(&self) {
        self.heed(self.writer.flush(&self.socket));
    }

    pub(crate) fn on_writable(&self) {
        self.watch(|interest| interest.writable = false);
        self.heed(self.writer.writable(&self.socket));
    }

    fn heed(&self, written: Written) {
        match written {
            Written::Done => {}
            Written::Full => self.watch(|interest| interest.writable = true),
            // The reader finds the end, after whatever has arrived before it.
            Written::Broken => self.arm(),
        }
    }

    /// Marks that a flush is on its way, and tells whether it was not before.
    pub(crate) fn plan_flush(&self) -> bool {
        !self.flush_planned.swap(true, Ordering::SeqCst)
    }

    /// Whether a flush was on its way; it is not any more.
    pub(crate) fn unplan_flush(&self) -> bool {
        self.flush_planned.load(Ordering::Relaxed)
            && self.flush_planned.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn is_flush_planned(&self) -> bool {
        self.flush_planned.load(Ordering::Relaxed)
    }

    /// Has the leader wake when there is something to read.
    pub(crate) fn arm(&self) {
        self.watch(|interest| interest.readable = true);
    }

    /// Does not have it wake for that: somebody else reads, or the link rests.
    pub(crate) fn disarm(&self) {
        self.watch(|interest| interest.readable = false);
    }

    /// Changes what the link is watched for.
    fn watch(&self, change: impl FnOnce(&mut Interest)) {
        let mut interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *interest;
        change(&mut interest);
        if *interest != before && !self.ended.load(Ordering::Acquire) {
            engine().watch(self.socket.as_fd(), self.key, *interest);
        }
    }

    /// Who keeps it open, if it was made here for its users.
    pub(crate) fn hold(&self) -> Option<Arc<Hold>> {
        self.hold.get()?.upgrade()
    }

    /// Tells it who keeps it open, once.
    pub(crate) fn set_hold(&self, hold: &Arc<Hold>) {
        // A link is made by one.
        let _ = self.hold.set(Arc::downgrade(hold));
    }

    /// The calls that await an answer, by name, the oldest first.
    pub fn calls_in_flight(&self) -> Vec<String> {
        self.calls().in_flight()
    }

    pub(crate) fn enter_call(&self, id: u64, slot: Arc<Slot>) -> Result<(), Error> {
        noted::call(self, id, slot.what());
        self.calls()
            .insert(id, slot)
            .inspect_err(|_| noted::call_over(self, id))
    }

    pub(crate) fn leave_call(&self, id: u64) -> Option<Arc<Slot>> {
        let slot = self.calls().remove(id)?;
        noted::call_over(self, id);
        Some(slot)
    }

    /// Counts a call that somebody waits for, until its answer is taken.
    pub(crate) fn await_call(self: &Arc<Self>) -> Awaited {
        self.calls_out.fetch_add(1, Ordering::Relaxed);
        engine().calls_out.fetch_add(1, Ordering::Relaxed);
        Awaited(self.clone())
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, CallTable> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tasks(&self) -> MutexGuard<'_, TaskTable<Arc<RpcTask>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dialogs(&self) -> MutexGuard<'_, DialogTable> {
        self.dialogs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dialog that a frame of this id belongs to, unless it is over.
    pub(crate) fn dialog(&self, id: u64) -> Option<Arc<Dialog>> {
        self.dialogs().get(&id).and_then(Weak::upgrade)
    }

    /// Asks the peer's runtime for a sign of life; `pong` is called when it comes and dropped if
    /// it cannot come any more.
    pub(crate) fn ping(&self, pong: impl FnOnce() + Send + 'static) {
        let id = self.next_id();
        if !self.is_closed() {
            self.pongs().push((id, Box::new(pong)));
            // A ping has no payload that could be too long.
            let _ = self.send(Kind::Ping, id, &[]);
        }
        if self.is_closed() {
            // Perhaps since a moment ago, and then nobody would come for it.
            let unanswered = std::mem::take(&mut *self.pongs());
            drop(unanswered);
        }
    }

    /// The answer to a ping; tells whether it was waited for.
    pub(crate) fn pong(&self, id: u64) -> bool {
        let pong = {
            let mut pongs = self.pongs();
            let at = pongs.iter().position(|(of, _)| *of == id);
            at.map(|at| pongs.swap_remove(at).1)
        };
        let is_awaited = pong.is_some();
        pong.into_iter().for_each(|pong| pong());
        is_awaited
    }

    fn pongs(&self) -> MutexGuard<'_, Pongs> {
        self.pongs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the owner of the peer's process that the peer is cancelling itself.
    pub fn peer_is_cancelling(&self, cancellation: &Cancellation, remaining: Duration) {
        self.owner.is_cancelling(cancellation, remaining);
    }

    /// Tells the owner of the peer's process that the peer is about to be asked to end.
    pub(crate) fn will_cancel_peer(&self, cancellation: &Cancellation) {
        self.owner.will_cancel(cancellation);
    }

    /// Has the owner of the peer's process end it within `remaining`, if that is the link's.
    pub fn cancel_peer(&self, cancellation: &Cancellation, remaining: Duration) {
        self.owner.cancel(cancellation, remaining);
    }

    pub(crate) fn owner(&self) -> &dyn LinkOwner {
        &*self.owner
    }
}

/// A call whose answer nobody has taken yet.
pub(crate) struct Awaited(Arc<Link>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.calls_out.fetch_sub(1, Ordering::Relaxed);
        engine().calls_out.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("key", &self.key)
            .field("peer", &self.peer.get())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
