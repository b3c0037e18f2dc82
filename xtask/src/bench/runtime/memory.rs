//! The memory that an actor has to itself.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tractor::{OnExit, open_nursery_with};

use super::{Message, echo, times};
use crate::bench::median;

const ROUNDS: usize = 5;
/// Until the runtime's threads have gone to sleep and given back what they can.
const UNTIL_IDLE: Duration = Duration::from_millis(100);

pub(super) async fn of_idle_actor() -> Result<f64> {
    let round = async || {
        open_nursery_with(OnExit::CancelDaemons, async |nursery| {
            let actor = nursery.start_actor("idle").await?;
            actor.run(echo(Message::default())).await?;
            thread::sleep(UNTIL_IDLE);
            private_bytes(actor.pid())
        })
        .await
    };
    median(times(ROUNDS, round).await?).context("no round was measured")
}

fn private_bytes(pid: u32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = sum_private(&rollup).context("the kernel does not tell the private memory")?;
    Ok(kib as f64 * 1024.0)
}

/// The kibibytes of all lines that begin with `Private_Clean` or `Private_Dirty`.
fn sum_private(rollup: &str) -> Option<u64> {
    ["Private_Clean:", "Private_Dirty:"]
        .into_iter()
        .map(|name| {
            let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_private_memory_are_counted() {
        let rollup = "Rss:   2000 kB\nPrivate_Clean:     12 kB\nPrivate_Dirty:    700 kB\n";
        assert_eq!(sum_private(rollup), Some(712));
        assert_eq!(sum_private("Private_Dirty: 700 kB\n"), None);
    }
}
