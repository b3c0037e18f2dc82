//! Fault 7, at its edges: an actor is killed while it starts another.

use futures::future::{join_all, try_join_all};
use tractor::{current_actor, open_nursery};
use tractor_core::process::census::marked_processes;

use super::birth::near_or_far;
use super::death::some_time;
use crate::calls::start_with;
use crate::chance::Chance;
use crate::tree::{PROMPT, assert_alone, eventually, exited, hold, kill};

/// The new process is stopped before it could ask the kernel to end with its parent, and others
/// are on their way to the same place or not yet there. It is killed by the root, and the nursery
/// returns.
pub(crate) async fn f07_orphan_stopped_before_its_first_act_is_killed(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let tree = current_actor()?.identity().tree.to_string();
    let stopped = || {
        let mut stopped = marked_processes(&tree);
        stopped.retain(|process| process.state == 'T');
        stopped
    };
    let many = 1 + chance.below(3);
    let awaited = 1 + chance.below(many) as usize;
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.transport(near_or_far(&mut chance)).await?;
        for _ in 0..many {
            let lag = chance.below(8);
            let plan = format!("boot.detected=delay:{lag}ms; boot.detected=stop");
            async_std::task::spawn(middle.run(start_with(plan)));
        }
        eventually("they are stopped", async || stopped().len() >= awaited).await;
        let orphans: Vec<_> = stopped().iter().map(|orphan| hold(orphan.pid)).collect();
        let middle = hold(middle.pid());
        some_time(&middle, &mut chance).await;
        // This block is cancelled when the death is told.
        let gone = orphans.into_iter().map(|orphan| exited(orphan, PROMPT));
        watching = Some(async_std::task::spawn(join_all(gone)));
        kill(&middle);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    watching.expect("they were stopped").await;
    assert_alone();
    Ok(())
}

/// The parent dies before it has reported the new process, which goes on with its boot meanwhile,
/// or stands still. The root reaps it all the same.
pub(crate) async fn f07_orphan_of_which_nobody_was_told_is_reaped(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let many = 1 + chance.below(3);
    let (which, lag) = (1 + chance.below(many), chance.delay(12).as_millis());
    let plan = format!("start.launched@{which}=delay:{lag}ms; start.launched@{which}=kill");
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.transport(near_or_far(&mut chance));
        let middle = middle.env("TRACTOR_FAULTS", &plan).await?;
        let starts = (0..many).map(|_| {
            let plan = chance.pick(&["", "boot.detected=stop", "boot.entered=stop"]);
            middle.run(start_with((*plan).into()))
        });
        let starts: Vec<_> = starts.collect();
        try_join_all(starts).await.map(drop)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert_alone();
    Ok(())
}
