//! Faults 2, 3, 5, 45, 46: processes that die, alone and together.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Portal, open_nursery};
use tractor_core::process::{Process, Signal};

use super::birth::near_or_far;
use crate::calls::{deaf, idle, tasks_running};
use crate::chance::{Chance, give_up_after};
use crate::seeds::hold_back;
use crate::tree::{
    PROMPT, assert_alone, assert_killed, eventually, hold, kill, note, stop, until_begun, within,
};

/// Lets some time pass, in which the process goes on or stands still.
pub(crate) async fn some_time(process: &Process, chance: &mut Chance) {
    if chance.coin() {
        stop(process).await;
    }
    chance.pause(20).await;
}

/// Fault 2. A child is killed after it became ready and before anybody called it. Its nursery is
/// told who and how, and its siblings, older and younger, are cancelled.
pub(crate) async fn f02_killed_idle_child_cancels_its_siblings(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut names = vec!["sibling"; 1 + chance.below(4) as usize];
    names.push("mortal");
    chance.shuffle(&mut names);
    let mut siblings = Vec::new();
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let mut mortal = None;
        for &name in &names {
            let start = nursery.start_actor(name);
            let child = start.transport(near_or_far(&mut chance)).await?;
            if name == "mortal" {
                mortal = Some(hold(child.pid()));
                continue;
            }
            siblings.push(hold(child.pid()));
            if chance.coin() {
                async_std::task::spawn(child.run(idle()));
            }
        }
        let mortal = mortal.expect("it is one of them");
        some_time(&mortal, &mut chance).await;
        begin = Instant::now();
        kill(&mortal);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    within(begin, PROMPT, "the end of a nursery with a death");
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "mortal");
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
/// nursery gets it once, and it names the calls that were lost, in the order in which they began.
pub(crate) async fn f03_death_during_calls_is_told_once_to_each(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let many = 1 + chance.below(5) as usize;
    let (mut calls, mut names) = (None, Vec::new());
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal");
        let mortal = mortal.transport(near_or_far(&mut chance)).await?;
        let mut runs = Vec::new();
        for _ in 0..many {
            let (call, name) = match chance.coin() {
                true => (idle(), "scenarios::calls::idle"),
                false => (deaf(), "scenarios::calls::deaf"),
            };
            runs.push(mortal.run(call));
            names.push(name);
        }
        // One task, which begins them in this order.
        calls = Some(async_std::task::spawn(join_all(runs)));
        until_begun(&mortal, many).await;
        let process = hold(mortal.pid());
        some_time(&process, &mut chance).await;
        kill(&process);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert!(error.group().is_empty(), "{error}");
    assert_killed(&error, "mortal");
    assert_eq!(error.calls_in_flight(), names, "{error}");
    let calls = calls.expect("they were begun").await;
    for (call, name) in calls.into_iter().zip(names) {
        let lost = call.expect_err("it cannot return");
        assert_eq!((lost.signal(), lost.id()), (Some(9), error.id()), "{lost}");
        assert_eq!(lost.call(), Some(name), "{lost}");
    }
    assert_alone();
    Ok(())
}

/// Fault 5. A child is killed while it is cancelling itself, when it has said so or before. The
/// cancel comes to its end at once, and how the child died is not lost.
pub(crate) async fn f05_death_while_cancelling_is_recorded(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let slow = nursery.start_actor("slow");
        let slow = slow.transport(near_or_far(&mut chance)).await?;
        async_std::task::spawn(slow.run(deaf()));
        until_begun(&slow, 1).await;
        let process = hold(slow.pid());
        let way = chance.below(3);
        let killing = async {
            chance.pause(20).await;
            kill(&process);
        };
        match way {
            0 => {
                slow.cancel_actor().await?;
                killing.await;
            }
            1 => {
                nursery.cancel();
                killing.await;
            }
            _ => futures::join!(slow.cancel_actor(), killing).0?,
        }
        tractor::Ok(())
    })
    .await;
    within(begin, PROMPT, "a cancel that is cut short");
    let error = ended.expect_err("it did not end as it was asked to");
    assert_killed(&error, "slow");
    assert_alone();
    Ok(())
}

/// Counted by each worker for itself.
static DONE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

/// How many calls are given up around the moment of their completion.
const RACES: u64 = 150;

/// How one of them is given up.
#[derive(Debug, Clone, Copy)]
struct Race {
    /// What the call takes, in microseconds.
    work: u64,
    patience: Duration,
    /// Whether the callee is told of the deadline.
    travels: bool,
}

impl Race {
    /// In any order, each of the two times is as often short as long.
    fn all(chance: &mut Chance) -> Vec<Self> {
        let races = (0..RACES).map(|number| Self {
            work: 100 * (number % 13) + chance.below(100),
            patience: Duration::from_micros(100 * (number % 11) + chance.below(100)),
            travels: chance.coin(),
        });
        let mut races: Vec<_> = races.collect();
        chance.shuffle(&mut races);
        races
    }

    /// Whether the call has a result before it is given up.
    async fn is_answered(&self, worker: &Portal) -> bool {
        let call = worker.run(complete_or_drop(self.work));
        let answer = if self.travels {
            tractor::move_on_after(self.patience, call).await
        } else {
            give_up_after(self.patience, call).await
        };
        answer.is_some_and(|answer| answer.is_ok())
    }
}

/// Fault 45. Calls are given up around the moment of their completion. Each has one outcome: who
/// got a result knows of a completed call, and no call is completed and dropped.
pub(crate) async fn f45_cancel_that_races_completion_has_one_outcome(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let at_once = 1 + chance.below(3) as usize;
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker");
        let worker = worker.transport(near_or_far(&mut chance)).await?;
        let mut got = 0;
        for races in Race::all(&mut chance).chunks(at_once) {
            let answered = join_all(races.iter().map(|race| race.is_answered(&worker)));
            got += answered.await.into_iter().map(u32::from).sum::<u32>();
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
            got <= done && u64::from(done + dropped) <= RACES,
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

/// Fault 46. Two hundred children die at once, in any order, all together or while the first
/// deaths are told. They are told in one error, every one of them, in a moment and in a text of
/// bounded length.
pub(crate) async fn f46_two_hundred_deaths_are_one_error(seed: u64) -> tractor::Result<()> {
    const MANY: usize = 200;
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    let mut killing = None;
    let ended = open_nursery(async |nursery| {
        let starts = (0..MANY).map(|number| {
            let start = nursery.start_actor(format!("one of many {number}"));
            start.into_future()
        });
        let children: Vec<Portal> = futures::future::try_join_all(starts).await?;
        let mut processes: Vec<Process> = children.iter().map(|child| hold(child.pid())).collect();
        // Stopped before the first one dies, so that none ends because it was asked to.
        for process in &processes {
            process.signal(Signal::Stop).expect("it is ours");
        }
        eventually("all are stopped", async || {
            processes.iter().all(|process| process.state() == Some('T'))
        })
        .await;
        chance.shuffle(&mut processes);
        let burst = MANY.div_ceil(1 + chance.below(3) as usize);
        let delays: Vec<_> = processes.chunks(burst).map(|_| chance.delay(3)).collect();
        begin = Instant::now();
        // On a thread of its own: this block is cancelled when the first death is told, and the
        // ladder soon sends its signals to those that are left.
        killing = Some(async_std::task::spawn_blocking(move || {
            for (burst, delay) in processes.chunks(burst).zip(delays) {
                hold_back(delay);
                burst.iter().for_each(kill);
            }
        }));
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let took = begin.elapsed();
    note(&format!("{MANY} deaths were told after {took:?}"));
    within(begin, Duration::from_secs(5), "the end of two hundred");
    let error = ended.expect_err("they were killed");
    let members = error.group();
    assert_eq!(members.len(), MANY, "{error}");
    killing.expect("all were started").await;
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
