//! A process that is stopped before it has become its program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::os;
use crate::process::handle;
use crate::process::spawner::THREAD;

/// How many pids from the last one on are looked at for the next process.
const AHEAD: u32 = 200;

/// Role: starts processes until one of them was stopped that early, and tells how that one ended.
pub(super) fn start_until_one_is_stopped() {
    crate::io::start_threads(1).unwrap();
    let last = Arc::new(AtomicU32::new(std::process::id()));
    let caught = Arc::new(AtomicBool::new(false));
    let (newest, has_caught) = (last.clone(), caught.clone());
    thread::spawn(move || stop_the_next(&newest, &has_caught));
    thread::spawn(|| {
        thread::park_timeout(2 * PATIENCE);
        tell("it hangs");
    });
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let spawned = spawn_blocking(slow_to_start()).unwrap();
        let was_stopped = caught.swap(false, Ordering::SeqCst);
        last.store(spawned.process.pid(), Ordering::SeqCst);
        // It may have become its program just before it was stopped.
        spawned.process.signal(Signal::Continue).unwrap();
        let status = reap(&spawned.process);
        if was_stopped && status != ExitStatus::Exited(0) {
            return tell(&status.to_string());
        }
    }
    tell("nobody was stopped early enough");
}

/// A shell with so much to copy that becoming it takes a while.
fn slow_to_start() -> SpawnSpec {
    let much = "x".repeat(100_000);
    let mut spec = shell("exit 0");
    let variables = (0..15).map(|n| (format!("MUCH_{n}").into(), Some(much.clone().into())));
    spec.env.extend(variables);
    spec
}

/// Stops the next child as soon as it can be seen.
fn stop_the_next(last: &AtomicU32, caught: &AtomicBool) {
    let us = std::process::id();
    loop {
        let last = last.load(Ordering::SeqCst);
        for pid in last + 1..last + AHEAD {
            let stat = os::Stat::of(pid);
            if stat.is_some_and(|stat| stat.ppid == us && stat.name == THREAD)
                && !caught.load(Ordering::SeqCst)
                && let Ok(process) = handle::Process::open(pid)
            {
                caught.store(true, Ordering::SeqCst);
                // It may be gone.
                let _ = process.signal(Signal::Stop);
            }
        }
    }
}

#[test]
fn who_is_stopped_before_it_is_its_program_is_ended() {
    let (_link, mut spec) = role_spec("starter-of-the-stopped");
    spec.stderr = StdioSpec::Null;
    let (process, mut output) = super::start(spec);
    let ended = told(&mut output);
    process.signal(Signal::Kill).unwrap();
    reap(&process);
    assert_eq!(ended.as_deref(), Some("was killed by signal 9"));
}
