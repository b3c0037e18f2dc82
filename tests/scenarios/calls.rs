//! Functions that the actors of scenarios and faults run.

use std::future::pending;
use std::io;
use std::time::Duration;

use tractor::{TaskState, current_actor, open_nursery};
use tractor_core::process::{Process, Signal};

/// Who runs it.
#[tractor::rpc]
pub(crate) async fn pid() -> u32 {
    std::process::id()
}

/// Gives back what it is given.
#[tractor::rpc]
pub(crate) async fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// Waits until it is dropped.
#[tractor::rpc]
pub(crate) async fn idle() {
    pending().await
}

/// Waits until it is killed, whatever is asked of it.
#[tractor::rpc]
pub(crate) async fn deaf() {
    // Nobody else can cancel the shield.
    let _ = tractor::shield(pending::<()>()).await;
}

/// Takes its thread away for so many milliseconds, as careless code does.
#[tractor::rpc]
pub(crate) async fn block(millis: u64) {
    block_thread(millis);
}

#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
pub(crate) fn block_thread(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Fails after so many microseconds.
#[tractor::rpc]
pub(crate) async fn fail(text: String, micros: u64) -> Result<u32, String> {
    async_std::task::sleep(Duration::from_micros(micros)).await;
    Err(text)
}

/// How many calls run here, this one not counted.
#[tractor::rpc]
pub(crate) async fn tasks_running() -> Result<usize, tractor::Error> {
    Ok(current_actor()?.statistics().tasks.len() - 1)
}

/// Links that were broken here, and frames that were ignored.
pub(crate) fn strange_here() -> (u64, u64) {
    let actor = current_actor().expect("it is one");
    let statistics = actor.statistics();
    (statistics.links_broken, statistics.frames_ignored)
}

/// The same of another actor.
#[tractor::rpc]
pub(crate) async fn strangeness() -> (u64, u64) {
    strange_here()
}

/// How many calls have begun here and are not over, this one not counted. Another may be cancelled
/// before it has done anything.
#[tractor::rpc]
pub(crate) async fn tasks_begun() -> Result<usize, tractor::Error> {
    let tasks = current_actor()?.statistics().tasks;
    let begun = tasks.iter().filter(|it| it.state != TaskState::Starting);
    Ok(begun.count() - 1)
}

/// Sends this process a signal that it does not survive, or does not go on after.
pub(crate) fn signal_self(signal: Signal) {
    let this = Process::open(std::process::id()).expect("this process is there");
    this.signal(signal).expect("a process may signal itself");
}

/// Ends this process as `kill -9` does.
#[tractor::rpc]
pub(crate) async fn die() -> u32 {
    signal_self(Signal::Kill);
    pending().await
}

/// Gives this actor another user, for all threads.
#[tractor::rpc]
pub(crate) async fn change_user(uid: u32) -> Result<(), io::Error> {
    // SAFETY: the function takes three numbers and touches no memory of ours; that of the C
    // library changes all threads, which the system call itself would not.
    match unsafe { setresuid(uid, uid, uid) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

unsafe extern "C" {
    fn setresuid(real: u32, effective: u32, saved: u32) -> i32;
}

/// Starts an actor in a nursery of its own, with a plan of what goes wrong there.
#[tractor::rpc]
pub(crate) async fn start_with(plan: String) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.start_actor("started").env("TRACTOR_FAULTS", &plan);
        start.await.map(drop)
    })
    .await
}
