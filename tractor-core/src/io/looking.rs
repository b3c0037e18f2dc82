//! Looking: whoever waits for a frame reads the link itself, for a moment.
//!
//! It saves two thread switches, which cost ten times as much as the rest of a call. It is
//! bounded, it yields the processor, and it runs no user code: a call that it finds is left to
//! the executor.

use std::hint;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tractor_ipc::FrameDecoder;
use tractor_ipc::limits::FRAME_BYTES_MAX;

use super::link::Link;
use super::look::LookScore;
use super::rest::{self, Age};
use super::role::is_leader;
use super::serve::{self, Read, release_and_arm};
use super::{Engine, engine, gather};
use crate::actor_loop::{self, Next};

/// How long a waiter looks. It must exceed what a wake-up costs, or looking never pays.
const WINDOW: Duration = Duration::from_micros(50);
/// How long it then sleeps on the socket, still holding the right to read.
const SLEEP: Duration = Duration::from_micros(100);
/// A yield that takes longer than this went to somebody who needs the processor.
const COMPETITION: Duration = Duration::from_micros(10);

/// Clears the process-wide flag also when a panic passes.
struct Turn(&'static Engine);

impl Turn {
    fn take(engine: &'static Engine) -> Option<Self> {
        (!engine.looking.swap(true, Ordering::Acquire)).then_some(Self(engine))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.looking.store(false, Ordering::Release);
    }
}

/// Why a look ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Hit,
    Miss,
    Disturbed,
}

/// Reads `link` until `done` or until it does not pay any more; `true` if done.
pub(crate) fn look(link: &Arc<Link>, score: &LookScore, done: impl FnMut() -> bool) -> bool {
    let engine = engine();
    if engine.is_one_core() || !score.worthwhile() {
        return false;
    }
    // Whoever waits for the answer wants the call out now.
    gather::flush_planned(link);
    let Some(_turn) = Turn::take(engine) else {
        return false;
    };
    let Some(mut decoder) = link.reader.try_take() else {
        return false;
    };
    decoder.set_max_payload(FRAME_BYTES_MAX);
    let window = if score.is_probing() {
        WINDOW * 2
    } else {
        WINDOW
    };
    let rested = rest::end(link);
    let mut look = Look {
        link,
        decoder: Some(decoder),
        emptied: false,
        woke: false,
        lost: false,
        disarmed: rested.is_some(),
        rest: None,
    };
    let end = look.run(window, done);
    if end == End::Hit && look.disarmed && !look.lost {
        // Who found something here is likely to look again soon. What was there before, and was
        // not read, does not wait any longer for that.
        let emptied = look.emptied.then_some(Age::FRESH);
        look.rest = emptied.or(rested);
    }
    drop(look);
    match end {
        End::Hit => score.hit(),
        End::Miss => score.miss(),
        End::Disturbed => score.disturbed(),
    }
    end == End::Hit
}

struct Look<'a> {
    link: &'a Arc<Link>,
    /// `None` only while it is dropped.
    decoder: Option<MutexGuard<'a, FrameDecoder>>,
    /// Another waiter was served and needs the processor.
    woke: bool,
    /// The link is at its end, or its peer broke the rules.
    lost: bool,
    /// Nothing was left to read at some moment.
    emptied: bool,
    /// The link is not watched.
    disarmed: bool,
    /// It need not be when this look is over, but rests.
    rest: Option<Age>,
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        // Here, so that it happens also when a waker panics.
        let Some(decoder) = self.decoder.take() else {
            return;
        };
        if let Some(age) = self.rest {
            // Begun before others may read, so that at no moment it is neither watched nor at rest.
            rest::begin(self.link, age);
            // Whose end has it watched, also for the leader that has left a note.
            if self.link.reader.release(decoder) && !rest::is_on(self.link) {
                self.link.arm();
            }
        } else {
            release_and_arm(self.link, decoder);
            if self.disarmed {
                self.link.arm();
            }
        }
        if self.lost || self.link.is_ending() {
            // The leader meets the end of the link itself.
            engine().serve_soon(self.link);
        }
    }
}

impl Look<'_> {
    fn run(&mut self, window: Duration, mut done: impl FnMut() -> bool) -> End {
        let (mut pause, mut slept, mut disturbed) = (Pause::new(), false, false);
        self.handle_buffered();
        loop {
            if done() {
                return End::Hit;
            }
            if self.woke || self.lost {
                return End::Miss;
            }
            if self.read() {
                continue;
            }
            if !self.disarmed {
                // The leader would be woken by each frame that we read. Read once more after
                // disarming: what came in between raises no event.
                self.disarmed = true;
                self.link.disarm();
                continue;
            }
            if disturbed && is_leader() {
                return End::Disturbed;
            }
            if disturbed || pause.waited() >= window {
                if slept || is_leader() || !self.sleep() {
                    return End::Miss;
                }
                slept = true;
                continue;
            }
            // Who took the processor may be the very peer that answers: read once more first.
            disturbed = !pause.take();
        }
    }

    /// Reads once, and tells whether something came of it.
    fn read(&mut self) -> bool {
        let Some(decoder) = &mut self.decoder else {
            return false;
        };
        match serve::read(self.link, decoder) {
            Read::Bytes { all } => {
                self.emptied |= all;
                self.handle_buffered();
                true
            }
            Read::Nothing => {
                self.emptied = true;
                false
            }
            // The leader will meet it as well.
            Read::End(_) => {
                self.lost = true;
                true
            }
        }
    }

    fn handle_buffered(&mut self) {
        loop {
            let Some(decoder) = &mut self.decoder else {
                return;
            };
            let next = match decoder.next() {
                Ok(Some(frame)) => actor_loop::dispatch(self.link, frame),
                Ok(None) => return,
                // The decoder repeats its error for the leader, which closes the link.
                Err(_) => {
                    self.lost = true;
                    return;
                }
            };
            match next {
                Next::Done => {}
                Next::Woke => self.woke = true,
                Next::Start(task) => task.spawn(),
                Next::Violation(reason) => {
                    // Closing takes the leader's road: it is rare, and no lock of ours is held.
                    let link = self.link.clone();
                    super::run_soon(move || {
                        link.close(&tractor_ipc::CloseReason::Os {
                            kind: std::io::ErrorKind::InvalidData,
                            message: reason,
                        });
                    });
                    self.lost = true;
                    return;
                }
            }
        }
    }

    /// Sleeps on the socket for a bounded time, and tells whether it is readable.
    fn sleep(&self) -> bool {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: SLEEP.subsec_nanos().into(),
        };
        poll(
            &mut [PollFd::new(&self.link.socket, PollFlags::IN)],
            Some(&timeout),
        )
        .is_ok_and(|ready| ready > 0)
    }
}

/// Asks again and again for a moment whether something has happened, for `window` or, when
/// `probing`, for two; `None` if it stopped because somebody else needs the processor.
pub(super) fn spin(probing: bool, mut happened: impl FnMut() -> bool) -> Option<bool> {
    let window = if probing { WINDOW * 2 } else { WINDOW };
    let mut pause = Pause::new();
    loop {
        if happened() {
            return Some(true);
        }
        if pause.waited() >= window {
            return Some(false);
        }
        if !pause.take() {
            return None;
        }
    }
}

/// The pauses between two glances.
struct Pause {
    begin: Instant,
    last: Instant,
    turns: u32,
}

impl Pause {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            last: now,
            turns: 0,
        }
    }

    fn waited(&self) -> Duration {
        self.last - self.begin
    }

    /// Gives way to others, and tells whether nobody took it for long.
    fn take(&mut self) -> bool {
        self.turns += 1;
        if self.turns.is_multiple_of(2) {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        gap <= COMPETITION
    }
}
