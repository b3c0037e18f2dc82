//! Trees that stand until something happens to them.

use std::time::{Duration, Instant};

use tractor::{Options, find_actor, get_root, open_nursery, query_actor};

use crate::calls::{block, block_thread, change_user, idle, pid};
use crate::{number, say};

/// Three levels, a leaf of each branch with its thread asleep. Says who is there, then waits.
/// The arguments: the directory for the sockets, and for each branch how many leaves it has, and
/// which of them is asleep.
pub(crate) fn stands(args: &[String]) -> tractor::Result<()> {
    let options = Options::default().runtime_dir(&args[0]);
    tractor::run(options, async || {
        open_nursery(async |nursery| {
            for (name, at) in [("left", 1), ("right", 3)] {
                let branch = nursery.start_actor(name).await?;
                let leaves = branch_out(number(args, at), number(args, at + 1));
                async_std::task::spawn(branch.run(leaves));
            }
            let leaves = loop {
                let leaves = query_actor("leaf").await?;
                if leaves.len() as u64 == number(args, 1) + number(args, 3) {
                    break leaves;
                }
                async_std::task::sleep(Duration::from_millis(2)).await;
            };
            let branches = nursery
                .statistics()
                .children
                .into_iter()
                .map(|child| child.pid);
            let pids: Vec<_> = branches.chain(leaves.iter().map(|leaf| leaf.pid)).collect();
            say(&format!("standing {}", pids.map_to_text()));
            std::future::pending().await
        })
        .await
    })
}

trait MapToText {
    fn map_to_text(&self) -> String;
}

impl MapToText for Vec<u32> {
    fn map_to_text(&self) -> String {
        self.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[tractor::rpc]
async fn branch_out(leaves: u64, asleep: u64) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for number in 0..leaves {
            let leaf = nursery.start_actor("leaf").await?;
            if number == asleep {
                async_std::task::spawn(leaf.run(block(600_000)));
            } else {
                async_std::task::spawn(leaf.run(idle()));
            }
        }
        std::future::pending().await
    })
    .await
}

/// So many levels whose tasks say when they are dropped; the argument is their number.
pub(crate) fn tidies(args: &[String]) -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let levels = number(args, 0);
            let upper = nursery.start_actor(format!("level {levels}")).await?;
            upper.run(tell_when_dropped(levels - 1)).await
        })
        .await
    })
}

#[tractor::rpc]
async fn tell_when_dropped(below: u64) -> tractor::Result<()> {
    struct Tell(String);
    impl Drop for Tell {
        fn drop(&mut self) {
            say(&format!("{} has tidied up", self.0));
        }
    }
    let _tell = Tell(tractor::current_actor()?.name().to_owned());
    open_nursery(async |nursery| {
        if below > 0 {
            let lower = nursery.start_actor(format!("level {below}")).await?;
            lower.run(tell_when_dropped(below - 1)).await
        } else {
            say("all are busy");
            std::future::pending().await
        }
    })
    .await
}

/// Half a second of work in a scope that allows two. Whoever stops the process in between takes
/// none of it away.
pub(crate) fn waits() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let worker = nursery.start_actor("worker").await?;
            let begin = Instant::now();
            let scope = tractor::timeout(Duration::from_secs(2), async {
                // Once it has waited the clock runs for it.
                async_std::task::sleep(Duration::from_millis(20)).await;
                say("waiting");
                // Ends when the process was stopped: half a second has passed then for sure.
                while begin.elapsed() < Duration::from_millis(500) {
                    async_std::task::sleep(Duration::from_millis(20)).await;
                }
                let mut calls = 0;
                while calls < 10 {
                    worker.run(pid()).await?;
                    async_std::task::sleep(Duration::from_millis(10)).await;
                    calls += 1;
                }
                tractor::Ok(calls)
            });
            match scope.await {
                Ok(Ok(calls)) => say(&format!("finished after {calls} calls")),
                Ok(Err(error)) => say(&format!("failed: {error}")),
                Err(cancelled) => say(&format!("cut off: {cancelled}")),
            }
            worker.cancel_actor().await
        })
        .await
    })
}

/// Several levels, of which the lowest has the tree told, and blocks its thread then. The
/// arguments: how many branches are one below the other, and after how many microseconds the leaf
/// does it.
pub(crate) fn dumps(args: &[String]) -> tractor::Result<()> {
    let below = have_leaf_dump(number(args, 0) - 1, number(args, 1));
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let branch = nursery.start_actor("branch").await?;
            branch.run(below).await
        })
        .await
    })
}

#[tractor::rpc]
async fn have_leaf_dump(branches: u64, micros: u64) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        if branches > 0 {
            let branch = nursery.start_actor("branch").await?;
            branch.run(have_leaf_dump(branches - 1, micros)).await
        } else {
            let leaf = nursery.start_actor("leaf").await?;
            leaf.run(dump_and_block(micros)).await
        }
    })
    .await
}

#[tractor::rpc]
async fn dump_and_block(micros: u64) -> tractor::Result<()> {
    async_std::task::sleep(Duration::from_micros(micros)).await;
    tractor::dump_tree()?;
    block_thread(600_000);
    Ok(())
}

/// Starts an actor `same`, says its pid and whom it finds under that name, until it is killed. The
/// argument is the directory for the sockets.
pub(crate) fn looks(args: &[String]) -> tractor::Result<()> {
    let options = Options::default().runtime_dir(&args[0]);
    tractor::run(options, async || {
        open_nursery(async |nursery| {
            let ours = nursery.start_actor("same").await?;
            let asker = nursery.start_actor("asker").await?;
            let found = asker.run(find_same()).await?;
            say(&format!("ours {} found {found:?}", ours.pid()));
            std::future::pending().await
        })
        .await
    })
}

#[tractor::rpc]
async fn find_same() -> tractor::Result<Vec<u32>> {
    let found = find_actor("same").await?.expect("it is there");
    let all = query_actor("same").await?;
    assert_eq!(found.run(pid()).await?, found.pid());
    Ok(all.iter().map(|contact| contact.pid).collect())
}

/// A child has the root block a thread for so many milliseconds.
pub(crate) fn stalls(args: &[String]) -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let caller = nursery.start_actor("caller").await?;
            caller.run(block_root(number(args, 0))).await?;
            // The end of it is told by a look that comes within a second.
            async_std::task::sleep(Duration::from_secs(2)).await;
            say("the root is free");
            caller.cancel_actor().await
        })
        .await
    })
}

#[tractor::rpc]
async fn block_root(millis: u64) -> tractor::Result<()> {
    get_root().await?.run(block(millis)).await
}

/// A child changes its user, and stands. Says its pid when its runtime has had something to do
/// since.
pub(crate) fn changes() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let changed = nursery.start_actor("changed").await?;
            // Which thread leads changes with the first calls.
            for _ in 0..3 {
                changed.run(pid()).await?;
            }
            changed.run(change_user(65_534)).await?;
            let pid = changed.run(pid()).await?;
            say(&format!("nobody now: {pid}"));
            std::future::pending().await
        })
        .await
    })
}
