//! [`Lead`], the leader's role, and the rounds of whoever has it.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tractor_ipc::CloseReason;
use tractor_ipc::limits::FRAME_BYTES_MAX;

use super::link::Link;
use super::look::LookScore;
use super::poller::Ready;
use super::{Engine, Entry, Job, Watch, looking};
use crate::actor_loop::{self, Next};
use crate::invoke::RpcTask;
use crate::panics;
use crate::rt;

/// Most user code of one round. Beyond it fresh tasks go to the executor, so that the events
/// behind them are not kept waiting.
const ROUND_USER: Duration = Duration::from_micros(200);
/// How often a link is read in one round before the others have their turn.
const READS_MAX: u32 = 16;
/// How long answers are gathered while more calls wait in the same batch.
const CORK: Duration = Duration::from_micros(50);
/// Threads that may lead, those included that are stuck in user code. When all but one are,
/// nothing is polled inline any more until one comes back.
const THREADS_MAX: usize = 8;

/// Who leads. The word counts the changes of the role, times two, plus one while the leader is
/// inside user code; whoever advances it takes the role.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    word: AtomicU64,
    /// Advances whenever the leader enters user code.
    sequence: AtomicU64,
    spares: Mutex<Spares>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Spares {
    /// Threads that wait for the role.
    waiting: usize,
    /// All threads that may lead.
    threads: usize,
    /// A role that nobody has taken up yet.
    vacant: Option<u64>,
}

impl Spares {
    /// Threads that wait and are not about to take up the role.
    fn idle(&self) -> usize {
        self.waiting
            .saturating_sub(usize::from(self.vacant.is_some()))
    }
}

/// Whether this thread has the leader's role after something that ran user code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Kept,
    Lost,
}

thread_local! {
    /// The count of role changes under which this thread leads, or `NONE`.
    static LEADING: Cell<u64> = const { Cell::new(NONE) };
}

const NONE: u64 = u64::MAX;

/// Whether this thread leads.
pub(crate) fn is_leader() -> bool {
    LEADING.get() != NONE
}

impl Lead {
    /// What the monitor compares from tick to tick.
    pub(crate) fn observe(&self) -> (u64, u64) {
        (
            self.word.load(Ordering::SeqCst),
            self.sequence.load(Ordering::SeqCst),
        )
    }

    /// Takes the role away from a leader that was inside user code when `word` was observed, if
    /// it still is and somebody else can lead.
    pub(crate) fn take_away(&self, word: u64) -> bool {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if word & 1 == 0 || spares.idle() == 0 {
            return false;
        }
        let next = (word | 1) + 1;
        if self
            .word
            .compare_exchange(word, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return false;
        }
        spares.vacant = Some(next >> 1);
        drop(spares);
        self.wake.notify_one();
        true
    }

    /// Whether the role could be given to another thread at once.
    fn has_spare(&self) -> bool {
        self.spares
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .idle()
            > 0
    }

    /// Gives up the role of this thread, if it still has it, for any thread to take up.
    fn hand_on(&self) {
        let epoch = LEADING.replace(NONE);
        if epoch == NONE {
            return;
        }
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        let word = self.word.load(Ordering::SeqCst);
        let (ours, next) = (word >> 1 == epoch, (epoch + 1) << 1);
        let exchange = || {
            self.word
                .compare_exchange(word, next, Ordering::SeqCst, Ordering::SeqCst)
        };
        if ours && exchange().is_ok() {
            spares.vacant = Some(epoch + 1);
            drop(spares);
            self.wake.notify_one();
        }
    }

    /// Whether another thread should be started, so that one is spare.
    pub(crate) fn wants_thread(&self) -> bool {
        let spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        spares.idle() == 0 && spares.threads < THREADS_MAX
    }

    /// Waits until this thread is to lead.
    fn wait_for_role(&self) -> u64 {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        spares.waiting += 1;
        loop {
            if let Some(epoch) = spares.vacant.take() {
                spares.waiting -= 1;
                return epoch;
            }
            spares = self
                .wake
                .wait(spares)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Starts the thread that leads first.
pub(super) fn start_first(engine: &'static Engine) -> io::Result<()> {
    {
        let mut spares = engine
            .lead
            .spares
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spares.vacant = Some(0);
    }
    engine.lead.wake.notify_one();
    start_spare(engine)
}

/// Starts one more thread that may lead.
pub(crate) fn start_spare(engine: &'static Engine) -> io::Result<()> {
    let threads = |change: fn(&mut usize)| {
        change(
            &mut engine
                .lead
                .spares
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .threads,
        );
    };
    threads(|n| *n += 1);
    let body = move || {
        loop {
            let epoch = engine.lead.wait_for_role();
            LEADING.set(epoch);
            let led = panics::catch(|| rt::inline_surroundings(|| lead(engine)));
            if let Err(panicked) = led {
                log::error!("a waker or a callback panicked on a runtime thread: {panicked:?}");
                engine.lead.hand_on();
            }
        }
    };
    let started = thread::Builder::new()
        .name("tractor-io".to_owned())
        .spawn(body);
    if started.is_err() {
        threads(|n| *n -= 1);
    }
    started.map(drop)
}

/// Whether this thread leads and nobody has taken the role away since.
pub(crate) fn still_leads(engine: &Engine) -> bool {
    LEADING.get() != NONE && engine.lead.word.load(Ordering::Relaxed) == LEADING.get() << 1 | 1
}

/// Whether this thread leads, be it inside user code.
pub(crate) fn leads_now(engine: &Engine) -> bool {
    LEADING.get() != NONE && engine.lead.word.load(Ordering::SeqCst) >> 1 == LEADING.get()
}

/// Runs user code. On the leader's thread the role may be taken away meanwhile.
pub(crate) fn user_code<R>(engine: &Engine, f: impl FnOnce() -> R) -> (R, Role) {
    let epoch = LEADING.get();
    if epoch == NONE {
        return (f(), Role::Kept);
    }
    let lead = &engine.lead;
    lead.sequence.fetch_add(1, Ordering::Relaxed);
    lead.word.store(epoch << 1 | 1, Ordering::SeqCst);
    engine.monitor.wake();
    let result = f();
    let (inside, outside) = (epoch << 1 | 1, epoch << 1);
    if lead
        .word
        .compare_exchange(inside, outside, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
    {
        (result, Role::Kept)
    } else {
        LEADING.set(NONE);
        (result, Role::Lost)
    }
}

/// Leads until the role is lost.
fn lead(engine: &'static Engine) {
    let mut ready = Vec::new();
    // Frames that the previous leader had read but not handled raise no event.
    for link in engine.links() {
        // Answers that the previous leader had gathered.
        link.flush();
        if serve(engine, &link, &mut Round::default()) == Role::Lost {
            return;
        }
    }
    let mut look = Look::default();
    loop {
        if !look.finds(engine, &mut ready) {
            let timeout = engine.timers().sleep(engine.now());
            let timeout = if engine.has_jobs() {
                Some(Duration::ZERO)
            } else {
                timeout
            };
            engine.poller.wait(&mut ready, timeout);
            engine.timers().woke(engine.now());
            look.waited();
        }
        let mut round = Round::default();
        for &event in &ready {
            if handle(engine, event, &mut round) == Role::Lost {
                return;
            }
        }
        // After the events: what arrived before a timer went off counts as having come in time.
        if run_jobs(engine, &mut round) == Role::Lost {
            return;
        }
        ring(engine);
        look.after(engine, &round);
    }
}

/// What one round of the leader has done so far.
#[derive(Default)]
pub(super) struct Round {
    user: Duration,
    answered: u32,
    /// Somebody else has something to do now.
    woke: bool,
}

impl Round {
    /// Whether it did nothing but answer: that peer's next call is likely to follow at once.
    fn only_answered(&self, engine: &Engine) -> bool {
        self.answered > 0 && !self.woke && engine.tasks_in.load(Ordering::Relaxed) == 0
    }
}

/// The leader's own looking: waiting for the next event without going to sleep.
#[derive(Default)]
struct Look {
    score: LookScore,
    wanted: bool,
    /// Since when the leader waits in a case in which it might have looked.
    since: Option<Instant>,
}

impl Look {
    fn after(&mut self, engine: &Engine, round: &Round) {
        let candidate = !engine.is_one_core() && !engine.has_jobs() && round.only_answered(engine);
        self.since = candidate.then(Instant::now);
        self.wanted = candidate && self.score.worthwhile();
    }

    fn finds(&mut self, engine: &Engine, ready: &mut Vec<Ready>) -> bool {
        if !std::mem::take(&mut self.wanted) {
            return false;
        }
        let mut woken = false;
        let spun = looking::spin(self.score.is_probing(), || {
            woken = engine.poller.wait(ready, Some(Duration::ZERO));
            woken
        });
        self.since = None;
        match spun {
            Some(true) if !ready.is_empty() => self.score.hit(),
            // Somebody had work for the leader, which says nothing about the peer.
            Some(true) => {}
            Some(false) => self.score.miss(),
            None => self.score.disturbed(),
        }
        woken
    }

    fn waited(&mut self) {
        if let Some(since) = self.since.take() {
            self.score.waited(since.elapsed());
        }
    }
}

fn handle(engine: &'static Engine, event: Ready, round: &mut Round) -> Role {
    match engine.entry(event.key) {
        Some(Entry::Link(link)) => {
            if event.writable {
                link.on_writable();
            }
            if event.readable {
                serve(engine, &link, round)
            } else {
                Role::Kept
            }
        }
        Some(Entry::Source(source)) => {
            if source.clone().ready() == Watch::End {
                super::unwatch(super::SourceKey(event.key));
            }
            Role::Kept
        }
        // It was removed by the handling of an earlier event of the same round.
        None => Role::Kept,
    }
}

fn run_jobs(engine: &'static Engine, round: &mut Round) -> Role {
    while let Some(job) = engine.pop() {
        let role = match job {
            Job::Serve(link) => serve(engine, &link, round),
            Job::Flush(link) => {
                link.flush();
                Role::Kept
            }
            Job::Drop(task) if engine.lead.has_spare() => user_code(engine, || task.drop_body()).1,
            Job::Drop(task) => {
                // A destructor that blocks could not be got out of the way.
                rt::spawn_blocking(move || task.drop_body());
                Role::Kept
            }
            Job::Run(f) => {
                f();
                Role::Kept
            }
        };
        if role == Role::Lost {
            // The queue is not empty or will be filled by somebody who found it so: either way
            // the next leader looks into it before it sleeps.
            return Role::Lost;
        }
    }
    Role::Kept
}

fn ring(engine: &Engine) {
    let now = engine.now();
    loop {
        // Bound to a name, so that the lock is released before the alarm goes off.
        let alarm = engine.timers().pop_due(now);
        let Some(alarm) = alarm else { return };
        alarm();
    }
}

impl Engine {
    fn has_jobs(&self) -> bool {
        !self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// What came of reading a link once.
enum Read {
    /// Bytes; `all` tells that the socket is empty now.
    Bytes {
        all: bool,
    },
    Nothing,
    End(CloseReason),
}

/// Reads a link and handles what there is, unless somebody else reads it.
pub(super) fn serve(engine: &'static Engine, link: &Arc<Link>, round: &mut Round) -> Role {
    if link.is_closed() {
        return Role::Kept;
    }
    let Some(mut decoder) = take_or_disarm(link) else {
        return Role::Kept;
    };
    let (mut empty, mut reads, mut cork) = (false, 0, Cork::default());
    let mut limit_raised = false;
    let end = loop {
        if !limit_raised && link.is_open() {
            decoder.set_max_payload(FRAME_BYTES_MAX);
            limit_raised = true;
        }
        let next = match decoder.next() {
            Ok(Some(frame)) => Some(actor_loop::dispatch(link, frame)),
            Ok(None) => None,
            Err(error) => break Some(CloseReason::Frame(error)),
        };
        match next {
            Some(Next::Done) => {}
            Some(Next::Woke) => round.woke = true,
            Some(Next::Violation(reason)) => break Some(violation(reason)),
            Some(Next::Start(task)) => {
                if task.is_cancelled() {
                    engine.push(Job::Drop(task));
                    continue;
                }
                let more = decoder.has_frame();
                if !may_inline(engine, &task, round) {
                    round.woke = true;
                    task.spawn();
                    continue;
                }
                release_and_arm(link, decoder);
                let role = first_poll(engine, link, &task, round, more.then_some(&mut cork));
                if role == Role::Lost {
                    return Role::Lost;
                }
                match take_or_disarm(link) {
                    Some(again) => decoder = again,
                    None => {
                        cork.end(link);
                        return Role::Kept;
                    }
                }
            }
            None if empty || reads == READS_MAX => break None,
            None => {
                // Who waits for these answers has nothing to do until they come.
                cork.end(link);
                reads += 1;
                match read(link, &mut decoder) {
                    Read::Bytes { all } => empty = all && !link.is_ending(),
                    Read::Nothing => empty = true,
                    Read::End(reason) => break Some(reason),
                }
            }
        }
    };
    cork.end(link);
    let end = end.or_else(|| (empty && link.is_ending()).then_some(CloseReason::PeerClosed));
    release_and_arm(link, decoder);
    if let Some(reason) = end {
        link.close(&reason);
    }
    Role::Kept
}

fn violation(message: String) -> CloseReason {
    CloseReason::Os {
        kind: io::ErrorKind::InvalidData,
        message,
    }
}

type Reader<'a> = std::sync::MutexGuard<'a, tractor_ipc::FrameDecoder>;

/// Takes the right to read, or has the one who reads say when it is free again.
fn take_or_disarm(link: &Link) -> Option<Reader<'_>> {
    if let Some(decoder) = link.reader.try_take() {
        return Some(decoder);
    }
    // The socket is readable and not ours to read: watching it further would spin. Disarmed
    // before the note is left, so that the holder's re-arming comes after.
    link.watch(|interest| interest.readable = false);
    let decoder = link.reader.take_or_note();
    if decoder.is_some() {
        link.watch(|interest| interest.readable = true);
    }
    decoder
}

pub(super) fn release_and_arm(link: &Link, decoder: Reader<'_>) {
    if link.reader.release(decoder) {
        link.watch(|interest| interest.readable = true);
    }
}

fn read(link: &Link, decoder: &mut Reader<'_>) -> Read {
    let room = decoder.room_bytes();
    match link.socket.recv(&mut decoder.room()) {
        Ok(0) => Read::End(match decoder.eof() {
            Ok(()) => CloseReason::PeerClosed,
            Err(error) => CloseReason::Frame(error),
        }),
        Ok(n) => {
            decoder.advance(n);
            link.count_in(n);
            Read::Bytes { all: n < room }
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
        Err(error) => Read::End(CloseReason::Os {
            kind: error.kind(),
            message: error.to_string(),
        }),
    }
}

/// Reads a link on behalf of a waiter; `None` is its end, which the leader will meet.
pub(super) fn read_for_waiter(link: &Link, decoder: &mut Reader<'_>) -> Option<bool> {
    match read(link, decoder) {
        Read::Bytes { .. } => Some(true),
        Read::Nothing => Some(false),
        Read::End(_) => None,
    }
}

fn may_inline(engine: &Engine, task: &RpcTask, round: &Round) -> bool {
    let quick = engine
        .pace(task.export_index())
        .is_some_and(|pace| pace.is_quick(engine.now()));
    if !quick || !task.may_inline() || round.user >= ROUND_USER {
        return false;
    }
    let has_spare = engine.lead.has_spare();
    if !has_spare {
        // The monitor starts one, if there may be more.
        engine.monitor.wake();
    }
    has_spare
}

/// Polls a fresh task where its call was read.
fn first_poll(
    engine: &'static Engine,
    link: &Arc<Link>,
    task: &Arc<RpcTask>,
    round: &mut Round,
    cork: Option<&mut Cork>,
) -> Role {
    let begin = Instant::now();
    let (answer, role) = user_code(engine, || task.poll_inline());
    let took = begin.elapsed();
    round.user += took;
    if role == Role::Lost
        && let Some(pace) = engine.pace(task.export_index())
    {
        pace.held_up(engine.now());
    }
    match answer {
        Some(answer) => {
            round.answered += 1;
            let corked = role == Role::Kept && cork.is_some();
            task.answer(answer, corked);
            if let Some(cork) = cork.filter(|_| corked) {
                cork.add(link);
            } else {
                link.flush();
            }
        }
        None => round.woke |= task.rest_inline(),
    }
    role
}

/// Answers that are gathered while more calls of the same batch are being handled.
#[derive(Default)]
struct Cork {
    since: Option<Instant>,
}

impl Cork {
    fn add(&mut self, link: &Link) {
        if self.since.get_or_insert_with(Instant::now).elapsed() > CORK {
            self.end(link);
        }
    }

    fn end(&mut self, link: &Link) {
        if self.since.take().is_some() {
            link.flush();
        }
    }
}
