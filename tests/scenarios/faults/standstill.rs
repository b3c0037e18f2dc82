//! Faults 12, 13, 15, 16: processes that are stopped, blocked or deaf.

use std::fs;
use std::io::{BufRead, BufReader};
use std::pin::pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_std::task::JoinHandle;
use futures::future::join_all;
use tractor::{
    Call, Condition, Liveness, Portal, StdioSpec, find_actor, open_nursery, wait_for_actor,
};
use tractor_core::process::{Process, Signal};

use super::birth::near_or_far;
use super::raw::blocking;
use crate::calls::{block, deaf, die, idle, pid};
use crate::chance::Chance;
use crate::seeds::{each_seed, seeds};
use crate::support::{self, Program, program};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, dir_of_tree, eventually, exited, hold, kill, ms, note, stop,
    until_begun, within,
};

/// Fault 12. An idle child is stopped. A probe says that it is stopped and not that it is dead;
/// nobody kills it; when it goes on it answers.
pub(crate) async fn f12_stopped_child_is_said_to_be_stopped_and_lives(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let start = nursery.start_actor("stopped");
        let child = start.transport(near_or_far(&mut chance)).await?;
        let process = hold(child.pid());
        chance.pause(5).await;
        stop(&process).await;
        // Some are sent before it is probed, and some after.
        let mut waiting = calls_of_pid(&child, chance.below(4));
        assert_eq!(child.probe(ms(200)).await, Liveness::Stopped);
        assert_eq!(process.state(), Some('T'), "a probe changes nothing");
        let seen = nursery.statistics().children[0].condition;
        assert_eq!(seen, Condition::Running, "nobody wants it to end");
        waiting.extend(calls_of_pid(&child, 1 + chance.below(3)));
        chance.pause(5).await;
        process.signal(Signal::Continue).expect("it is ours");
        for answer in join_all(waiting).await {
            assert_eq!(answer?, child.pid());
        }
        assert!(matches!(
            child.probe(PROMPT).await,
            Liveness::Answering { .. }
        ));
        child.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Has so many callers ask who it is.
fn calls_of_pid(actor: &Portal, times: u64) -> Vec<JoinHandle<tractor::Result<u32>>> {
    let calls = (0..times).map(|_| async_std::task::spawn(actor.run(pid())));
    calls.collect()
}

/// Fault 13. A stopped child is cancelled, alone or with its nursery. It cannot hear, and SIGTERM
/// waits until it goes on; it is killed when its time is over.
pub(crate) async fn f13_stopped_child_that_is_cancelled_is_killed_in_time(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        let start = nursery.start_actor("stopped");
        let child = start.transport(near_or_far(&mut chance)).await?;
        let mut call = child.run(idle());
        assert!(futures::poll!(&mut call).is_pending());
        // It has begun when it is stopped, or has not.
        if chance.coin() {
            until_begun(&child, 1).await;
        }
        let process = hold(child.pid());
        stop(&process).await;
        chance.pause(10).await;
        begin = Instant::now();
        match chance.coin() {
            true => child.cancel_actor().await?,
            false => nursery.cancel(),
        }
        exited(process, PROMPT).await;
        assert!(
            call.await.is_err_and(|error| error.is_cancelled()),
            "it was cancelled"
        );
        tractor::Ok(())
    })
    .await?;
    // The word is waited for half a second, the effect of SIGTERM another one.
    within(begin, Duration::from_secs(4), "ending a stopped child");
    assert_alone();
    Ok(())
}

/// Fault 16. A child shields its work for ever. It heard that it is to end, and is ended by the
/// ladder after the time that it was given, and no sooner.
pub(crate) async fn f16_deaf_child_is_ended_by_the_ladder(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let start = nursery.start_actor("deaf");
        let child = start.transport(near_or_far(&mut chance)).await?;
        let calls = deaf_calls(&child, 1 + chance.below(4)).await;
        let given = ms(2000 + chance.below(1000));
        chance.pause(10).await;
        let (begin, process) = (Instant::now(), hold(child.pid()));
        ask_to_end(&child, given).await?;
        exited(process, BOUNDED).await;
        let took = begin.elapsed();
        assert!(
            took >= own_share(given),
            "it was ended after {took:?}, although it had more of {given:?}"
        );
        for call in calls {
            assert!(
                call.await.is_err_and(|error| error.is_cancelled()),
                "it was cancelled"
            );
        }
        within(begin, BOUNDED, "ending a deaf child");
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// What an actor may use for itself at least, of the time that it is given to end. The rest is for
/// its report, and for the time between the two signals.
fn own_share(given: Duration) -> Duration {
    given * 3 / 5
}

/// Asks an actor to end within this time. The word that it heard comes long before its end.
async fn ask_to_end(actor: &Portal, given: Duration) -> tractor::Result<()> {
    let begin = Instant::now();
    actor.cancel_actor_within(given).await?;
    within(begin, own_share(given), "the word that it heard");
    Ok(())
}

/// Has so many callers shield their work for ever, which has begun.
async fn deaf_calls(actor: &Portal, times: u64) -> Vec<JoinHandle<tractor::Result<()>>> {
    let calls = (0..times).map(|_| async_std::task::spawn(actor.run(deaf())));
    let calls: Vec<_> = calls.collect();
    until_begun(actor, calls.len()).await;
    calls
}

/// Fault 16. Without a word about time the ladder has its own bounds.
pub(crate) async fn f16_deaf_child_is_ended_by_the_ladders_own_bounds(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        for _ in 0..1 + chance.below(3) {
            let start = nursery.start_actor("deaf");
            let child = start.transport(near_or_far(&mut chance)).await?;
            deaf_calls(&child, 1 + chance.below(2)).await;
        }
        chance.pause(10).await;
        begin = Instant::now();
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "ending a deaf child");
    assert_alone();
    Ok(())
}

/// Fault 15. Every thread of an actor's executor sleeps in user code, and so do the first polls
/// of more functions than the runtime has threads. Pings are answered, a cancel ends a task that
/// waits, a child that dies below it is reaped, the actor hears that it is to end, and it is reaped.
pub(crate) async fn f15_blocked_actor_answers_cancels_and_ends(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let threads = 1 + chance.below(3);
        let blocked = nursery.start_actor("blocked").threads(threads as usize);
        let blocked = blocked.await?;
        let (mark, waiting) = waiting_call(&blocked).await;
        let keeping = async_std::task::spawn(blocked.run(keep_a_leaf()));
        let leaf = hold(wait_for_actor("leaf").await?.pid());
        let mut calls = first_polls();
        let executors = threads + 1 + chance.below(3);
        calls.extend((0..executors).map(|_| block_executor(60_000)));
        chance.shuffle(&mut calls);
        let calls = calls.into_iter();
        let calls: Vec<_> = calls
            .map(|call| async_std::task::spawn(blocked.run(call)))
            .collect();
        // The runtime takes its role back from each that blocks, in a millisecond or two.
        for _ in 0..10 {
            let Liveness::Answering { after } = blocked.probe(PROMPT).await else {
                panic!("no answer to a ping");
            };
            assert!(after < ms(1000), "a ping took {after:?}");
        }
        let leaf_first = chance.coin();
        if leaf_first {
            kill_and_see_reaped(&leaf).await;
        }
        drop(waiting);
        eventually("the task that waited is dropped", async || mark.exists()).await;
        fs::remove_file(&mark).expect("it is ours");
        if !leaf_first {
            kill_and_see_reaped(&leaf).await;
        }
        let process = hold(blocked.pid());
        ask_to_end(&blocked, ms(2000)).await?;
        exited(process, BOUNDED).await;
        for call in calls {
            assert!(
                call.await.is_err_and(|error| error.is_cancelled()),
                "none has returned"
            );
        }
        assert!(keeping.await.is_err(), "it had no thread to go on with");
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "ending a blocked actor");
    assert_alone();
    Ok(())
}

async fn kill_and_see_reaped(process: &Process) {
    kill(process);
    eventually("the dead are reaped", async || process.state().is_none()).await;
}

/// Keeps an actor below.
#[tractor::rpc]
async fn keep_a_leaf() -> tractor::Result<()> {
    open_nursery(async |nursery| nursery.start_actor("leaf").await.map(drop)).await
}

/// A call that waits, and the file that it leaves when it is dropped.
async fn waiting_call(actor: &Portal) -> (std::path::PathBuf, impl Future<Output = ()>) {
    let mark = dir_of_tree()
        .expect("the tree has a directory")
        .join("dropped");
    let mut call = Box::pin(actor.run(mark_when_dropped(mark.display().to_string())));
    assert!(futures::poll!(call.as_mut()).is_pending());
    until_begun(actor, 1).await;
    (mark, async move {
        let _ = call.await;
    })
}

#[tractor::rpc]
async fn mark_when_dropped(path: String) {
    struct Mark(String);
    impl Drop for Mark {
        fn drop(&mut self) {
            fs::write(&self.0, "dropped").expect("the tree's directory is writable");
        }
    }
    let _mark = Mark(path);
    std::future::pending().await
}

/// Takes a thread of the executor away, never one of the runtime's.
#[tractor::rpc(spawn)]
async fn block_executor(millis: u64) {
    crate::calls::block_thread(millis);
}

/// Functions that differ in nothing but their names, because the runtime learns of each function
/// how long its first poll takes.
macro_rules! blocking {
    ($($name:ident)*) => {
        $(
            #[tractor::rpc]
            async fn $name() {
                crate::calls::block_thread(60_000);
            }
        )*

        fn first_polls() -> Vec<Call<()>> {
            vec![$($name()),*]
        }
    };
}

blocking! { b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 }

/// Fault 15. The same on one processor.
#[test]
fn f15_blocked_actor_answers_cancels_and_ends_on_one_core() {
    for seed in seeds() {
        note(&format!("on one core, seed {seed}"));
        let this = std::env::current_exe().expect("this program has a path");
        let mut one_core = support::command("taskset");
        one_core.args(["-c", "0"]).arg(this);
        one_core.args([
            "faults::f15_blocked_actor_answers_cancels_and_ends",
            "--exact",
        ]);
        one_core.env("TRACTOR_SEEDS", seed.to_string());
        let output = one_core.output().expect("taskset is there");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }
}

/// Fault 15. The root's own threads sleep in user code while a child dies and another one asks who
/// is there. The question is answered and the death dealt with meanwhile.
pub(crate) async fn f15_blocked_root_reaps_and_answers(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (mut reaped, mut answered) = (false, false);
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal");
        let mortal = mortal.transport(near_or_far(&mut chance)).await?;
        let caller = nursery.start_actor("caller");
        let caller = caller.transport(near_or_far(&mut chance)).await?;
        let mark = dir_of_tree().expect("it is there").join("answered");
        let path = mark.to_str().expect("it is text").to_owned();
        let (moment, times) = (30 + chance.below(100), 1 + chance.below(5));
        let mut call = pin!(caller.run(ask_and_kill(path, mortal.pid(), moment, times)));
        assert!(futures::poll!(&mut call).is_pending());
        let process = hold(mortal.pid());
        async_std::task::spawn(async { crate::calls::block_thread(400) });
        crate::calls::block_thread(400);
        // Nobody has awaited anything since; it is not even a zombie any more.
        reaped = process.state().is_none();
        answered = fs::remove_file(mark).is_ok();
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    assert!(reaped, "the child waited for the root's user code");
    assert!(answered, "the caller waited for the root's user code");
    assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
    assert_alone();
    Ok(())
}

/// Asks the root's registrar so many times when the root is blocked, leaves a file when it has its
/// answers, and kills its sibling.
#[tractor::rpc]
async fn ask_and_kill(path: String, sibling: u32, moment: u64, times: u64) -> tractor::Result<()> {
    async_std::task::sleep(ms(moment)).await;
    for _ in 0..times {
        assert!(find_actor("nobody").await?.is_none());
    }
    fs::write(path, "").expect("it can be written");
    kill(&hold(sibling));
    Ok(())
}

/// Fault 15. A child whose every thread sleeps is ended by the death of another child.
pub(crate) async fn f15_blocked_sibling_of_a_dead_child_is_ended(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let blocked = nursery.start_actor("blocked");
        let blocked = blocked.transport(near_or_far(&mut chance)).await?;
        for _ in 0..1 + chance.below(8) {
            let call = match chance.coin() {
                true => block(60_000),
                false => block_executor(60_000),
            };
            async_std::task::spawn(blocked.run(call));
        }
        let mortal = nursery.start_actor("mortal");
        let mortal = mortal.transport(near_or_far(&mut chance)).await?;
        chance.pause(20).await;
        begin = Instant::now();
        mortal.run(die()).await
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").origin().name(), "mortal");
    within(begin, BOUNDED, "ending a blocked sibling");
    assert_alone();
    Ok(())
}

/// What the log of an actor says of stalls, line by line.
struct Log(mpsc::Receiver<String>);

impl Log {
    /// What is written to `reader` and is about the threads of the actor `name`.
    fn from(reader: std::io::PipeReader, name: &str) -> Self {
        let (sender, receiver) = mpsc::channel();
        let about = format!("of actor '{name}'");
        std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            let lines = lines.filter(|line| line.contains(&about));
            // Until nobody wants them.
            lines
                .map_while(|line| sender.send(line).ok())
                .for_each(drop);
        });
        Self(receiver)
    }

    /// The next line, which has to come.
    async fn next(self) -> (Self, String) {
        blocking(move || {
            let line = self.0.recv_timeout(STALL_TOLD);
            let line = line.unwrap_or_else(|error| panic!("{error}: nothing was told"));
            (self, line)
        })
        .await
    }

    /// All lines that come until its end.
    async fn rest(self) -> Vec<String> {
        blocking(move || self.0.into_iter().collect()).await
    }
}

/// Far more than it takes until a stall is told.
const STALL_TOLD: Duration = Duration::from_secs(20);
/// For how long an executor is blocked: it is told after five to six.
const STALL_MS: u64 = 7_000;

/// Takes no time, but has to have its turn at the executor.
#[tractor::rpc(spawn)]
async fn have_a_turn() {}

/// Has the executor's thread taken away by a task that is no call.
#[tractor::rpc]
async fn block_by_own_task(millis: u64) {
    let (begun, has_begun) = futures::channel::oneshot::channel();
    async_std::task::spawn(async move {
        let _ = begun.send(());
        crate::calls::block_thread(millis);
    });
    has_begun.await.expect("it begins");
}

/// Starts an actor with one thread for tasks, where `call` takes a thread away, and has another call
/// come behind that, if `waits`. Gives the line of its log that tells of it, and the one that tells
/// of its end.
async fn stall(name: &str, call: tractor::Call<()>, waits: bool) -> tractor::Result<[String; 2]> {
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    open_nursery(async |nursery| {
        // Whatever this test was told to log.
        let start = nursery.start_actor(name).threads(1).log_level("warn");
        let actor = start.stderr(StdioSpec::Fd(writer.into())).await?;
        // From the second call on a first poll may have a thread of the runtime.
        for _ in 0..3 {
            actor.run(pid()).await?;
        }
        let (mut blocks, mut behind) = (pin!(actor.run(call)), pin!(actor.run(have_a_turn())));
        // Polled once each, they are on their way, in this order.
        assert!(futures::poll!(&mut blocks).is_pending());
        if waits {
            assert!(futures::poll!(&mut behind).is_pending());
        }
        let (log, begins) = Log::from(reader, name).next().await;
        blocks.await?;
        behind.await?;
        let (log, ends) = log.next().await;
        actor.cancel_actor().await?;
        let more = log.rest().await;
        assert!(more.is_empty(), "each is said once: {more:#?}");
        Ok([begins, ends])
    })
    .await
}

/// Fault 15. A call takes the one thread of an actor's executor away, another one waits behind it.
/// The log of the actor says so, once, with both their names, and that it is over. It also tells of
/// a call behind which nobody waits, whose first poll may take away a thread of the runtime, and of
/// the calls that wait behind a task that is none.
pub(crate) async fn f15_stalled_executor_is_told_with_who_blocks_and_who_waits(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut millis = || STALL_MS + chance.below(1500);
    let (behind_call, first_poll, behind_task) = futures::try_join!(
        stall("busy", block_executor(millis()), true),
        stall("hasty", block(millis()), false),
        stall("own", block_by_own_task(millis()), true),
    )?;
    let cases = [
        (
            behind_call,
            "the executor of actor 'busy' has stalled",
            &["standstill::block_executor ", "standstill::have_a_turn "][..],
            &["no call blocks"][..],
        ),
        (
            first_poll,
            "a call has kept a thread of actor 'hasty'",
            &["calls::block "],
            &["no call blocks", "has waited"],
        ),
        (
            behind_task,
            "the executor of actor 'own' has stalled",
            &["no call blocks it", "has waited to be polled"],
            &["has run"],
        ),
    ];
    for ([begins, ends], begin, told, untold) in cases {
        assert!(
            begins.contains(&format!("{begin} for 5")) && begins.contains("WARN"),
            "{begins}"
        );
        assert!(told.iter().all(|part| begins.contains(part)), "{begins}");
        assert!(!untold.iter().any(|part| begins.contains(part)), "{begins}");
        assert!(ends.contains("are free again, after "), "{ends}");
    }
    assert_alone();
    Ok(())
}

/// Fault 15. A call of a child takes a thread of the root's away: the root's log says so.
#[test]
fn f15_stalled_root_is_told() {
    each_seed("f15_stalled_root_is_told", |chance| {
        let mut command = program("fault_programs");
        let millis = STALL_MS + chance.below(1500);
        command.args(["stalls", &millis.to_string()]);
        command.env_remove("TRACTOR_LOG");
        let mut root = Program::start(command);
        let line = root.wait_for("a call has kept a thread of actor 'root' for 5");
        assert!(line.contains("fault_programs::calls::block "), "{line}");
        root.wait_for("the threads of actor 'root' are free again, after ");
        root.wait_for("the root is free");
        assert!(root.end().status.success());
    });
}
