//! The thread `tractor-spawn`, which starts processes and never ends.
//!
//! `PR_SET_PDEATHSIG` speaks of threads on both sides: a child is killed when the *thread* that
//! started it ends, and it is spared when the thread that asked for the signal has ended before.
//! So children are started by a thread that stays, and a child whose boot runs on another thread
//! than the main one asks for the signal on this thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender};

use super::spawn::{SpawnError, SpawnSpec, Spawned, start};
use super::{Process, Signal, stuck};
use crate::os;

/// Asks for a process. The answer comes even if the order fails, unless nobody listens any more.
/// `keep` is dropped when there is a process for whoever takes it, or none.
pub(super) fn submit(spec: SpawnSpec, keep: Keep) -> Result<Receiver<Unclaimed>, SpawnError> {
    let (reply, answer) = async_channel::bounded(1);
    order(Job::Spawn(Box::new(spec), reply, keep)).map_err(SpawnError::of_system)?;
    Ok(answer)
}

/// Asks the kernel for SIGKILL at our parent's death, on a thread that lives as long as we.
pub(super) fn arm_parent_death() -> io::Result<()> {
    let (reply, answer) = mpsc::sync_channel(1);
    order(Job::ArmParentDeath(reply))?;
    answer
        .recv()
        .map_err(|_| io::Error::other("the thread tractor-spawn gave no answer"))?
}

/// Something that lives as long as a process of which nobody knows yet.
pub(super) type Keep = Box<dyn Send>;

/// An answer on its way. If nobody takes it, its process is killed and reaped.
pub(super) struct Unclaimed(Option<(Result<Spawned, SpawnError>, Keep)>);

impl Unclaimed {
    /// Takes the process over.
    pub(super) fn claim(mut self) -> Result<Spawned, SpawnError> {
        let answer = self.0.take().map(|(answer, _)| answer);
        answer.unwrap_or(Err(SpawnError::Unanswered))
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some((Ok(spawned), keep)) = self.0.take() {
            // There is such a process, hence there is the thread.
            let _ = order(Job::Discard(spawned.process, keep));
        }
    }
}

enum Job {
    Spawn(Box<SpawnSpec>, Sender<Unclaimed>, Keep),
    Discard(Process, Keep),
    ArmParentDeath(mpsc::SyncSender<io::Result<()>>),
}

/// What the thread is called.
pub(super) const THREAD: &str = "tractor-spawn";

/// The way to the thread, once there is one. It is never taken away, so the thread never ends.
static JOBS: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);

fn order(job: Job) -> io::Result<()> {
    let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    let sender = match &mut *jobs {
        Some(sender) => sender,
        none => {
            let (sender, receiver) = mpsc::channel();
            thread::Builder::new()
                .name(THREAD.into())
                .spawn(move || work(&receiver))?;
            none.insert(sender)
        }
    };
    sender
        .send(job)
        .map_err(|_| io::Error::other("the thread tractor-spawn has ended"))
}

/// What was killed is looked at this often until it is gone, which takes about a millisecond
/// unless it is inside a system call that cannot be interrupted.
const REAP_AGAIN_MS: [u64; 6] = [1, 1, 2, 10, 100, 1000];

fn work(jobs: &mpsc::Receiver<Job>) {
    let mut dying: Vec<(Process, Keep)> = Vec::new();
    let mut patience = REAP_AGAIN_MS.iter();
    let mut pause = 0;
    loop {
        let job = if dying.is_empty() {
            patience = REAP_AGAIN_MS.iter();
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            pause = patience.next().copied().unwrap_or(pause);
            jobs.recv_timeout(Duration::from_millis(pause))
        };
        match job {
            // A waker that panics must not take this thread and with it every child along.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| perform(job, &mut dying)))),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for index in (0..dying.len()).rev() {
            if !matches!(dying[index].0.try_reap(), Ok(None)) {
                let reaped = dying.swap_remove(index);
                drop(catch_unwind(AssertUnwindSafe(|| drop(reaped))));
            }
        }
    }
}

fn perform(job: Job, dying: &mut Vec<(Process, Keep)>) {
    match job {
        Job::Spawn(_, reply, _) if reply.is_closed() => {}
        Job::Spawn(spec, reply, keep) => {
            crate::fault!("spawn.before_exec");
            let watched = stuck::watch();
            let answer = Unclaimed(Some((start(*spec), keep)));
            drop(watched);
            // One that comes too late comes back as an order to discard it.
            let _ = reply.try_send(answer);
        }
        Job::Discard(process, keep) => {
            if let Err(error) = process.signal_group(Signal::Kill) {
                log::error!("process {} cannot be killed: {error}", process.pid());
            }
            dying.push((process, keep));
        }
        Job::ArmParentDeath(reply) => {
            let _ = reply.send(os::arm_parent_death());
        }
    }
}
