//! [`Link`]: one connection to another actor, as the I/O threads see it.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tractor_ipc::codec::Shared;
use tractor_ipc::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};
use tractor_ipc::{ActorId, CloseReason, FrameDecoder, Kind, PayloadTooLong, Socket};

use super::engine;
use super::items::Appended;
use super::look::LookScore;
use super::poller::Interest;
use super::rest::Rest;
use super::token::ReadToken;
use super::write::{WriteQueue, Written};
use super::{noted, rest};
use crate::calls::{CallTable, Slot};
use crate::dialog::{Dialog, DialogTable};
use crate::error::Error;
use crate::invoke::RpcTask;
use crate::peers::Hold;
use crate::scope::Cancellation;
use crate::stream::arrivals::Arrivals;
use crate::stream::inbound::Ended;
use crate::tasks::TaskTable;
use crate::timer::{self, Timer};

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

#[derive(Debug)]
struct Traffic {
    opened: Instant,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// A link in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatistics {
    /// Who is at the other end.
    pub peer: ActorId,
    /// How long the link has been open.
    pub age: Duration,
    /// Bytes received, headers included.
    pub bytes_in: u64,
    /// Bytes sent or queued, headers included.
    pub bytes_out: u64,
    /// Bytes of the latter that the peer has not taken yet.
    pub bytes_queued: usize,
    /// Calls to the peer that await an answer.
    pub calls: usize,
    /// What these call, the longest wait first.
    pub calls_in_flight: Vec<String>,
    /// Tasks that the peer started here.
    pub tasks: usize,
}

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
            traffic: Traffic {
                opened: Instant::now(),
                bytes_in: AtomicU64::new(0),
                bytes_out: AtomicU64::new(0),
            },
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
        let bytes = item.len() as u64;
        self.traffic.bytes_out.fetch_add(bytes, Ordering::Relaxed);
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
        let bytes = (len + FRAME_HEADER_BYTES) as u64;
        self.traffic.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.traffic
            .bytes_in
            .fetch_add(bytes as u64, Ordering::Relaxed);
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
            Written::Broken => self.watch(|interest| interest.readable = true),
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

    /// Changes what the link is watched for.
    pub(crate) fn watch(&self, change: impl FnOnce(&mut Interest)) {
        let mut interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *interest;
        change(&mut interest);
        if *interest != before && !self.ended.load(Ordering::Acquire) {
            engine().watch(self.socket.as_fd(), self.key, *interest);
        }
    }

    /// Has the link read to its end, because the peer's process is gone. Bytes that a process
    /// which inherited the peer's end by mistake may still write are not waited for.
    pub fn end_after_reading(self: &Arc<Self>) {
        if !self.socket.is_tcp() {
            return self.end_when_empty();
        }
        // What it sent last may still be on its way, and the end of the stream comes behind it.
        let link = Arc::downgrade(self);
        let at = Instant::now() + LAST_BYTES_WITHIN;
        Timer::forget(timer::schedule(at, move || {
            if let Some(link) = link.upgrade() {
                link.end_when_empty();
            }
        }));
    }

    fn end_when_empty(self: &Arc<Self>) {
        self.ending.store(true, Ordering::Release);
        engine().serve_soon(self);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends the link. The first reason counts.
    pub fn close(self: &Arc<Self>, reason: &CloseReason) {
        {
            let _interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
            if self.ended.swap(true, Ordering::AcqRel) {
                return;
            }
            engine().remove(self.key, self.socket.as_fd());
        }
        self.writer.close();
        if self.unplan_flush() {
            engine().monitor.flush_made();
        }
        rest::end(self);
        // It fails only if the peer knows already.
        let _ = self.socket.shutdown_write();
        let tasks = self.tasks().close();
        if !tasks.is_empty() {
            engine().linger(self);
        }
        for task in tasks {
            task.cancel_for_lost_peer();
        }
        self.end_callee_dialogs();
        self.owner.closed(self, reason);
    }

    /// Ends what was said during calls of the peer. Our own calls end when it is known how the
    /// peer did, with [`lose_calls`](Self::lose_calls).
    fn end_callee_dialogs(&self) {
        let dialogs: Vec<_> = self.dialogs().values().filter_map(Weak::upgrade).collect();
        for dialog in dialogs.iter().filter(|dialog| dialog.ends_with_link()) {
            dialog.end(&Ended::Well, None);
        }
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Fails all calls that await an answer, and all later ones.
    pub fn lose_calls(&self, error: Error) {
        let lost = self.calls().lose(error.clone());
        for (id, slot) in lost {
            noted::call_over(self, id);
            slot.fill(crate::calls::Reply::Lost(error.clone()));
        }
        let pongs = std::mem::take(&mut *self.pongs());
        drop(pongs);
        self.arrivals.clear();
        let dialogs: Vec<_> = self.dialogs().values().filter_map(Weak::upgrade).collect();
        for dialog in dialogs.iter().filter(|dialog| dialog.tie.is_some()) {
            dialog.lost(&error);
        }
    }

    /// Why no answer comes over it any more, once that is known.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.calls().lost().cloned()
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

    pub(crate) fn pong(&self, id: u64) {
        let pong = {
            let mut pongs = self.pongs();
            let at = pongs.iter().position(|(of, _)| *of == id);
            at.map(|at| pongs.swap_remove(at).1)
        };
        pong.into_iter().for_each(|pong| pong());
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

    /// The link in numbers; `None` before the peer proved itself.
    pub fn statistics(&self) -> Option<LinkStatistics> {
        let calls_in_flight = self.calls().in_flight();
        Some(LinkStatistics {
            peer: self.peer()?.clone(),
            age: self.traffic.opened.elapsed(),
            bytes_in: self.traffic.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.traffic.bytes_out.load(Ordering::Relaxed),
            bytes_queued: self.writer.queued_bytes(),
            calls: calls_in_flight.len(),
            calls_in_flight,
            tasks: self.tasks().len(),
        })
    }
}

/// How long the end of a TCP stream may take to arrive when the peer's process is gone: a second,
/// in which all that the kernel holds for a link of this machine is read many times over.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(1);

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
