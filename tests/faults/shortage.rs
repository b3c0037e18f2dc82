//! Faults 31, 32, 47: no descriptors left, far too many bytes.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::ClockId;
use tractor::{Ending, current_actor, find_actor, open_nursery};
use tractor_core::process::census::open_fds;

use crate::birth::assert_no_child;
use crate::calls::{die, echo, idle, pid};
use crate::odd_deaths::command;
use crate::raw::{address, answers_a_ping, peer, raw};
use crate::tree::{BOUNDED, PROMPT, assert_alone, exited, ms, within};

/// Leaves this process so many descriptors that it may still open, as long as it lives.
struct Shortage(Rlimit);

impl Shortage {
    fn leave(free: usize) -> Self {
        let before = getrlimit(Resource::Nofile);
        let taken: Vec<_> = open_fds()
            .expect("a process may list its descriptors")
            .iter()
            .map(|fd| fd.number as u64)
            .collect();
        // The kernel gives the lowest number that is free, below the limit.
        let numbers = (0..).filter(|number| !taken.contains(number));
        let limit = numbers
            .take(free + 1)
            .last()
            .expect("there are numbers without end");
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(limit),
                ..before
            },
        )
        .expect("it may be lowered");
        Self(before)
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).expect("it may be raised again");
    }
}

/// Fault 31. An actor has no descriptor for a connection that waits. It does not spin, its old
/// links live, and when it has one again the connection is accepted. In the root, whose listener
/// must be closed at the end all the same.
#[tractor::test]
async fn accept_without_descriptors_waits_and_does_not_spin() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let ours = current_actor()?.address().expect("the root listens");
        let shortage = Shortage::leave(1);
        // The one that is left is this end of it.
        let waiting = raw(&ours);
        let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
        async_std::task::sleep(ms(400)).await;
        let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime) - cpu;
        let used = Duration::try_from(used).expect("time goes on");
        assert!(used < ms(100), "it used {used:?} of 400 ms");
        assert_eq!(worker.run(echo(vec![3; 10])).await?, [3; 10]);
        drop(shortage);
        drop(waiting);
        answers_a_ping(peer(&ours).await).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Fault 32. An actor starts others with one descriptor after the other less than it needs. Each
/// start fails and says why, or works; none hangs, and nothing is half started.
#[tractor::test]
async fn start_without_descriptors_fails_whole() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        assert_eq!(middle.run(start_with(100)).await?, "started");
        let mut outcomes = Vec::new();
        for free in 0..12 {
            let begin = Instant::now();
            outcomes.push(middle.run(start_with(free)).await?);
            within(begin, BOUNDED, "a start with few descriptors");
        }
        assert!(outcomes[0].contains("was not started"), "{outcomes:#?}");
        let failed = outcomes
            .iter()
            .take_while(|outcome| *outcome != "started")
            .count();
        assert!(failed >= 2, "{outcomes:#?}");
        assert_eq!(middle.run(start_with(100)).await?, "started");
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// What comes of a start with so many descriptors left.
#[tractor::rpc]
async fn start_with(free: usize) -> tractor::Result<String> {
    let outcome: tractor::Result<String> = open_nursery(async |nursery| {
        let shortage = Shortage::leave(free);
        let started = nursery.start_actor("wanted").await;
        drop(shortage);
        match started {
            Ok(wanted) => {
                wanted.cancel_actor().await?;
                tractor::Ok("started".to_owned())
            }
            Err(error) => {
                let (not_spawned, died) = (
                    matches!(error.ending(), Ending::NotSpawned { .. }),
                    error.is_death(),
                );
                assert!(not_spawned || died, "{error}");
                tractor::Ok(error.to_string())
            }
        }
    })
    .await;
    assert_no_child();
    outcome
}

/// Fault 32. An actor without descriptors looks another up. It is told that it cannot; the other
/// one is not taken for dead, and everybody finds it afterwards.
#[tractor::test]
async fn lookup_without_descriptors_forgets_nobody() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let wanted = nursery.start_actor("wanted").await?;
        for free in 0..3 {
            // With one or two it may find it.
            let found = asker.run(find_with(free)).await;
            assert!(found.is_ok_and(|found| found == Some(wanted.pid())) || free < 2);
            let found = find_actor("wanted").await?.expect("it is there");
            assert_eq!(found.run(pid()).await?, wanted.pid());
        }
        assert_eq!(asker.run(find_with(100)).await?, Some(wanted.pid()));
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn find_with(free: usize) -> tractor::Result<Option<u32>> {
    let _shortage = Shortage::leave(free);
    match find_actor("wanted").await? {
        Some(found) => found.run(pid()).await.map(Some),
        None => Ok(None),
    }
}

/// Fault 32. A child dies while its parent has no descriptor left. Its death is dealt with, and
/// the program that it had started ends with its group.
#[tractor::test]
async fn death_without_descriptors_is_dealt_with() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let foreign = middle.run(lose_a_child()).await?;
        if let Ok(process) = tractor_core::process::Process::open(foreign) {
            exited(process, PROMPT).await;
        }
        middle.cancel_actor().await
    })
    .await?;
    // What it had started came to the root, which leaves a stranger's zombie to whoever knows it.
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    assert_alone();
    Ok(())
}

/// Starts a child that starts a program, kills the child with no descriptor left, and gives the
/// pid of the program.
#[tractor::rpc]
async fn lose_a_child() -> tractor::Result<u32> {
    let mut foreign = None;
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let child = nursery.start_actor("mortal").await?;
        foreign = Some(child.run(start_program()).await?);
        let _shortage = Shortage::leave(0);
        child.run(die()).await.map(drop)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    Ok(foreign.expect("it was started"))
}

#[tractor::rpc]
async fn start_program() -> u32 {
    command("sleep")
        .arg("100")
        .spawn()
        .expect("sleep is there")
        .id()
}

/// Fault 32. The root has no descriptor left when an actor below a child is started, so it cannot
/// watch it. When it has one again it does: the orphan of a killed actor is seen to its end.
#[tractor::test]
async fn orphan_that_could_not_be_watched_is_reaped() -> tractor::Result<()> {
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let shortage = Shortage::leave(0);
        async_std::task::spawn(middle.run(start_idle()));
        let below = tractor::wait_for_actor("below");
        let waiting = async_std::future::timeout(ms(300), below).await;
        assert!(waiting.is_err() || waiting.is_ok_and(|found| found.is_err()));
        drop(shortage);
        middle.run(die()).await.map(drop)
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").origin().name(), "middle");
    within(begin, BOUNDED, "the end of an orphan that was not watched");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_idle() -> tractor::Result<()> {
    open_nursery(async |nursery| nursery.start_actor("below").await?.run(idle()).await).await
}

/// Fault 47. A function fails with, or panics with, a hundred megabytes of text. What arrives is
/// the beginning of it, with the name of its type and how much there was more.
#[tractor::test]
async fn enormous_error_arrives_cut_short() -> tractor::Result<()> {
    const BYTES: usize = 100 << 20;
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let begin = Instant::now();
        let failed = worker.run(fail_with(BYTES)).await.expect_err("it fails");
        let Ending::Failed(user) = failed.ending() else {
            panic!("it has failed")
        };
        assert!(
            user.type_name().contains("Enormous"),
            "{}",
            user.type_name()
        );
        let panicked = worker.run(panic_with(BYTES)).await.expect_err("it panics");
        assert!(panicked.is_panic());
        for error in [&failed, &panicked] {
            let text = error.to_string();
            assert!(text.len() < 4 << 20, "{} bytes", text.len());
            assert!(
                text.contains("'worker'") && text.contains("bytes more"),
                "{}",
                &text[..200]
            );
        }
        within(begin, Duration::from_secs(20), "two enormous failures");
        assert_eq!(worker.run(pid()).await?, worker.pid());
        answers_a_ping(peer(&address(&worker)).await).await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// An error whose text is as long as one likes.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{text}")]
struct Enormous {
    text: String,
}

#[tractor::rpc]
async fn fail_with(bytes: usize) -> Result<(), Enormous> {
    Err(Enormous {
        text: "é".repeat(bytes / 2),
    })
}

#[tractor::rpc]
async fn panic_with(bytes: usize) {
    // Its message is not written to the log as well.
    std::panic::resume_unwind(Box::new("é".repeat(bytes / 2)));
}
