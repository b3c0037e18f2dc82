//! Faults 7 and 54: the death of an actor that has others below it.

use std::fs;
use std::time::Instant;

use futures::future::join_all;
use rustix::process::{Pid, WaitOptions, waitpid};
use tractor::{Ending, current_actor, open_nursery, query_actor, wait_for_actor};

use super::birth::near_or_far;
use super::death::some_time;
use crate::calls::{block, change_user, echo, idle, pid};
use crate::chance::Chance;
use crate::support::{Program, program};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, assert_killed, assert_nobody_left, eventually, exited, hold,
    kill, ms, note, stop, within,
};

/// Fault 7. An actor in the middle is killed, when its subtree stands or while it grows. The whole
/// of it is dead in a moment, also those whose threads sleep; the root is told which one it was.
pub(crate) async fn f07_killed_middle_takes_its_subtree_along(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let many = *chance.pick(&[6, 6, 6, 1, 3, 5]);
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.transport(near_or_far(&mut chance)).await?;
        let grown = grow(2, true, chance.below(u64::MAX));
        async_std::task::spawn(middle.run(grown));
        let mut below = Vec::new();
        eventually("so many are there", async || {
            below = query_actor("leaf").await.unwrap_or_default();
            below.extend(query_actor("branch").await.unwrap_or_default());
            below.len() >= many
        })
        .await;
        let below: Vec<_> = below.iter().map(|contact| hold(contact.pid)).collect();
        let middle = hold(middle.pid());
        some_time(&middle, &mut chance).await;
        let begin = Instant::now();
        // This block is cancelled when the death is told.
        watching = Some(async_std::task::spawn(async move {
            for process in below {
                exited(process, PROMPT).await;
            }
            begin.elapsed()
        }));
        kill(&middle);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let took = watching.expect("it was killed").await;
    note(&format!(
        "{many} of a subtree of six were gone after {took:?}"
    ));
    assert!(took < ms(1000), "a subtree was gone after {took:?} only");
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "middle");
    assert_nobody_left(6 - many);
    Ok(())
}

/// Fault 7. The parent of the killed one lives on, and so does its own parent. Neither believes
/// afterwards that somebody is still there: both end at once when they are asked.
pub(crate) async fn f07_ancestors_of_a_killed_middle_end_at_once(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        let top = nursery.start_actor("top");
        let top = top.transport(near_or_far(&mut chance)).await?;
        let survives = outlive(3, chance.below(u64::MAX));
        let survives = async_std::task::spawn(top.run(survives));
        let leaf = wait_for_actor("leaf").await?;
        let (leaf, middle) = (hold(leaf.pid()), wait_for_actor("middle").await?);
        let middle = hold(middle.pid());
        some_time(&middle, &mut chance).await;
        kill(&middle);
        exited(leaf, PROMPT).await;
        let told = survives.await?;
        assert!(
            told.contains("'middle'") && told.contains("signal 9"),
            "{told}"
        );
        chance.pause(10).await;
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
async fn outlive(levels: u32, seed: u64) -> String {
    let mut chance = Chance::new(seed);
    let below: tractor::Result<()> = open_nursery(async |nursery| {
        let name = match levels {
            3 => "upper",
            2 => "middle",
            _ => "leaf",
        };
        let next = nursery.start_actor(name);
        let next = next.transport(near_or_far(&mut chance)).await?;
        match levels {
            1 => next.run(idle()).await,
            // The level above passes on what it hears, and is not ended by it.
            _ => {
                let told = outlive(levels - 1, chance.below(u64::MAX));
                let told = next.run(told).await;
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

/// Starts two, and below each of them two more, for so many levels. With one level their threads
/// sleep if they are to be blocked; with more those of the last ones below one of the two do.
#[tractor::rpc]
async fn grow(levels: u32, blocked: bool, seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let sleeping = chance.below(2);
    open_nursery(async |nursery| {
        let mut below = Vec::new();
        for number in 0..2 {
            let name = if levels == 1 { "leaf" } else { "branch" };
            let next = nursery.start_actor(name);
            let next = next.transport(near_or_far(&mut chance)).await?;
            if levels > 1 {
                let grown = grow(levels - 1, number == sleeping, chance.below(u64::MAX));
                below.push(async_std::task::spawn(next.run(grown)));
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

/// Fault 54. An actor changes its user, which clears the signal that the kernel would send it at
/// its parent's death, and its threads sleep. When the parent is killed, the end of the link ends
/// it.
pub(crate) async fn f54_actor_of_another_user_ends_with_its_parent(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    if !rustix::process::geteuid().is_root() {
        note("only root can change its user: this fault cannot happen here");
        return Ok(());
    }
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.transport(near_or_far(&mut chance)).await?;
        let start = start_changed(chance.below(u64::MAX));
        async_std::task::spawn(middle.run(start));
        // Not connected to: whoever has another user is refused.
        let mut changed = Vec::new();
        eventually("it is there", async || {
            changed = query_actor("changed").await.unwrap_or_default();
            !changed.is_empty()
        })
        .await;
        let process = hold(changed[0].pid);
        eventually("it is somebody else", async || {
            let status = fs::read_to_string(format!("/proc/{}/status", process.pid()));
            status.is_ok_and(|status| status.contains("Uid:\t65534\t65534\t65534"))
        })
        .await;
        let middle = hold(middle.pid());
        some_time(&middle, &mut chance).await;
        watching = Some(async_std::task::spawn(exited(process, BOUNDED)));
        kill(&middle);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    watching.expect("it was killed").await;
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "middle");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_changed(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let changed = nursery.start_actor("changed");
        let changed = changed.transport(near_or_far(&mut chance)).await?;
        changed.run(change_user(65_534)).await.expect("root may");
        changed.run(block(60_000)).await
    })
    .await
}

/// Fault 54. The same where nobody else would end it: the root is its parent and is killed, and it is
/// stopped. The runtime has noticed that the kernel forgot the signal, has said so, and has asked
/// for it again.
pub(crate) async fn f54_stopped_actor_of_another_user_ends_with_the_root(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    if !rustix::process::geteuid().is_root() {
        note("only root can change its user: this fault cannot happen here");
        return Ok(());
    }
    let mut command = program("fault_programs");
    command.arg("changes").env_remove("TRACTOR_LOG");
    let mut root = Program::start(command);
    let changed = root.wait_for("nobody now: ").parse().expect("a pid");
    let warning = "so the kernel forgot to kill it at its parent's death: it was told again";
    let is_told = |line: &String| line.contains(warning);
    // The two lines come in any order.
    if !root.lines().iter().any(is_told) {
        root.wait_for(warning);
    }
    let process = hold(changed);
    chance.pause(5).await;
    stop(&process).await;
    let root_process = hold(root.pid());
    kill(&root_process);
    exited(process, PROMPT).await;
    exited(root_process, PROMPT).await;
    // It has come to us, who look after orphans, and take none of another tree.
    let pid = i32::try_from(changed).ok().and_then(Pid::from_raw);
    let status = waitpid(pid, WaitOptions::empty()).expect("it is our child");
    let (_, status) = status.expect("it was waited for");
    assert_eq!(status.terminating_signal(), Some(9), "not by a hang-up");
    let told = root.lines().iter().filter(|line| is_told(line)).count();
    assert_eq!(told, 1, "{:#?}", root.lines());
    Ok(())
}

/// Faults 2 and 7, at the same time: a leaf and its parent are killed together, or one soon after
/// the other, again and again. What is told is the death of the nearer one, and nobody is left.
pub(crate) async fn f07_parent_and_child_that_die_together_are_both_gone(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    for _ in 0..6 {
        let ended = open_nursery(async |nursery| {
            let middle = nursery.start_actor("middle");
            let middle = middle.transport(near_or_far(&mut chance)).await?;
            let grown = grow(1, chance.coin(), chance.below(u64::MAX));
            async_std::task::spawn(middle.run(grown));
            let mut leaves = Vec::new();
            eventually("both leaves are there", async || {
                leaves = query_actor("leaf").await.unwrap_or_default();
                leaves.len() == 2
            })
            .await;
            let leaf = chance.pick(&leaves);
            let size = chance.below(1000) as usize;
            assert_eq!(middle.run(echo(vec![7; size])).await?, vec![7; size]);
            let mut both = [hold(leaf.pid), hold(middle.pid())];
            chance.shuffle(&mut both);
            kill(&both[0]);
            if chance.coin() {
                // Here the block ends if the middle was the first. Its leaf is killed with it.
                chance.pause(3).await;
            }
            kill(&both[1]);
            middle.run(pid()).await.map(drop)
        })
        .await;
        let error = ended.expect_err("they were killed");
        assert_killed(&error, "middle");
        assert_alone();
    }
    Ok(())
}
