//! [`Lead`], the leader's role: who has it, who may take it away, who takes it up.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Engine;
use super::leader::lead;
use crate::panics;
use crate::process::parent_death;
use crate::rt;

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
    /// Whether it does so inside [`rt::inline_surroundings`].
    static SURROUNDED: Cell<bool> = const { Cell::new(false) };
    /// Whether it should.
    static WANTS_SURROUNDINGS: Cell<bool> = const { Cell::new(false) };
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
        let mut spares = self.spares();
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
    pub(super) fn has_spare(&self) -> bool {
        self.spares().idle() > 0
    }

    /// Gives up the role of this thread, if it still has it, for any thread to take up.
    fn hand_on(&self) {
        let epoch = LEADING.replace(NONE);
        if epoch == NONE {
            return;
        }
        let mut spares = self.spares();
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
        let spares = self.spares();
        spares.idle() == 0 && spares.threads < THREADS_MAX
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this thread is to lead.
    fn wait_for_role(&self) -> u64 {
        let mut spares = self.spares();
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
    engine.lead.spares().vacant = Some(0);
    start_thread(engine)
}

/// Starts one more thread that may lead.
pub(super) fn start_thread(engine: &'static Engine) -> io::Result<()> {
    engine.lead.spares().threads += 1;
    let started = thread::Builder::new()
        .name("tractor-io".to_owned())
        .spawn(move || serve_role(engine));
    if started.is_err() {
        engine.lead.spares().threads -= 1;
    }
    started.map(drop)
}

/// Waits for the role, leads, and waits again, for ever.
fn serve_role(engine: &'static Engine) {
    parent_death::carry();
    // Only the first leader ever begins without traffic.
    let mut surrounded = false;
    loop {
        if LEADING.get() == NONE {
            let epoch = engine.lead.wait_for_role();
            surrounded |= epoch > 0;
            LEADING.set(epoch);
        }
        SURROUNDED.set(surrounded);
        let led = panics::catch(|| {
            if surrounded {
                rt::inline_surroundings(|| lead(engine));
            } else {
                lead(engine);
            }
        });
        if let Err(panicked) = led {
            log::error!("a waker or a callback panicked on a runtime thread: {panicked:?}");
            engine.lead.hand_on();
        }
        surrounded = true;
    }
}

/// Whether user code may be polled on this thread as a task of the executor, which then has been
/// started. If not, it will be after the present round: an actor that is never called never
/// starts its executor.
pub(super) fn is_surrounded() -> bool {
    let surrounded = SURROUNDED.get();
    if !surrounded {
        WANTS_SURROUNDINGS.set(true);
    }
    surrounded
}

/// Whether the leader should leave its loop to come back in other surroundings.
pub(super) fn wants_surroundings() -> bool {
    WANTS_SURROUNDINGS.take()
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
