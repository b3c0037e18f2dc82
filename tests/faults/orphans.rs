//! Fault 7, at its edges: an actor is killed while it starts another.

use tractor::{current_actor, open_nursery};
use tractor_core::process::census::marked_processes;

use crate::calls::start_with;
use crate::tree::{PROMPT, assert_alone, eventually, exited, hold, kill};

/// The new process is stopped before it could ask the kernel to end with its parent. It is killed
/// by the root, and the nursery returns.
#[tractor::test]
async fn orphan_stopped_before_its_first_act_is_killed() -> tractor::Result<()> {
    let tree = current_actor()?.identity().tree.to_string();
    let stopped = || {
        let all = marked_processes(&tree);
        all.into_iter().find(|process| process.state == 'T')
    };
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let call = async_std::task::spawn(middle.run(start_with("boot.detected=stop".into())));
        eventually("it is stopped", async || stopped().is_some()).await;
        let orphan = hold(stopped().expect("nobody lets it go on").pid);
        kill(&hold(middle.pid()));
        exited(orphan, PROMPT).await;
        call.await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert_alone();
    Ok(())
}

/// The parent dies before it has reported the new process. The root reaps it all the same.
#[tractor::test]
async fn orphan_of_which_nobody_was_told_is_reaped() -> tractor::Result<()> {
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.env("TRACTOR_FAULTS", "start.launched=kill").await?;
        middle.run(start_with(String::new())).await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert_alone();
    Ok(())
}
