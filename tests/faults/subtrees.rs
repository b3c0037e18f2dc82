//! Faults 7 and 54: the death of an actor that has others below it.

use std::fs;
use std::time::Instant;

use futures::future::join_all;
use rustix::process::{Pid, WaitOptions, waitpid};
use tractor::{Ending, current_actor, open_nursery, query_actor, wait_for_actor};

use crate::calls::{block, change_user, echo, idle, pid};
use crate::support::{Program, program};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, eventually, exited, hold, kill, ms, note, stop, within,
};

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

/// Fault 54. The same where nobody else would end it: the root is its parent and is killed, and it is
/// stopped. The runtime has noticed that the kernel forgot the signal, has said so, and has asked
/// for it again.
#[tractor::test]
async fn stopped_actor_of_another_user_ends_with_the_root() -> tractor::Result<()> {
    if !rustix::process::geteuid().is_root() {
        note("only root can change its user: this fault cannot happen here");
        return Ok(());
    }
    let mut command = program("fault_programs");
    command.arg("changes");
    let mut root = Program::start(command);
    let changed = root.wait_for("nobody now: ").parse().expect("a pid");
    let warning = "so the kernel forgot to kill it at its parent's death: it was told again";
    let is_told = |line: &String| line.contains(warning);
    // The two lines come in any order.
    if !root.lines().iter().any(is_told) {
        root.wait_for(warning);
    }
    let process = hold(changed);
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
