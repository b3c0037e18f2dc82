//! An actor that nobody asks anything does not wake up: nothing in it polls or ticks.

use std::fs;
use std::io;
use std::time::Duration;

use tractor::{OnExit, Transport, move_on_after, open_nursery_with};

use crate::spawning::who;
use crate::values::ask;

/// Long enough to see what wakes up every second or more often.
const WINDOW: Duration = Duration::from_secs(2);
/// Windows in which it may come to rest.
const WINDOWS_MAX: usize = 5;

/// How often threads of a process have begun to wait: a thread that has woken up does it again.
fn waits(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
            .and_then(|count| count.trim().parse::<u64>().ok());
        sum += count.ok_or_else(|| io::Error::other("the kernel counts no switches"))?;
    }
    Ok(sum)
}

#[tractor::test]
async fn idle_actors_do_not_wake_up() -> tractor::Result<()> {
    open_nursery_with(OnExit::CancelDaemons, async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let leaf = nursery.start_actor("leaf").await?;
        let far = nursery.start_actor("far");
        let far = far.transport(Transport::LoopbackTcp).await?;
        // Used once, so that every thread that work starts is there.
        middle.run(who()).await?;
        leaf.run(ask(middle.clone())).await?;
        leaf.run(ask(far.clone())).await?;
        let pids = [middle.pid(), leaf.pid(), far.pid()];
        let mut counts = Vec::new();
        for _ in 0..WINDOWS_MAX {
            let before = pids.map(|pid| waits(pid).expect("it lives"));
            // Nothing happens in it, which is what is measured.
            move_on_after(WINDOW, std::future::pending::<()>()).await;
            let after = pids.map(|pid| waits(pid).expect("it lives"));
            counts.push([0, 1, 2].map(|index| after[index] - before[index]));
            if counts.last() == Some(&[0, 0, 0]) {
                return tractor::Ok(());
            }
        }
        panic!("wake-ups of three idle actors, in {WINDOW:?} each: {counts:?}");
    })
    .await
}
