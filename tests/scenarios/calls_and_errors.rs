//! T07, T10, T12 to T15, T18 to T21: who is told what when calls, errors and cancels meet.

use std::time::Instant;

use tractor::{Ending, Liveness, find_actor, open_nursery};

use crate::calls::{die, fail, idle, pid};
use crate::chance::Chance;
use crate::tree::{
    PROMPT, assert_alone, assert_killed, exited, hold, kill, ms, stop, until_begun, within,
};

/// T07. A child is killed around the moment in which it is asked to end. The one who asks does
/// not wait for the word of a dead process.
pub(crate) async fn t07_cancel_ack_races_death(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    for _ in 0..3 {
        let begin = Instant::now();
        let ended = open_nursery(async |nursery| {
            let child = nursery.start_actor("racer").await?;
            let process = hold(child.pid());
            let (before, after) = (chance.delay(2), chance.delay(2));
            let killing = async {
                async_std::task::sleep(before).await;
                kill(&process);
            };
            let asking = async {
                async_std::task::sleep(after).await;
                child.cancel_actor().await
            };
            let ((), asked) = futures::join!(killing, asking);
            asked
        })
        .await;
        within(begin, PROMPT, "a cancel that meets a death");
        // It was killed before it was asked, or it was asked before it died.
        assert!(
            ended
                .as_ref()
                .err()
                .is_none_or(|error| error.signal() == Some(9)),
            "{ended:?}"
        );
        assert_alone();
    }
    Ok(())
}

/// T10. An actor is asked to end by several others at once, while it is ending already and takes
/// its time. Each of them gets its word.
pub(crate) async fn t10_every_cancel_is_acknowledged(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let slow = nursery.start_actor("slow").await?;
        let sibling = nursery.start_actor("sibling").await?;
        let task = async_std::task::spawn(slow.run(linger(100)));
        until_begun(&slow, 1).await;
        let delays: Vec<_> = (0..3).map(|_| chance.delay(20)).collect();
        let slow = &slow;
        let asking = futures::future::join_all(delays.into_iter().map(|delay| async move {
            async_std::task::sleep(delay).await;
            slow.cancel_actor().await
        }));
        let other = sibling.run(cancel_by_name("slow".into()));
        let (asked, other) = futures::join!(asking, other);
        for answer in asked {
            answer?;
        }
        other?;
        // It says how it came out: dropped behind its shield.
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        sibling.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "asking an actor five times to end");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn linger(millis: u64) {
    let asked = tractor::current_actor()
        .expect("it runs in one")
        .scope()
        .clone();
    let shielded = tractor::shield(async move {
        asked.cancelled().await;
        async_std::task::sleep(ms(millis)).await;
    });
    shielded.await.expect("nobody cancels the shield");
    std::future::pending().await
}

#[tractor::rpc]
async fn cancel_by_name(name: String) -> tractor::Result<()> {
    match find_actor(&name).await {
        Ok(Some(found)) => found.cancel_actor().await,
        Ok(None) => tractor::Ok(()),
        // It has ended between the answer and the connection.
        Err(error) if matches!(error.ending(), Ending::LinkLost { .. }) => tractor::Ok(()),
        Err(error) => Err(error),
    }
}

/// T12. The result of a call is `None`, or nothing at all. That is a result and nothing to wait
/// further for, also of a one-shot and when asked for twice.
pub(crate) async fn t12_nothing_is_a_result(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        assert_eq!(worker.run(none()).await?, None);
        worker.run(unit()).await?;
        let once = nursery.run_in_actor("once", none()).await?;
        chance.pause(5).await;
        assert_eq!((once.result().await?, once.result().await?), (None, None));
        nursery.run_in_actor("unit", unit()).await?.result().await?;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn none() -> Option<u32> {
    None
}

#[tractor::rpc]
async fn unit() {}

/// T13. A one-shot is cancelled by its sibling, behind the back of its nursery. Whoever waits for
/// the result is told, and the nursery returns.
pub(crate) async fn t13_one_shot_cancelled_from_elsewhere(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let sibling = nursery.start_actor("sibling").await?;
        let once = nursery.run_in_actor("once", idle()).await?;
        chance.pause(5).await;
        let (result, asked) =
            futures::join!(once.result(), sibling.run(cancel_by_name("once".into())));
        asked?;
        let error = result.expect_err("it cannot return");
        assert!(error.is_cancelled(), "{error}");
        sibling.cancel_actor().await
    })
    .await;
    within(begin, PROMPT, "a one-shot that is cancelled from elsewhere");
    assert!(
        ended
            .as_ref()
            .err()
            .is_none_or(tractor::Error::is_cancelled),
        "{ended:?}"
    );
    assert_alone();
    Ok(())
}

/// T14. Two one-shots fail at about the same time. The nursery returns at once, with a failure
/// of its children and never with the cancel that followed it.
pub(crate) async fn t14_two_one_shots_fail_together(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let one = nursery
            .run_in_actor("one", fail("first".into(), chance.below(2000)))
            .await?;
        let two = nursery
            .run_in_actor("two", fail("second".into(), chance.below(2000)))
            .await?;
        let (one, two) = futures::join!(one.result(), two.result());
        let _ = (one?, two?);
        tractor::Ok(())
    })
    .await;
    within(begin, PROMPT, "two failing one-shots");
    let error = ended.expect_err("both fail");
    assert!(!error.is_cancelled(), "{error}");
    assert!(
        !error.group().iter().any(tractor::Error::is_cancelled),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("first") || text.contains("second"), "{text}");
    assert_alone();
    Ok(())
}

/// T15. Two actors look each other up; one leaves as soon as it has met the other, at any moment
/// of the other's lookup or call. The other gets an answer or an error, never silence.
pub(crate) async fn t15_rendezvous_with_one_who_leaves(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let stays = nursery.start_actor("stays").await?;
        let leaves = nursery.start_actor("leaves").await?;
        let delay = chance.delay(4);
        let there = leaves.run(meet("stays".into()));
        let back = stays.run(meet("leaves".into()));
        let leaving = async {
            let met = there.await;
            async_std::task::sleep(delay).await;
            leaves.cancel_actor().await?;
            met
        };
        let (met, back) = futures::join!(leaving, back);
        assert_eq!(met?, Some(stays.pid()));
        if let Err(error) = back {
            assert!(!error.is_panic(), "{error}");
        }
        stays.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "a rendezvous");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn meet(name: String) -> tractor::Result<Option<u32>> {
    match find_actor(&name).await? {
        Some(found) => found.run(pid()).await.map(Some),
        None => tractor::Ok(None),
    }
}

/// T18. An actor is dead, and its link is down. Calls, cancels and probes of it end at once and
/// say so, and a call that waited when it died can be dropped.
pub(crate) async fn t18_dead_actor_answers_nothing_at_once(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut kept = None;
    let ended = open_nursery(async |nursery| {
        let child = nursery.start_actor("mortal").await?;
        kept = Some(child.clone());
        let mut waiting = Box::pin(child.run(idle()));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        let process = hold(child.pid());
        chance.pause(3).await;
        kill(&process);
        exited(process, PROMPT).await;
        if chance.coin() {
            drop(waiting);
        }
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
    let dead = kept.expect("it was started");
    let begin = Instant::now();
    let error = dead.run(pid()).await.expect_err("nobody is there");
    assert_eq!(error.signal(), Some(9), "{error}");
    dead.cancel_actor()
        .await
        .expect("one that has ended was cancelled successfully");
    assert_eq!(dead.probe(PROMPT).await, Liveness::Gone);
    within(begin, PROMPT, "asking the dead");
    assert_alone();
    Ok(())
}

/// T19. A block fails while its children are running, and their being cancelled makes cancels in
/// plenty. What is raised is the failure.
pub(crate) async fn t19_real_error_is_not_overwritten(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let ended = open_nursery(async |nursery| {
        let mut waiting = Vec::new();
        for number in 0..3 {
            let bystander = nursery.start_actor(format!("bystander {number}")).await?;
            waiting.push(async_std::task::spawn(bystander.run(idle())));
        }
        let failing = nursery.start_actor("failing").await?;
        failing
            .run(fail("the real one".into(), chance.below(3000)))
            .await?;
        tractor::Ok(())
    })
    .await;
    let error = ended.expect_err("it fails");
    assert!(matches!(error.ending(), Ending::Failed(_)), "{error}");
    assert!(error.to_string().contains("the real one"), "{error}");
    assert_eq!(error.origin().name(), "failing");
    assert_alone();
    Ok(())
}

/// T20. A function fails, and its clean-up awaits while it is being cancelled. Its failure is
/// what arrives, not the cancel.
pub(crate) async fn t20_cleanup_does_not_mask_the_error(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let call = async_std::task::spawn(worker.run(fail_tidily(10)));
        until_begun(&worker, 1).await;
        chance.pause(5).await;
        worker.cancel_actor().await?;
        let error = call.await.expect_err("it fails");
        assert!(matches!(error.ending(), Ending::Failed(_)), "{error}");
        assert!(error.to_string().contains("behind the clean-up"), "{error}");
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn fail_tidily(millis: u64) -> Result<(), String> {
    let asked = tractor::current_actor()
        .expect("it runs in one")
        .scope()
        .clone();
    let cleaned = tractor::shield(async move {
        asked.cancelled().await;
        async_std::task::sleep(ms(millis)).await;
    });
    cleaned.await.expect("nobody cancels the shield");
    Err("behind the clean-up".to_owned())
}

/// T21. Two siblings die on their own at the same time, so the cancel of each, which the death of
/// the other causes, comes too late. Both deaths are told; neither hides as a cancel.
pub(crate) async fn t21_siblings_that_die_together_are_both_told(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let ended = open_nursery(async |nursery| {
        let first = nursery.start_actor("first").await?;
        let second = nursery.start_actor("second").await?;
        let bystander = nursery.start_actor("bystander").await?;
        let mut processes = [hold(first.pid()), hold(second.pid())];
        if chance.coin() {
            processes.reverse();
        }
        chance.pause(3).await;
        // Stopped before the first one dies, so that the other does not end because it is asked to.
        for process in &processes {
            stop(process).await;
        }
        processes.iter().for_each(kill);
        bystander.run(idle()).await
    })
    .await;
    let error = ended.expect_err("two were killed");
    let mut who: Vec<_> = error
        .group()
        .iter()
        .map(|error| error.origin().name())
        .collect();
    who.sort_unstable();
    assert_eq!(who, ["first", "second"], "{error}");
    assert!(
        error.group().iter().all(|error| error.signal() == Some(9)),
        "{error}"
    );
    assert_alone();
    Ok(())
}

/// T40. An actor dies while others are calling it, in the middle of an answer or between two.
/// Everybody gets an answer or its death; nobody waits for bytes of the dead.
pub(crate) async fn t40_calls_of_the_dead_end(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal").await?;
        let caller = nursery.start_actor("caller").await?;
        let calling = caller.run(call_until_it_fails("mortal".into()));
        let dying = async {
            chance.pause(30).await;
            let _ = mortal.run(die()).await;
        };
        let (calls, ()) = futures::join!(calling, dying);
        calls.map(drop)
    })
    .await;
    within(begin, PROMPT, "calls of one who dies");
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "mortal");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn call_until_it_fails(name: String) -> tractor::Result<u64> {
    let mut calls = 0;
    let Some(found) = find_actor(&name).await? else {
        return tractor::Ok(calls);
    };
    while found.run(pid()).await.is_ok() {
        calls += 1;
    }
    tractor::Ok(calls)
}
