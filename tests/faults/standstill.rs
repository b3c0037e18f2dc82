//! Faults 12, 13, 15, 16: processes that are stopped, blocked or deaf.

use std::fs;
use std::io::{BufRead, BufReader};
use std::pin::pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tractor::{Liveness, Portal, StdioSpec, find_actor, open_nursery, wait_for_actor};
use tractor_core::process::Signal;

use crate::calls::{block, deaf, idle, pid};
use crate::raw::blocking;
use crate::support::{self, Program, program};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, dir_of_tree, eventually, exited, hold, kill, ms, stop,
    until_begun, within,
};

/// Fault 12. An idle child is stopped. A probe says that it is stopped and not that it is dead;
/// nobody kills it; when it goes on it answers.
#[tractor::test]
async fn stopped_child_is_said_to_be_stopped_and_lives() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("stopped").await?;
        let process = hold(child.pid());
        stop(&process).await;
        assert_eq!(child.probe(ms(200)).await, Liveness::Stopped);
        assert_eq!(process.state(), Some('T'), "a probe changes nothing");
        let waiting = child.run(pid());
        process.signal(Signal::Continue).expect("it is ours");
        assert_eq!(waiting.await?, child.pid());
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

/// Fault 13. A stopped child is cancelled. It cannot hear, and SIGTERM waits until it goes on; it
/// is killed when its time is over.
#[tractor::test]
async fn stopped_child_that_is_cancelled_is_killed_in_time() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let child = nursery.start_actor("stopped").await?;
        let call = async_std::task::spawn(child.run(idle()));
        let process = hold(child.pid());
        stop(&process).await;
        child.cancel_actor().await?;
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
#[tractor::test]
async fn deaf_child_is_ended_by_the_ladder() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("deaf").await?;
        let call = async_std::task::spawn(child.run(deaf()));
        until_begun(&child, 1).await;
        let (begin, process) = (Instant::now(), hold(child.pid()));
        child.cancel_actor_within(ms(1000)).await?;
        within(begin, ms(700), "the word that it heard");
        exited(process, BOUNDED).await;
        let took = begin.elapsed();
        assert!(
            took >= ms(600),
            "it was ended after {took:?}, although it had more time"
        );
        assert!(
            call.await.is_err_and(|error| error.is_cancelled()),
            "it was cancelled"
        );
        within(begin, BOUNDED, "ending a deaf child");
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 16. Without a word about time the ladder has its own bounds.
#[tractor::test]
async fn deaf_child_is_ended_by_the_ladders_own_bounds() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let child = nursery.start_actor("deaf").await?;
        async_std::task::spawn(child.run(deaf()));
        until_begun(&child, 1).await;
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
#[tractor::test]
async fn blocked_actor_answers_cancels_and_ends() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let blocked = nursery.start_actor("blocked").threads(2).await?;
        let (mark, waiting) = waiting_call(&blocked).await;
        let keeping = async_std::task::spawn(blocked.run(keep_a_leaf()));
        let leaf = hold(wait_for_actor("leaf").await?.pid());
        let mut calls = vec![];
        for _ in 0..4 {
            calls.push(async_std::task::spawn(blocked.run(block_executor(60_000))));
        }
        for call in first_polls(&blocked) {
            calls.push(call);
        }
        // The runtime takes its role back from each that blocks, in a millisecond or two.
        for _ in 0..10 {
            let Liveness::Answering { after } = blocked.probe(PROMPT).await else {
                panic!("no answer to a ping");
            };
            assert!(after < ms(1000), "a ping took {after:?}");
        }
        drop(waiting);
        eventually("the task that waited is dropped", async || mark.exists()).await;
        fs::remove_file(&mark).expect("it is ours");
        kill(&leaf);
        eventually("the leaf is reaped", async || leaf.state().is_none()).await;
        let asked = Instant::now();
        let process = hold(blocked.pid());
        blocked.cancel_actor_within(ms(800)).await?;
        within(asked, ms(700), "the word that it heard");
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

        fn first_polls(actor: &Portal) -> Vec<async_std::task::JoinHandle<tractor::Result<()>>> {
            vec![$(async_std::task::spawn(actor.run($name()))),*]
        }
    };
}

blocking! { b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 }

/// Fault 15. The same on one processor.
#[test]
fn blocked_actor_answers_cancels_and_ends_on_one_core() {
    let this = std::env::current_exe().expect("this program has a path");
    let mut one_core = support::command("taskset");
    one_core.args(["-c", "0"]).arg(this);
    one_core.args([
        "standstill::blocked_actor_answers_cancels_and_ends",
        "--exact",
    ]);
    let output = one_core.output().expect("taskset is there");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// Fault 15. The root's own threads sleep in user code while a child dies and another one asks who
/// is there. The question is answered and the death dealt with meanwhile.
#[tractor::test]
async fn blocked_root_reaps_and_answers() -> tractor::Result<()> {
    let (mut reaped, mut answered) = (false, false);
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal").await?;
        let caller = nursery.start_actor("caller").await?;
        let mark = dir_of_tree().expect("it is there").join("answered");
        let path = mark.to_str().expect("it is text").to_owned();
        let mut call = pin!(caller.run(ask_and_kill(path, mortal.pid())));
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

/// Asks the root's registrar when the root is blocked, leaves a file when it has its answer, and
/// kills its sibling.
#[tractor::rpc]
async fn ask_and_kill(path: String, sibling: u32) -> tractor::Result<()> {
    async_std::task::sleep(ms(50)).await;
    assert!(find_actor("nobody").await?.is_none());
    fs::write(path, "").expect("it can be written");
    kill(&hold(sibling));
    Ok(())
}

/// Fault 15. A child whose every thread sleeps is ended by the death of another child.
#[tractor::test]
async fn blocked_sibling_of_a_dead_child_is_ended() -> tractor::Result<()> {
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let blocked = nursery.start_actor("blocked").await?;
        async_std::task::spawn(blocked.run(block(60_000)));
        let mortal = nursery.start_actor("mortal").await?;
        mortal.run(crate::calls::die()).await
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").origin().name(), "mortal");
    within(begin, BOUNDED, "ending a blocked sibling");
    assert_alone();
    Ok(())
}

/// The log of an actor, line by line.
struct Log(mpsc::Receiver<String>);

impl Log {
    /// What is written to `reader`.
    fn from(reader: std::io::PipeReader) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            // Until nobody wants them.
            lines
                .map_while(|line| sender.send(line).ok())
                .for_each(drop);
        });
        Self(receiver)
    }

    /// The lines up to the one that holds `text`, which has to come; all until the end for `None`.
    async fn until(self, text: Option<&'static str>) -> (Self, Vec<String>) {
        blocking(move || {
            let (mut lines, is_last) = (Vec::new(), |line: &String| {
                text.is_some_and(|text| line.contains(text))
            });
            while !lines.last().is_some_and(is_last) {
                match self.0.recv_timeout(STALL_TOLD) {
                    Ok(line) => lines.push(line),
                    Err(mpsc::RecvTimeoutError::Disconnected) if text.is_none() => break,
                    Err(error) => panic!("{error}: no {text:?} in {lines:#?}"),
                }
            }
            (self, lines)
        })
        .await
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

/// Starts an actor with one thread for tasks, which `call` takes away, and has another call come
/// behind that. Gives the line of its log that tells of it, and the one that tells of its end.
async fn stall(name: &str, call: tractor::Call<()>) -> tractor::Result<[String; 2]> {
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    open_nursery(async |nursery| {
        let start = nursery.start_actor(name).threads(1);
        let actor = start.stderr(StdioSpec::Fd(writer.into())).await?;
        // From the second call on a first poll may have a thread of the runtime.
        for _ in 0..3 {
            actor.run(pid()).await?;
        }
        let (mut blocks, mut waits) = (pin!(actor.run(call)), pin!(actor.run(have_a_turn())));
        // Polled once each, they are on their way, in this order.
        assert!(futures::poll!(&mut blocks).is_pending());
        assert!(futures::poll!(&mut waits).is_pending());
        let (log, mut lines) = Log::from(reader).until(Some("has stalled")).await;
        blocks.await?;
        waits.await?;
        let (log, ends) = log.until(Some("goes on")).await;
        actor.cancel_actor().await?;
        let (_, after) = log.until(None).await;
        lines.extend([ends, after].concat());
        let both = <[String; 2]>::try_from(lines);
        Ok(both.unwrap_or_else(|lines| panic!("each is said once: {lines:#?}")))
    })
    .await
}

/// Fault 15. A call takes the one thread of an actor's executor away, another one waits behind it.
/// The log of the actor says so, once, with both their names, and that it is over. It says as much
/// of a first poll, which takes away a thread of the runtime, and of the calls that wait behind a
/// task that is none.
#[tractor::test]
async fn stalled_executor_is_told_with_who_blocks_and_who_waits() -> tractor::Result<()> {
    let (behind_call, first_poll, behind_task) = futures::try_join!(
        stall("busy", block_executor(STALL_MS)),
        stall("hasty", block(STALL_MS)),
        stall("own", block_by_own_task(STALL_MS)),
    )?;
    let cases = [
        (
            behind_call,
            "busy",
            &["standstill::block_executor ", "standstill::have_a_turn "][..],
            &["no call blocks"][..],
        ),
        (first_poll, "hasty", &["calls::block "], &["no call blocks"]),
        (
            behind_task,
            "own",
            &["no call blocks it", "has waited to be polled"],
            &["has run"],
        ),
    ];
    for ([begins, ends], name, told, untold) in cases {
        let begin = format!("the executor of actor '{name}' has stalled for 5");
        assert!(
            begins.contains(&begin) && begins.contains("WARN"),
            "{begins}"
        );
        assert!(told.iter().all(|part| begins.contains(part)), "{begins}");
        assert!(!untold.iter().any(|part| begins.contains(part)), "{begins}");
        let end = format!("the executor of actor '{name}' goes on, after ");
        assert!(ends.contains(&end), "{ends}");
    }
    assert_alone();
    Ok(())
}

/// Fault 15. A call of a child takes a thread of the root's away: the root's log says so.
#[test]
fn stalled_root_is_told() {
    let mut root = Program::start({
        let mut command = program("fault_programs");
        command.arg("stalls");
        command
    });
    let line = root.wait_for("the executor of actor 'root' has stalled for ");
    assert!(line.contains("fault_programs::calls::block "), "{line}");
    root.wait_for("the executor of actor 'root' goes on, after ");
    root.wait_for("the root is free");
    assert!(root.end().status.success());
}
