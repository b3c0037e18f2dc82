//! The main job: a computation spread over one process per core, a worker that is killed while it
//! computes, and a program that goes on.
//!
//! Run it with `cargo run --release --example quickstart`. It tests numbers for being prime and
//! shows which process tested which; then somebody kills a worker. The error says who died of
//! what and in which call, the nursery ends the other workers, and the program tries that part
//! again in a fresh one. Last it looks into /proc for every process that it ever started.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use futures::future::{join, try_join_all};
use rustix::process::{Pid, Signal, kill_process};
use tractor::prelude::*;
use tractor::{Liveness, OnExit, open_nursery_with};

/// The numbers of the well-known process-pool demo, in two parts.
const CALM: [u64; 3] = [
    112_272_535_095_293,
    112_582_705_942_171,
    112_272_535_095_293,
];
const TROUBLED: [u64; 3] = [
    115_280_095_190_773,
    115_797_848_077_099,
    1_099_726_899_285_419,
];

/// How many primes were found. It lives in the root; other processes have to ask for it.
static PRIMES: AtomicUsize = AtomicUsize::new(0);
/// Every process that was started.
static STARTED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A plain function that computes: it runs on a thread of its own in whichever actor is asked.
#[tractor::rpc]
fn is_prime(n: u64) -> bool {
    let mut divisors = (3..=n.isqrt()).step_by(2);
    n == 2 || n > 2 && n % 2 == 1 && divisors.all(|divisor| !n.is_multiple_of(divisor))
}

#[tractor::rpc]
async fn primes_found() -> usize {
    PRIMES.load(Ordering::Relaxed)
}

/// Runs in a child and has a child of its own ask the root.
#[tractor::rpc]
async fn delegate() -> tractor::Result<(u32, usize)> {
    open_nursery(async |nursery| {
        let grandchild = nursery.run_in_actor("grandchild", ask_the_root()).await?;
        Ok((grandchild.portal().pid(), grandchild.result().await?))
    })
    .await
}

/// Runs in a grandchild: reaches the root from wherever it is.
#[tractor::rpc]
async fn ask_the_root() -> tractor::Result<usize> {
    get_root().await?.run(primes_found()).await
}

#[tractor::main]
async fn main() -> tractor::Result<()> {
    println!("testing numbers with {} workers", workers());
    test_all(&CALM, false).await?;

    println!("testing more of them, and one worker is killed");
    if let Err(error) = test_all(&TROUBLED, true).await {
        // Who was killed by a signal deserves another try; anything else is a mistake.
        if error.signal().is_none() {
            return Err(error);
        }
        println!("  {error}");
        let (started, left) = (note(&[]), left().len());
        println!("  its siblings are cancelled and reaped: {left} of {started} processes are left");
        println!("trying those again in a fresh nursery");
        test_all(&TROUBLED, false).await?;
    }

    println!("a grandchild asks the root");
    open_nursery(async |nursery| {
        let child = nursery.run_in_actor("child", delegate()).await?;
        let (grandchild, primes) = child.result().await?;
        note(&[child.portal().pid(), grandchild]);
        let root = std::process::id();
        println!("  process {grandchild} was told by process {root}: {primes} primes");
        tractor::Ok(())
    })
    .await?;

    let (started, left) = (note(&[]), left());
    let reaped = started - left.len();
    println!("{started} processes started, {reaped} reaped, left in /proc: {left:?}");
    assert!(left.is_empty(), "every process is reaped");
    Ok(())
}

/// One per core, and on a single core a second one, so that nobody works alone.
fn workers() -> usize {
    available_parallelism().map_or(1, usize::from).max(2)
}

/// Tests the numbers in a nursery of workers, and shows which of them tested what.
async fn test_all(numbers: &[u64], accident: bool) -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let start = (0..workers()).map(|n| async move {
            let worker = nursery.start_actor(format!("worker-{n}")).await?;
            note(&[worker.pid()]);
            tractor::Ok(worker)
        });
        let workers = try_join_all(start).await?;
        if accident {
            // It is a prime, so there is a call to run for as long as the worker lives.
            let work = async {
                while workers[0].run(is_prime(numbers[1])).await? {}
                tractor::Ok(())
            };
            join(work, kill(&workers[0])).await.0?;
        }
        let next = &AtomicUsize::new(0);
        let work = workers
            .iter()
            .map(|worker| test_some(worker, numbers, next));
        let mut verdicts = try_join_all(work).await?.concat();
        verdicts.sort();
        for (n, prime, by) in verdicts {
            println!(
                "  {n} is{} prime, says {by}",
                if prime { "" } else { " not" }
            );
            PRIMES.fetch_add(usize::from(prime), Ordering::Relaxed);
        }
        Ok(())
    })
    .await
}

/// Has one worker test the next number, and the next, until there are no more.
async fn test_some(
    worker: &Portal,
    numbers: &[u64],
    next: &AtomicUsize,
) -> tractor::Result<Vec<(u64, bool, String)>> {
    let (name, pid) = (worker.name(), worker.pid());
    let mut verdicts = Vec::new();
    while let Some(&n) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begin = Instant::now();
        let prime = worker.run(is_prime(n)).await?;
        let by = format!("{name} (pid {pid}) after {:.0?}", begin.elapsed());
        verdicts.push((n, prime, by));
    }
    Ok(verdicts)
}

/// What an operator or a kernel without memory does: SIGKILL to a process while it works.
async fn kill(worker: &Portal) {
    // Its runtime answers while its function computes, so the call has arrived.
    let alive = worker.probe(Duration::from_secs(5)).await;
    assert!(matches!(alive, Liveness::Answering { .. }), "{alive:?}");
    let pid = Pid::from_raw(worker.pid().cast_signed()).expect("a pid is not 0");
    kill_process(pid, Signal::KILL).expect("it is our own child");
}

/// Notes processes that were started, and gives the number of all.
fn note(pids: &[u32]) -> usize {
    let mut started = STARTED.lock().expect("nothing panics under the lock");
    started.extend_from_slice(pids);
    started.len()
}

/// Which of them are still there, be it as zombies.
fn left() -> Vec<u32> {
    let mut left = STARTED
        .lock()
        .expect("nothing panics under the lock")
        .clone();
    left.retain(|pid| Path::new("/proc").join(pid.to_string()).exists());
    left
}
