//! What does not end when it is asked is brought down, rung by rung, within a bound.

use std::time::{Duration, Instant};

use futures::future::join;
use tractor::{
    Call, CancelReason, Ending, Liveness, current_actor, get_root, open_nursery, timeout,
};

use crate::spawning::who;
use crate::support::is_alive;
use crate::witness::{tell, wait_for};

/// The ladder's rungs are 4 s in all; the rest is for a busy machine.
const LADDER: Duration = Duration::from_secs(15);

/// Never gives its thread back.
fn block() {
    loop {
        std::thread::park();
    }
}

/// Blocks in its first poll.
#[tractor::rpc]
async fn block_at_once() {
    block();
}

/// Tells the root, and then blocks a thread that polls tasks: an actor's only one, unless it was
/// given more.
#[tractor::rpc]
async fn block_executor() -> tractor::Result<()> {
    let blocked = format!("{} blocked", current_actor()?.name());
    get_root().await?.run(tell(&blocked)).await?;
    block();
    Ok(())
}

/// Has so many answers one after the other that it reads its link itself, and blocks in the poll
/// in which it has read the last one.
#[tractor::rpc]
async fn block_after_answers() -> tractor::Result<()> {
    let root = get_root().await?;
    for _ in 0..200 {
        root.run(who()).await?;
    }
    block_executor().await
}

/// A plain function that tells the root, and then blocks a thread for such.
#[tractor::rpc]
fn block_plainly() -> tractor::Result<()> {
    futures::executor::block_on(block_executor())
}

#[tractor::test]
async fn a_one_shot_past_its_deadline_is_brought_down_whatever_it_does() {
    let begin = Instant::now();
    let one = async |call: tractor::Call<(), tractor::Error>| {
        let result: tractor::Result<()> = open_nursery(async |nursery| {
            let late = nursery
                .run_in_actor("late", call)
                .deadline(Duration::from_millis(100));
            late.await?.result().await
        })
        .await;
        let error = result.unwrap_err();
        assert_eq!(error.origin().name(), "late");
        let Ending::Cancelled {
            reason: CancelReason::Deadline,
            ..
        } = error.ending()
        else {
            panic!("{error}");
        };
    };
    join(one(block_executor()), one(block_plainly())).await;
    assert!(begin.elapsed() < LADDER, "{:?}", begin.elapsed());
}

#[tractor::test]
async fn a_deadline_that_is_met_changes_nothing() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let quick = nursery
            .run_in_actor("quick", who())
            .deadline(Duration::from_secs(50))
            .await?;
        assert_eq!(quick.result().await?.name, "quick");
        Ok(())
    })
    .await
}

/// That its runtime answers, and hears of its end, while its code blocks.
async fn check_answers<E: tractor::Failure>(call: Call<(), E>, blocked: impl Future) {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let asked = async {
            blocked.await;
            let alive = worker.probe(Duration::from_secs(10)).await;
            assert!(matches!(alive, Liveness::Answering { .. }), "{alive:?}");
            worker.cancel_actor().await
        };
        let (lost, asked) = join(worker.run(call), asked).await;
        assert!(lost.is_err_and(|error| error.is_cancelled()));
        asked
    })
    .await;
    result.expect("being cancelled is no failure");
}

#[tractor::test]
async fn a_blocked_actor_answers_its_runtimes_questions() {
    check_answers(block_executor(), wait_for("worker blocked")).await;
}

#[tractor::test]
async fn an_actor_that_blocks_where_it_has_read_its_link_itself_answers() {
    check_answers(block_after_answers(), wait_for("worker blocked")).await;
}

#[tractor::test]
async fn an_actor_that_is_blocked_by_plain_code_answers() {
    check_answers(block_plainly(), wait_for("worker blocked")).await;
}

#[tractor::test]
async fn an_actor_that_is_blocked_in_a_first_poll_answers() {
    check_answers(block_at_once(), async {}).await;
}

#[tractor::test]
async fn a_scope_around_a_nursery_waits_for_the_ladder() {
    let mut pid = 0;
    let nursery = open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        pid = worker.pid();
        worker.run(block_plainly()).await
    });
    let ended = timeout(Duration::from_millis(500), nursery).await;
    assert!(pid != 0 && !is_alive(pid), "{ended:?}");
}
