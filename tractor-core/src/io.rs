//! The runtime's own threads: they read links, run timers, watch processes and deliver cancels
//! while user code does whatever it does.
//!
//! One thread *leads*: it waits for events and serves them, and polls a fresh RPC task once where
//! its call was read. The *monitor* sleeps unless there is traffic; it takes the lead away from a
//! thread whose user code holds it up, and gives it to a *spare*. A task that waits for an answer
//! may read the link itself for a moment (`looking.rs`). `docs/design/io-threads.md` tells why.

// Who reads a link.
pub(crate) mod token;
// Whether a waiter should read it itself.
pub(crate) mod look;
// Whether a function may run where its call was read.
pub(crate) mod pace;
// Frames on their way out, and items of streams among them.
pub(crate) mod items;
pub(crate) mod write;
// One connection.
pub mod link;
// What of it stands in the journal.
pub(crate) mod noted;
// What peers did that they should not.
pub(crate) mod counts;
// Calls that are sent together.
pub mod gather;
// Who leads, what the leader does in a round, and with one link.
mod leader;
pub(crate) mod role;
mod serve;
// Who sees to it that somebody leads.
pub(crate) mod monitor;
// A waiter reads, and the link is not watched meanwhile.
pub(crate) mod looking;
mod rest;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use self::counts::Counts;
use self::link::Link;
use self::monitor::Monitor;
use self::pace::Pace;
use self::role::Lead;
use crate::exports;
use crate::invoke::RpcTask;
use crate::os::{Interest, Poller};
use crate::rt;
use crate::timer::{Alarm, TimerKey, TimerQueue};

/// Something other than a link whose readiness the leader waits for: a process that may exit, a
/// listener.
pub trait Source: Send + Sync + 'static {
    /// What is waited for.
    fn fd(&self) -> BorrowedFd<'_>;

    /// It is ready. Short, never waits, runs no user code. The source is not watched any more if
    /// this gives [`Watch::End`].
    fn ready(self: Arc<Self>) -> Watch;
}

/// Whether a [`Source`] goes on to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// It does.
    Keep,
    /// It does not.
    End,
}

/// Tells one watched source from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceKey(u64);

/// What all I/O threads of a process share. There is one, started by its first use.
pub(crate) struct Engine {
    /// Whether its threads run.
    started: OnceLock<Result<(), String>>,
    poller: Poller,
    start: Instant,
    pub(crate) lead: Lead,
    pub(crate) monitor: Monitor,
    sources: Mutex<HashMap<u64, Entry>>,
    keys: AtomicU64,
    /// Closed links whose peer's tasks may still run, and then keep them.
    lingering: Mutex<Vec<Weak<Link>>>,
    jobs: Mutex<VecDeque<Job>>,
    timers: Mutex<TimerQueue>,
    /// Whether somebody reads a link itself; one at a time in a process.
    looking: AtomicBool,
    /// Calls whose answer nobody has taken yet, over all links.
    pub(crate) calls_out: AtomicUsize,
    /// RPC tasks that run here and are not answered.
    tasks_in: AtomicUsize,
    /// Who waits until there are none.
    idle_wakers: Mutex<Vec<Waker>>,
    /// Whether anybody does.
    idle_awaited: AtomicBool,
    pub(crate) counts: Counts,
    /// By index of the export.
    paces: Vec<Pace>,
    /// With one processor, whoever waits actively keeps the other side from running. Asked by the
    /// first who might: it takes a dozen system calls, and most actors start without waiting.
    one_core: OnceLock<bool>,
}

#[derive(Clone)]
enum Entry {
    Link(Arc<Link>),
    Source(Arc<dyn Source>),
}

/// Work for the leader.
pub(crate) enum Job {
    /// Read a link, although no event says so.
    Serve(Arc<Link>),
    /// Send what is corked.
    Flush(Arc<Link>),
    /// Drop a cancelled task, which is user code.
    Drop(Arc<RpcTask>),
    /// Something short.
    Run(Box<dyn FnOnce() + Send>),
}

/// The engine of this process, or why there is none.
static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();

/// The engine of this process.
///
/// # Panics
///
/// If it was not started and the system refuses what it needs; [`start`] tells that as an error.
pub(crate) fn engine() -> &'static Engine {
    match start() {
        Ok(engine) => engine,
        Err(error) => panic!("start the runtime's threads: {error}"),
    }
}

/// Starts the engine unless it runs.
///
/// # Errors
///
/// Those of the system: too many open files, too many threads. It is not tried again.
#[inline]
pub(crate) fn start() -> io::Result<&'static Engine> {
    let engine = ENGINE.get_or_init(|| Engine::new().map_err(|error| error.to_string()));
    let engine = engine
        .as_ref()
        .map_err(|error| io::Error::other(error.as_str()))?;
    engine
        .started
        .get_or_init(|| role::start_first(engine).map_err(|error| error.to_string()));
    match engine.started.get() {
        Some(Err(error)) => Err(io::Error::other(error.as_str())),
        _ => Ok(engine),
    }
}

/// Whether the runtime's threads are there.
pub(crate) fn is_started() -> bool {
    let engine = ENGINE.get().and_then(|engine| engine.as_ref().ok());
    engine.is_some_and(|engine| matches!(engine.started.get(), Some(Ok(_))))
}

/// For how long this process has been stopped since its engine runs.
pub(crate) fn stopped_time() -> Duration {
    let engine = ENGINE.get().and_then(|engine| engine.as_ref().ok());
    engine.map_or(Duration::ZERO, |engine| {
        engine.timers().stopped(engine.now())
    })
}

/// Starts what every actor needs: the thread that leads. The others are started when there is
/// something for them to do: the executor, with `threads` threads for user tasks, at the first
/// call.
///
/// # Errors
///
/// Those of the system: too many open files, too many threads.
pub fn start_threads(threads: usize) -> io::Result<()> {
    rt::set_threads(threads);
    crate::logging::set_task_namer(crate::invoke::current_name);
    start().map(drop)
}

/// Has `source` watched until it ends or is [`unwatch`]ed.
///
/// # Errors
///
/// Those of `epoll_ctl(2)`: too many watches.
pub fn watch(source: Arc<dyn Source>) -> io::Result<SourceKey> {
    let engine = engine();
    let key = engine.keys.fetch_add(1, Ordering::Relaxed);
    engine.sources().insert(key, Entry::Source(source.clone()));
    if let Err(error) = engine.poller.add(source.fd(), key, Interest::READ) {
        engine.sources().remove(&key);
        return Err(error);
    }
    Ok(SourceKey(key))
}

/// Ends the watch of a source. Its [`Source::ready`] may be running on another thread.
pub fn unwatch(key: SourceKey) {
    let entry = engine().sources().remove(&key.0);
    if let Some(Entry::Source(source)) = entry {
        engine().forget(source.fd());
    }
}

/// Has the leader run `f`: short, never waiting, no user code.
pub fn run_soon(f: impl FnOnce() + Send + 'static) {
    engine().push(Job::Run(Box::new(f)));
}

impl Engine {
    fn new() -> io::Result<Self> {
        Ok(Self {
            started: OnceLock::new(),
            poller: Poller::new()?,
            start: Instant::now(),
            lead: Lead::default(),
            monitor: Monitor::default(),
            sources: Mutex::default(),
            keys: AtomicU64::new(0),
            lingering: Mutex::default(),
            jobs: Mutex::default(),
            timers: Mutex::default(),
            looking: AtomicBool::new(false),
            calls_out: AtomicUsize::new(0),
            tasks_in: AtomicUsize::new(0),
            idle_wakers: Mutex::default(),
            idle_awaited: AtomicBool::new(false),
            counts: Counts::default(),
            paces: (0..)
                .map_while(exports::by_index)
                .map(|_| Pace::default())
                .collect(),
            one_core: OnceLock::new(),
        })
    }

    pub(crate) fn task_begins(&self) {
        self.tasks_in.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn task_is_answered(&self) {
        let last = self.tasks_in.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.idle_awaited.swap(false, Ordering::SeqCst) {
            let wakers = {
                let mut wakers = self
                    .idle_wakers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *wakers)
            };
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether no RPC task waits for its answer; otherwise `waker` is woken when that may be so.
    pub(crate) fn poll_idle(&self, waker: &Waker) -> Poll<()> {
        let mut wakers = self
            .idle_wakers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        wakers.push(waker.clone());
        drop(wakers);
        // Announced before it is asked, so that a task which ends in between sees it.
        self.idle_awaited.store(true, Ordering::SeqCst);
        if self.tasks_in.load(Ordering::SeqCst) == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Time on the engine's own clock.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// A moment on the engine's own clock.
    pub(crate) fn time_of(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    /// What is known about how fast an export's first poll is.
    pub(crate) fn pace(&self, export: u32) -> Option<&Pace> {
        self.paces.get(export as usize)
    }

    pub(crate) fn is_one_core(&self) -> bool {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        *self.one_core.get_or_init(|| cores() == 1)
    }

    pub(crate) fn add_link(&self, make: impl FnOnce(u64) -> Link) -> io::Result<Arc<Link>> {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        let link = Arc::new(make(key));
        self.sources().insert(key, Entry::Link(link.clone()));
        if let Err(error) = self.poller.add(link.socket.as_fd(), key, Interest::READ) {
            self.sources().remove(&key);
            return Err(error);
        }
        Ok(link)
    }

    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) {
        if let Err(error) = self.poller.modify(fd, key, interest) {
            log::error!("watch a link: {error}");
        }
    }

    /// Keeps a closed link in sight as long as tasks of its peer run here.
    pub(crate) fn linger(&self, link: &Arc<Link>) {
        let mut lingering = self
            .lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lingering.retain(|link| link.strong_count() > 0);
        lingering.push(Arc::downgrade(link));
    }

    /// Closed links whose peer's tasks still run here.
    pub(crate) fn lingering(&self) -> Vec<Arc<Link>> {
        let lingering = self
            .lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lingering.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn remove(&self, key: u64, fd: BorrowedFd<'_>) {
        self.sources().remove(&key);
        self.forget(fd);
    }

    fn forget(&self, fd: BorrowedFd<'_>) {
        if let Err(error) = self.poller.remove(fd) {
            log::error!("end the watch of a descriptor: {error}");
        }
    }

    /// All links of this process.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let sources = self.sources();
        sources
            .values()
            .filter_map(|entry| match entry {
                Entry::Link(link) => Some(link.clone()),
                Entry::Source(_) => None,
            })
            .collect()
    }

    fn entry(&self, key: u64) -> Option<Entry> {
        self.sources().get(&key).cloned()
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the leader read a link although no event may say so.
    pub(crate) fn serve_soon(&self, link: &Arc<Link>) {
        self.push(Job::Serve(link.clone()));
    }

    pub(crate) fn push(&self, job: Job) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back(job);
        let first = jobs.len() == 1;
        drop(jobs);
        if first {
            self.wake_leader();
        }
    }

    /// Has the leader look at what was just added. A leader that added it does so anyway, and if
    /// it loses the role before, its successor looks before it sleeps.
    fn wake_leader(&self) {
        if !role::leads_now(self) {
            self.poller.wake();
        }
    }

    fn pop(&self) -> Option<Job> {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    pub(crate) fn running_time(&self) -> Duration {
        self.timers().running(self.now())
    }

    pub(crate) fn freeze(&self) {
        self.timers().freeze(self.now());
    }

    pub(crate) fn thaw(&self) {
        self.timers().thaw(self.now());
        self.wake_leader();
    }

    pub(crate) fn schedule(&self, at: Instant, alarm: Alarm) -> TimerKey {
        let at = at.saturating_duration_since(self.start);
        let (key, first) = self.timers().insert(at, alarm);
        if first {
            self.wake_leader();
        }
        key
    }

    pub(crate) fn unschedule(&self, key: TimerKey) {
        // The alarm is dropped after the lock is released: it may own the last reference to
        // something whose drop comes back here.
        let alarm = self.timers().remove(key);
        drop(alarm);
    }

    fn timers(&self) -> MutexGuard<'_, TimerQueue> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
