//! Faults 2, 3, 5, 45, 46: processes that die, alone and together.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Portal, open_nursery};
use tractor_core::process::{Process, Signal};

use crate::calls::{idle, tasks_running};
use crate::tree::{PROMPT, assert_alone, eventually, hold, kill, ms, note, until_begun, within};

/// Fault 2. A child is killed after it became ready and before anybody called it. Its nursery is
/// told who and how, and its siblings are cancelled.
#[tractor::test]
async fn killed_idle_child_cancels_its_siblings() -> tractor::Result<()> {
    let mut siblings = Vec::new();
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal").await?;
        for number in 0..3 {
            let sibling = nursery.start_actor(format!("sibling {number}")).await?;
            siblings.push(hold(sibling.pid()));
        }
        begin = Instant::now();
        kill(&hold(mortal.pid()));
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    within(begin, PROMPT, "the end of a nursery with a death");
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "mortal"),
        "{error}"
    );
    assert!(
        error.group().is_empty() && error.call().is_none(),
        "{error}"
    );
    assert!(
        siblings.iter().all(|sibling| sibling.state().is_none()),
        "a sibling is left"
    );
    assert_alone();
    Ok(())
}

/// Fault 3. A child is killed while calls of it wait. Each caller gets the death at once, the
/// nursery gets it once, and it names the calls that were lost.
#[tractor::test]
async fn death_during_calls_is_told_once_to_each() -> tractor::Result<()> {
    let mut calls = Vec::new();
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal").await?;
        for _ in 0..3 {
            calls.push(async_std::task::spawn(mortal.run(idle())));
        }
        until_begun(&mortal, 3).await;
        kill(&hold(mortal.pid()));
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert!(error.group().is_empty(), "{error}");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "mortal"),
        "{error}"
    );
    assert_eq!(
        error.calls_in_flight(),
        ["faults::calls::idle"; 3],
        "{error}"
    );
    for call in join_all(calls).await {
        let lost = call.expect_err("it cannot return");
        assert_eq!((lost.signal(), lost.id()), (Some(9), error.id()), "{lost}");
        assert_eq!(lost.call(), Some("faults::calls::idle"), "{lost}");
    }
    assert_alone();
    Ok(())
}

/// Fault 5. A child is killed while it is cancelling itself. The cancel comes to its end at once,
/// and how the child died is not lost.
#[tractor::test]
async fn death_while_cancelling_is_recorded() -> tractor::Result<()> {
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let slow = nursery.start_actor("slow").await?;
        async_std::task::spawn(slow.run(crate::calls::deaf()));
        until_begun(&slow, 1).await;
        let process = hold(slow.pid());
        slow.cancel_actor().await?;
        kill(&process);
        tractor::Ok(())
    })
    .await;
    within(begin, PROMPT, "a cancel that is cut short");
    let error = ended.expect_err("it did not end as it was asked to");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "slow"),
        "{error}"
    );
    assert_alone();
    Ok(())
}

static DONE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

/// Fault 45. Calls are given up around the moment of their completion. Each has one outcome: who
/// got a result knows of a completed call, and no call is completed and dropped.
#[tractor::test]
async fn cancel_that_races_completion_has_one_outcome() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let mut got = 0;
        for number in 0..150 {
            let (work, patience) = (ms(1) / 10 * (number % 13), ms(1) / 10 * (number % 11));
            let call = worker.run(complete_or_drop(work.as_micros() as u64));
            let answer = async_std::future::timeout(patience, call).await;
            got += answer.map_or(0, |answer| u32::from(answer.is_ok()));
        }
        eventually("all have come to their end", async || {
            worker
                .run(tasks_running())
                .await
                .is_ok_and(|tasks| tasks == 0)
        })
        .await;
        let (done, dropped) = worker.run(tally()).await?;
        note(&format!(
            "{got} results, {done} completed, {dropped} dropped"
        ));
        assert!(
            got <= done && done + dropped <= 150,
            "{got} {done} {dropped}"
        );
        assert!(
            got > 0 && dropped > 0,
            "it was no race: {got} {done} {dropped}"
        );
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn complete_or_drop(micros: u64) {
    struct Count(bool);
    impl Drop for Count {
        fn drop(&mut self) {
            let count = if self.0 { &DONE } else { &DROPPED };
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mut count = Count(false);
    async_std::task::sleep(Duration::from_micros(micros)).await;
    count.0 = true;
}

#[tractor::rpc]
async fn tally() -> (u32, u32) {
    (DONE.load(Ordering::SeqCst), DROPPED.load(Ordering::SeqCst))
}

/// Fault 46. Two hundred children die at once. They are told in one error, every one of them, in
/// a moment and in a text of bounded length.
#[tractor::test(timeout = 180)]
async fn two_hundred_deaths_are_one_error() -> tractor::Result<()> {
    const MANY: usize = 200;
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let starts = (0..MANY).map(|number| {
            let start = nursery.start_actor(format!("one of many {number}"));
            start.into_future()
        });
        let children: Vec<Portal> = futures::future::try_join_all(starts).await?;
        let processes: Vec<Process> = children.iter().map(|child| hold(child.pid())).collect();
        // Stopped before the first one dies, so that none ends because it was asked to.
        for process in &processes {
            process.signal(Signal::Stop).expect("it is ours");
        }
        eventually("all are stopped", async || {
            processes.iter().all(|process| process.state() == Some('T'))
        })
        .await;
        begin = Instant::now();
        processes.iter().for_each(kill);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let took = begin.elapsed();
    note(&format!("{MANY} deaths were told after {took:?}"));
    within(begin, Duration::from_secs(5), "the end of two hundred");
    let error = ended.expect_err("they were killed");
    let members = error.group();
    assert_eq!(members.len(), MANY, "{error}");
    assert!(
        members.iter().all(|member| member.signal() == Some(9)),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.starts_with(&format!("{MANY} actors failed")), "{text}");
    assert!(text.len() < 32 * 1024, "{} bytes", text.len());
    assert_alone();
    Ok(())
}
