//! Faults 2, 3, 5, 7, 11, 34, 40, 45, 46, 48, 54: processes that die, alone and together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rustix::io::FdFlags;
use rustix::process::{PidfdGetfdFlags, WaitOptions};
use tractor::{Ending, Portal, current_actor, open_nursery, query_actor, wait_for_actor};
use tractor_core::process::census::open_fds;
use tractor_core::process::{Process, Signal};

use crate::calls::{block, die, echo, idle, pid, tasks_running};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, eventually, exited, hold, kill, ms, note, within,
};

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
        eventually("they wait", async || {
            mortal
                .run(tasks_running())
                .await
                .is_ok_and(|tasks| tasks == 3)
        })
        .await;
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
        eventually("it takes its time", async || {
            slow.run(tasks_running()).await.is_ok_and(|tasks| tasks > 0)
        })
        .await;
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

/// Fault 7. An actor in the middle is killed. Its whole subtree is dead in a moment, also those
/// whose threads sleep; the root is told which one it was.
#[tractor::test]
async fn killed_middle_takes_its_subtree_along() -> tractor::Result<()> {
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        async_std::task::spawn(middle.run(grow(2, true)));
        let mut below = Vec::new();
        eventually("the subtree stands", async || {
            below = query_actor("leaf").await.unwrap_or_default();
            below.extend(query_actor("branch").await.unwrap_or_default());
            below.len() == 6
        })
        .await;
        let below: Vec<_> = below.iter().map(|contact| hold(contact.pid)).collect();
        let begin = Instant::now();
        // This block is cancelled when the death is told.
        watching = Some(async_std::task::spawn(async move {
            for process in below {
                exited(process, PROMPT).await;
            }
            begin.elapsed()
        }));
        kill(&hold(middle.pid()));
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let took = watching.expect("it was killed").await;
    note(&format!("a subtree of six was gone after {took:?}"));
    assert!(took < ms(1000), "a subtree was gone after {took:?} only");
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "middle"),
        "{error}"
    );
    assert_alone();
    Ok(())
}

/// Fault 7. The parent of the killed one lives on, and so does its own parent. Neither believes
/// afterwards that somebody is still there: both end at once when they are asked.
#[tractor::test]
async fn ancestors_of_a_killed_middle_end_at_once() -> tractor::Result<()> {
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        let top = nursery.start_actor("top").await?;
        let survives = async_std::task::spawn(top.run(outlive(3)));
        let leaf = wait_for_actor("leaf").await?;
        let (leaf, middle) = (hold(leaf.pid()), wait_for_actor("middle").await?);
        kill(&hold(middle.pid()));
        exited(leaf, PROMPT).await;
        let told = survives.await?;
        assert!(
            told.contains("'middle'") && told.contains("signal 9"),
            "{told}"
        );
        begin = Instant::now();
        top.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "the end of one whose grandchild was killed");
    assert_alone();
    Ok(())
}

/// Starts a chain of so many levels, the second of which is called `middle`, and gives what came
/// of it as text: it lives on.
#[tractor::rpc]
async fn outlive(levels: u32) -> String {
    let below: tractor::Result<()> = open_nursery(async |nursery| {
        let name = match levels {
            3 => "upper",
            2 => "middle",
            _ => "leaf",
        };
        let next = nursery.start_actor(name).await?;
        match levels {
            1 => next.run(idle()).await,
            // The level above passes on what it hears, and is not ended by it.
            _ => {
                let told = next.run(outlive(levels - 1)).await;
                nursery.cancel();
                match told {
                    Ok(text) => Err(tractor::Error::new(
                        current_actor()?.aid().clone(),
                        Ending::LinkLost { reason: text },
                    )),
                    Err(error) => Err(error),
                }
            }
        }
    })
    .await;
    below.map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
}

#[tractor::rpc]
async fn grow(levels: u32, blocked: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let mut below = Vec::new();
        for number in 0..2 {
            let name = if levels == 1 { "leaf" } else { "branch" };
            let next = nursery.start_actor(name).await?;
            if levels > 1 {
                below.push(async_std::task::spawn(
                    next.run(grow(levels - 1, number == 0)),
                ));
            } else if blocked {
                below.push(async_std::task::spawn(next.run(block_ok(60_000))));
            }
        }
        join_all(below).await;
        std::future::pending().await
    })
    .await
}

#[tractor::rpc]
async fn block_ok(millis: u64) -> tractor::Result<()> {
    block(millis).await;
    Ok(())
}

/// Fault 11. User code leaves by `exit(0)` in the middle of a call. That is no success: the
/// caller is told that the actor exited, with the code and the call.
#[tractor::test]
async fn exit_inside_a_call_is_no_success() -> tractor::Result<()> {
    for code in [0, 3, 70] {
        let ended = open_nursery(async |nursery| {
            let hasty = nursery.start_actor("hasty").await?;
            hasty.run(leave(code)).await
        })
        .await;
        let error = ended.expect_err("it did not answer");
        assert!(matches!(error.ending(), Ending::Exited { .. }), "{error}");
        assert_eq!(
            (error.exit_code(), error.origin().name()),
            (Some(code), "hasty"),
            "{error}"
        );
        assert_eq!(error.call(), Some("faults::death::leave"), "{error}");
    }
    assert_alone();
    Ok(())
}

#[tractor::rpc]
#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
async fn leave(code: i32) {
    std::process::exit(code)
}

/// Fault 34. The kernel kills an actor that takes too much memory. It is told as signal 9, its
/// siblings are cancelled, and the root is not harmed.
#[tractor::test]
async fn actor_out_of_memory_is_told_by_its_signal() -> tractor::Result<()> {
    let Some(group) = MemoryGroup::make(48 << 20) else {
        // Where limits of memory cannot be set, the signal alone has to do.
        note("no memory control group can be made here: the signal is sent by hand");
        let ended = open_nursery(async |nursery| {
            nursery
                .start_actor("greedy")
                .await?
                .run(die())
                .await
                .map(drop)
        })
        .await;
        assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
        return Ok(());
    };
    let ended = open_nursery(async |nursery| {
        let greedy = nursery.start_actor("greedy").await?;
        group.enter(greedy.pid());
        greedy.run(take_memory(1 << 30)).await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "greedy"),
        "{error}"
    );
    assert_eq!(error.call(), Some("faults::death::take_memory"), "{error}");
    assert_alone();
    Ok(())
}

/// Takes and touches so much memory, and gives a byte of it.
#[tractor::rpc]
async fn take_memory(bytes: usize) -> u8 {
    let taken = vec![1_u8; bytes];
    taken[bytes / 2]
}

/// A control group with a limit of memory. It goes with the value, once it is empty.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn make(bytes: u64) -> Option<Self> {
        let name = format!("tractor-test-{}", std::process::id());
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        places.iter().find_map(|(place, limit)| {
            let dir = Path::new(place).join(&name);
            fs::create_dir(&dir).ok()?;
            let group = Self(dir);
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            // Where there is swap it would take that first.
            let _ = fs::write(group.0.join("memory.swap.max"), "0");
            let _ = fs::write(
                group.0.join("memory.memsw.limit_in_bytes"),
                bytes.to_string(),
            );
            Some(group)
        })
    }

    fn enter(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("the group is ours");
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // It fails only if the test has, and somebody is in it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Fault 40. User code in an actor reaps whatever child it finds. The deaths of the actor's
/// children are seen all the same; how they died is known, or is said to be lost.
#[tractor::test]
async fn stolen_exit_status_is_said_to_be_lost() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let careless = nursery.start_actor("careless").await?;
        let told = careless.run(steal_and_lose(8)).await?;
        let lost = told
            .iter()
            .filter(|text| text.contains("took its exit status"))
            .count();
        let known = told.iter().filter(|text| text.contains("signal 9")).count();
        note(&format!("{lost} lost and {known} known: {told:?}"));
        assert_eq!(lost + known, told.len(), "{told:?}");
        careless.cancel_actor().await
    })
    .await?;
    within(begin, BOUNDED, "eight deaths");
    assert_alone();
    Ok(())
}

/// Starts and kills a child so many times while a thread reaps blindly, and gives what was told.
#[tractor::rpc]
async fn steal_and_lose(times: u32) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..times {
        let ended = open_nursery(async |nursery| {
            let mortal = nursery.start_actor("mortal").await?;
            let thief = std::thread::spawn(|| rustix::process::wait(WaitOptions::empty()));
            let death = mortal.run(die()).await.map(drop);
            drop(thief);
            death
        })
        .await;
        let error: tractor::Error = ended.expect_err("it was killed");
        assert!(error.is_death(), "{error}");
        told.push(error.to_string());
    }
    told
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

/// Fault 48. A program that an actor started has the actor's link open and is in a session of its
/// own, so that neither the end of the link comes nor the end of the group reaches it. The death
/// of the actor is told all the same.
#[tractor::test]
async fn death_is_told_although_the_link_stays_open() -> tractor::Result<()> {
    let mut foreign = None;
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let leaky = nursery.start_actor("leaky").await?;
        let call = async_std::task::spawn(leaky.run(idle()));
        let sleeper = leaky.run(leak_link()).await?;
        foreign = Some(hold(sleeper));
        eventually("the program has a session of its own", async || {
            fs::read_to_string(format!("/proc/{sleeper}/comm")).is_ok_and(|comm| comm == "sleep\n")
        })
        .await;
        begin = Instant::now();
        kill(&hold(leaky.pid()));
        call.await
    })
    .await;
    within(begin, PROMPT, "a death behind an open link");
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "leaky"),
        "{error}"
    );
    let foreign = foreign.expect("it was started");
    assert!(
        matches!(foreign.state(), Some('S' | 'R')),
        "the program lives and has the link"
    );
    kill(&foreign);
    // It came to the root, which leaves what it does not know to whoever does.
    let pid = i32::try_from(foreign.pid())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::waitpid(pid, WaitOptions::empty()).expect("it is our child now");
    assert_alone();
    Ok(())
}

/// Starts a program that inherits this actor's link, and gives its pid.
#[tractor::rpc]
async fn leak_link() -> u32 {
    let this = Process::open(std::process::id()).expect("this process is there");
    let parent = rustix::process::getppid().expect("it is in our namespace");
    let mut leaked = Vec::new();
    for fd in open_fds().expect("a process may list its descriptors") {
        let Ok(copy) = rustix::process::pidfd_getfd(&this, fd.number, PidfdGetfdFlags::empty())
        else {
            continue;
        };
        let peer = rustix::net::sockopt::socket_peercred(&copy);
        if peer.is_ok_and(|peer| peer.pid == parent) {
            rustix::io::fcntl_setfd(&copy, FdFlags::empty()).expect("it is ours");
            leaked.push(copy);
        }
    }
    assert!(!leaked.is_empty(), "the link is one of the descriptors");
    let sleeper = command("setsid").args(["sleep", "100"]).spawn();
    sleeper.expect("setsid is there").id()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that is no actor is what is tested"
)]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}

/// Fault 54. An actor changes its user, which clears the signal that the kernel would send it at
/// its parent's death, and its threads sleep. When the parent is killed, the end of the link ends
/// it.
#[tractor::test]
async fn actor_of_another_user_ends_with_its_parent() -> tractor::Result<()> {
    if !rustix::process::geteuid().is_root() {
        note("only root can change its user: this fault cannot happen here");
        return Ok(());
    }
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        async_std::task::spawn(middle.run(start_changed()));
        let changed = wait_for_actor("changed").await?;
        let process = hold(changed.pid());
        eventually("it is somebody else", async || {
            let status = fs::read_to_string(format!("/proc/{}/status", process.pid()));
            status.is_ok_and(|status| status.contains("Uid:\t65534\t65534\t65534"))
        })
        .await;
        watching = Some(async_std::task::spawn(exited(process, BOUNDED)));
        kill(&hold(middle.pid()));
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    watching.expect("it was killed").await;
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "middle"),
        "{error}"
    );
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_changed() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let changed = nursery.start_actor("changed").await?;
        changed.run(change_user(65_534)).await.expect("root may");
        changed.run(block(60_000)).await
    })
    .await
}

#[tractor::rpc]
async fn change_user(uid: u32) -> Result<(), io::Error> {
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

/// Faults 2 and 7, at the same time: a leaf and its parent are killed together, again and again.
/// What is told is the death of the nearer one, and nobody is left.
#[tractor::test]
async fn parent_and_child_that_die_together_are_both_gone() -> tractor::Result<()> {
    for turn in 0..6 {
        let ended = open_nursery(async |nursery| {
            let middle = nursery.start_actor("middle").await?;
            async_std::task::spawn(middle.run(grow(1, turn % 2 == 0)));
            let mut leaves = Vec::new();
            eventually("both leaves are there", async || {
                leaves = query_actor("leaf").await.unwrap_or_default();
                leaves.len() == 2
            })
            .await;
            let leaf = &leaves[0];
            assert_eq!(middle.run(echo(vec![turn])).await?, [turn]);
            let mut both = [hold(leaf.pid), hold(middle.pid())];
            if turn % 3 == 0 {
                both.reverse();
            }
            both.iter().for_each(kill);
            middle.run(pid()).await.map(drop)
        })
        .await;
        let error = ended.expect_err("they were killed");
        assert_eq!(
            (error.signal(), error.origin().name()),
            (Some(9), "middle"),
            "{error}"
        );
        assert_alone();
    }
    Ok(())
}
