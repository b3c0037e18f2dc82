//! What a test does with its own tree: processes by descriptor, bounds, and the sweep at the end.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tractor::{Address, Portal, current_actor};
use tractor_core::process::census::{marked_processes, zombie_children};
use tractor_core::process::{Process, Signal};

use crate::calls::tasks_begun;

/// What an actor that ends by itself stays below, also on a busy machine: after 3 s the ladder
/// sends its first signal to one that heard.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);
/// What everything stays below that the ladder has to end: its rungs are 4 s together.
pub(crate) const BOUNDED: Duration = Duration::from_secs(8);

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Says it where it is shown if the test fails.
pub(crate) fn note(text: &str) {
    // A closed standard error is no failure of the test.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Fails if more than `bound` has passed since `begin`.
pub(crate) fn within(begin: Instant, bound: Duration, what: &str) {
    let took = begin.elapsed();
    assert!(took <= bound, "{what} took {took:?}, more than {bound:?}");
}

/// A process by descriptor, so that its end is an event.
pub(crate) fn hold(pid: u32) -> Process {
    Process::open(pid).unwrap_or_else(|error| panic!("hold process {pid}: {error}"))
}

pub(crate) fn kill(process: &Process) {
    process
        .signal(Signal::Kill)
        .expect("our own processes may be killed");
}

/// Stops a process, and waits until it stands still: the signal alone takes a moment.
pub(crate) async fn stop(process: &Process) {
    process
        .signal(Signal::Stop)
        .expect("our own processes may be stopped");
    let begin = Instant::now();
    while process.state() != Some('T') {
        within(begin, BOUNDED, "stopping a process");
        async_std::task::sleep(ms(1)).await;
    }
}

/// Waits for the process's exit without holding up the executor.
pub(crate) async fn exited(process: Process, bound: Duration) {
    let pid = process.pid();
    let ended = async_std::task::spawn_blocking(move || process.wait_exited(Some(bound))).await;
    assert!(
        ended.expect("a process can be waited for"),
        "process {pid} lives after {bound:?}"
    );
}

/// Waits for what no event tells: asks every 2 ms.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        within(begin, BOUNDED, what);
        async_std::task::sleep(ms(2)).await;
    }
}

/// Waits until so many calls have begun in an actor.
pub(crate) async fn until_begun(actor: &Portal, calls: usize) {
    eventually("the calls have begun", async || {
        let begun = actor.run(tasks_begun()).await;
        begun.is_ok_and(|begun| begun >= calls)
    })
    .await;
}

/// Fails unless it is the death of this actor by SIGKILL.
#[track_caller]
pub(crate) fn assert_killed(error: &tractor::Error, name: &str) {
    let (signal, origin) = (error.signal(), error.origin().name());
    assert_eq!((signal, origin), (Some(9), name), "{error}");
}

/// The sweep: nobody of the tree is there but this root, as a process, a zombie or a socket.
pub(crate) fn assert_alone() {
    assert_no_process();
    let files = left_files();
    assert!(files.is_empty(), "left in the tree's directory: {files:?}");
}

/// The same where up to so many actors may have been killed before anybody knew of them. Their
/// sockets go with the tree's directory: here now, for the next seed has the same.
pub(crate) fn assert_nobody_left(untold: usize) {
    assert_no_process();
    let files = left_files();
    assert!(
        files.len() <= untold,
        "left in the tree's directory: {files:?}"
    );
    for file in files {
        fs::remove_file(file).expect("it is ours");
    }
}

fn assert_no_process() {
    let actor = current_actor().expect("a test's body is an actor");
    let us = actor.pid();
    let tree = actor.identity().tree.to_string();
    let mut left = marked_processes(&tree);
    left.retain(|process| process.pid != us);
    assert!(left.is_empty(), "left behind: {left:?}");
    let zombies = zombie_children(&[us]);
    assert!(zombies.is_empty(), "not reaped: {zombies:?}");
}

/// What is in the tree's directory and is not the root's.
fn left_files() -> BTreeSet<PathBuf> {
    let actor = current_actor().expect("a test's body is an actor");
    let ours = actor.address().as_ref().and_then(socket_path);
    let known: BTreeSet<_> = ours
        .into_iter()
        .chain(dir_of_tree().map(|dir| dir.join("lock")))
        .collect();
    files_of_tree().difference(&known).cloned().collect()
}

/// Where the sockets of this actor's tree are; files of a test that stand there go with the tree.
pub(crate) fn dir_of_tree() -> Option<PathBuf> {
    let address = current_actor().ok()?.address()?;
    socket_path(&address)?.parent().map(PathBuf::from)
}

pub(crate) fn socket_path(address: &Address) -> Option<PathBuf> {
    match address {
        Address::Unix(path) => Some(path.clone()),
        Address::Tcp(_) => None,
    }
}

fn files_of_tree() -> BTreeSet<PathBuf> {
    let files = dir_of_tree()
        .and_then(|dir| fs::read_dir(dir).ok())
        .into_iter()
        .flatten();
    files.flatten().map(|entry| entry.path()).collect()
}
