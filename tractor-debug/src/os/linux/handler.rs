//! The handler of fatal signals.
//!
//! It calls only what `signal-safety(7)` allows, and single system calls: `write`, `prctl`,
//! `sigwait`, `sigaction` and `raise`. It takes no lock and no memory; what it needs was made before.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc::{self, c_int, c_void, siginfo_t};
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, Signal};
use rustix::process::{PTracer, Pid, set_ptracer};

use tractor_core::stall::AtPrompt;

use super::tracing::this_thread;
use crate::fatal::Fatal;

/// The signals that a process does not survive and that it cannot go on after.
const FATAL: [Signal; 5] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
];

/// Ends the wait. Ignored by default, and it is sent to the one thread that waits for it.
const RELEASE: Signal = Signal::SIGURG;

static PIPE: OnceLock<OwnedFd> = OnceLock::new();
/// Whose descendants may attach to a process that was struck.
static ROOT: OnceLock<Pid> = OnceLock::new();
/// What was done about each of them before.
static BEFORE: [OnceLock<SigAction>; FATAL.len()] = [const { OnceLock::new() }; FATAL.len()];
/// The thread that was struck first, 0 before.
static FIRST: AtomicU32 = AtomicU32::new(0);
/// The thread whose panic had a prompt last, 0 before.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// This thread's panic had a prompt: if the process aborts for it that needs none.
pub(crate) fn panic_was_seen() {
    PANICKED.store(this_thread(), Ordering::SeqCst);
}

/// Has fatal signals told to `pipe`.
pub(crate) fn install_handler(pipe: OwnedFd, root: u32) -> io::Result<()> {
    if PIPE.set(pipe).is_err() {
        // It is told of already.
        return Ok(());
    }
    if let Some(root) = root.try_into().ok().and_then(Pid::from_raw) {
        let _ = ROOT.set(root);
    }
    let mut mask = SigSet::empty();
    mask.add(RELEASE);
    // On the stack that the standard library gives each of its threads for this: the usual one may
    // be what is full.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::SigAction(struck), flags, mask);
    for (signal, before) in FATAL.into_iter().zip(&BEFORE) {
        // SAFETY: `struck` is sound as a handler: see there.
        let earlier = unsafe { signal::sigaction(signal, &action) }?;
        let _ = before.set(earlier);
    }
    Ok(())
}

/// Lets the thread go on that waits after it has told of this.
pub(crate) fn release(fatal: &Fatal) {
    let numbers = (i64::from(fatal.pid), i64::from(fatal.thread));
    // SAFETY: the call takes three numbers and touches no memory. It fails if the thread is gone,
    // which is as good.
    unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            numbers.0,
            numbers.1,
            i64::from(RELEASE as c_int),
        )
    };
}

/// The handler.
///
/// It is sound at any point of any thread: it touches atomics, values that were set before it was
/// installed, and `info`, which the system keeps for as long as it runs; and it unwinds nowhere.
extern "C" fn struck(number: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    let thread = this_thread();
    // SAFETY: with SA_SIGINFO the system gives a valid one.
    let info = unsafe { &*info };
    match FIRST.compare_exchange(0, thread, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) if is_known_panic(number, thread) => {}
        Ok(_) => tell_and_wait(number, info, thread),
        // What comes of the first: after an overflow of the stack the standard library aborts.
        Err(first) if first == thread => {}
        // The process ends with the first.
        Err(_) => loop {
            nix::unistd::pause();
        },
    }
    let at = FATAL.iter().position(|signal| *signal as c_int == number);
    let Some((signal, before)) = at.map(|at| (FATAL[at], &BEFORE[at])) else {
        return;
    };
    if let Some(before) = before.get() {
        // SAFETY: it was there before, so whoever set it vouches for it.
        let _ = unsafe { signal::sigaction(signal, before) };
    }
    // What the system has sent comes again when the instruction is tried again.
    if is_sent(info.si_code) {
        let _ = signal::raise(signal);
    }
}

/// Whether the process aborts because of a panic that had its prompt.
fn is_known_panic(number: c_int, thread: u32) -> bool {
    number == Signal::SIGABRT as c_int
        && PANICKED.load(Ordering::SeqCst) == thread
        && std::thread::panicking()
}

fn tell_and_wait(number: c_int, info: &siginfo_t, thread: u32) {
    let Some(pipe) = PIPE.get() else { return };
    let fatal = Fatal {
        pid: std::process::id(),
        thread,
        signal: number,
        code: info.si_code,
        // SAFETY: the field lies inside of `info`; of signals without an address it is a number
        // that nobody uses.
        address: unsafe { info.si_addr() } as u64,
    };
    if let Some(root) = ROOT.get() {
        // A system that knows nothing of it refuses no debugger for that.
        let _ = set_ptracer(PTracer::ProcessID(*root));
    }
    let at_prompt = AtPrompt::new();
    if rustix::io::write(pipe, &fatal.encode()).is_ok() {
        let mut release = SigSet::empty();
        release.add(RELEASE);
        // It is blocked while this runs, so that one which has come already is not lost.
        let _ = release.wait();
    }
    // The program may have a handler of its own, and recover.
    at_prompt.end_in_handler();
}

/// Whether a signal with this code was sent by a process, perhaps by itself, and not by the system.
pub(crate) fn is_sent(code: i32) -> bool {
    code <= 0
}
