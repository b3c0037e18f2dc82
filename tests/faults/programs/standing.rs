//! Trees that stand until something happens to them.

use std::time::{Duration, Instant};

use tractor::{Options, find_actor, get_root, open_nursery, query_actor};

use crate::calls::{block, block_thread, change_user, idle, pid};
use crate::say;

/// Three levels, a leaf of each branch with its thread asleep. Says who is there, then waits.
/// The first argument is the directory for the sockets.
pub(crate) fn stands(args: &[String]) -> tractor::Result<()> {
    let options = Options::default().runtime_dir(&args[0]);
    tractor::run(options, async || {
        open_nursery(async |nursery| {
            for name in ["left", "right"] {
                let branch = nursery.start_actor(name).await?;
                async_std::task::spawn(branch.run(branch_out()));
            }
            let leaves = loop {
                let leaves = query_actor("leaf").await?;
                if leaves.len() == 4 {
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
async fn branch_out() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let asleep = nursery.start_actor("leaf").await?;
        let awake = nursery.start_actor("leaf").await?;
        let asleep = async_std::task::spawn(asleep.run(block(600_000)));
        awake.run(idle()).await?;
        asleep.await
    })
    .await
}

/// Two levels whose tasks say when they are dropped.
pub(crate) fn tidies() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let upper = nursery.start_actor("upper").await?;
            upper.run(tell_when_dropped(true)).await
        })
        .await
    })
}

#[tractor::rpc]
async fn tell_when_dropped(has_lower: bool) -> tractor::Result<()> {
    struct Tell(String);
    impl Drop for Tell {
        fn drop(&mut self) {
            say(&format!("{} has tidied up", self.0));
        }
    }
    let _tell = Tell(tractor::current_actor()?.name().to_owned());
    open_nursery(async |nursery| {
        if has_lower {
            let lower = nursery.start_actor("lower").await?;
            lower.run(tell_when_dropped(false)).await
        } else {
            say("both are busy");
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

/// Three levels, of which the lowest has the tree told, and blocks its thread then.
pub(crate) fn dumps() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let branch = nursery.start_actor("branch").await?;
            branch.run(have_leaf_dump()).await
        })
        .await
    })
}

#[tractor::rpc]
async fn have_leaf_dump() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let leaf = nursery.start_actor("leaf").await?;
        leaf.run(dump_and_block()).await
    })
    .await
}

#[tractor::rpc]
async fn dump_and_block() -> tractor::Result<()> {
    tractor::dump_tree()?;
    block_thread(600_000);
    Ok(())
}

/// Starts an actor `same`, says its pid and whom it finds under that name, until it is killed.
pub(crate) fn looks() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
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

/// A child has the root block a thread for seven seconds.
pub(crate) fn stalls() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let caller = nursery.start_actor("caller").await?;
            caller.run(block_root()).await?;
            // The end of it is told by a look that comes within a second.
            async_std::task::sleep(Duration::from_secs(2)).await;
            say("the root is free");
            caller.cancel_actor().await
        })
        .await
    })
}

#[tractor::rpc]
async fn block_root() -> tractor::Result<()> {
    get_root().await?.run(block(7_000)).await
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
