//! T17, T28, T31 to T34: calls that are given up, from either side, at any moment.

use std::time::Instant;

use futures::future::join_all;
use tractor::{Portal, open_nursery, query_actor, wait_for_actor};

use crate::calls::{echo, fail, idle, pid, tasks_running};
use crate::chance::{Chance, give_up_after};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, hold, kill, ms, within};

/// T17. A client asks another actor to start a child and wait for it, and gives the call up at
/// any moment. The child is gone, and the one who started it goes on serving.
pub(crate) async fn t17_dropped_call_takes_its_children_along(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let starter = nursery.start_actor("starter").await?;
        let client = nursery.start_actor("client").await?;
        for _ in 0..3 {
            let limit = chance.delay(40);
            let asked = client.run(ask_to_start("starter".into()));
            if let Some(early) = give_up_after(limit, asked).await {
                panic!("it waits for ever, and ended: {early:?}");
            }
            eventually("the child is gone", async || {
                let known = query_actor("started")
                    .await
                    .is_ok_and(|found| !found.is_empty());
                let running = starter.run(nurseries_here()).await.is_ok_and(|n| n > 0);
                !known && !running && !running_tasks(&starter).await
            })
            .await;
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "giving up calls that start children");
    assert_alone();
    Ok(())
}

async fn running_tasks(actor: &Portal) -> bool {
    actor
        .run(tasks_running())
        .await
        .is_ok_and(|tasks| tasks > 0)
}

#[tractor::rpc]
async fn nurseries_here() -> usize {
    tractor::nurseries().len()
}

#[tractor::rpc]
async fn ask_to_start(name: String) -> tractor::Result<()> {
    wait_for_actor(&name).await?.run(start_and_wait()).await
}

#[tractor::rpc]
async fn start_and_wait() -> tractor::Result<()> {
    open_nursery(async |nursery| nursery.start_actor("started").await?.run(idle()).await).await
}

/// T28. An actor takes nothing in, because its user code holds its thread, and has calls by the
/// hundred waiting. The request to end passes them all.
pub(crate) async fn t28_flooded_actor_hears_the_cancel(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let busy = nursery.start_actor("busy").await?;
        let mut calls = vec![async_std::task::spawn(busy.run(in_executor(60_000)))];
        for _ in 0..300 {
            calls.push(async_std::task::spawn(
                busy.run(in_executor(chance.below(50))),
            ));
        }
        chance.pause(20).await;
        let asked = Instant::now();
        busy.cancel_actor_within(ms(500)).await?;
        within(asked, PROMPT, "the word that it heard");
        for call in join_all(calls).await {
            // Those that came before the long one may have been answered.
            assert!(call.is_ok() || call.is_err_and(|error| !error.is_panic()));
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "ending a flooded actor");
    assert_alone();
    Ok(())
}

/// Takes the executor's thread away, never the runtime's.
#[tractor::rpc(spawn)]
async fn in_executor(millis: u64) {
    crate::calls::block_thread(millis);
}

/// T31. A caller is killed before its callee has answered, or before it has begun. The callee
/// drops the call and serves the others.
pub(crate) async fn t31_caller_gone_before_the_answer(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let ended = open_nursery(async |nursery| {
        let callee = nursery.start_actor("callee").await?;
        // The death of the caller is the business of a nursery of its own.
        let inner = open_nursery(async |inner| {
            let caller = inner.start_actor("caller").await?;
            let process = hold(caller.pid());
            let call = async_std::task::spawn(caller.run(call_idle("callee".into())));
            chance.pause(10).await;
            kill(&process);
            call.await
        })
        .await;
        assert_eq!(inner.expect_err("it was killed").signal(), Some(9));
        eventually("the call is dropped", async || {
            !running_tasks(&callee).await
        })
        .await;
        assert_eq!(callee.run(pid()).await?, callee.pid());
        callee.cancel_actor().await
    })
    .await;
    assert_alone();
    ended
}

#[tractor::rpc]
async fn call_idle(name: String) -> tractor::Result<()> {
    wait_for_actor(&name).await?.run(idle()).await
}

/// T32. Calls end in the very moment in which they begin, by the hundred. None of them stays in
/// the callee's table.
pub(crate) async fn t32_finished_calls_leave_the_table(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        for _ in 0..3 {
            let quick = join_all((0..50).map(|_| worker.run(pid())));
            let failing: Vec<_> = (0..20)
                .map(|_| worker.run(fail("x".into(), chance.below(300))))
                .collect();
            let (quick, failing) = futures::join!(quick, join_all(failing));
            assert!(quick.iter().all(Result::is_ok) && failing.iter().all(Result::is_err));
            assert_eq!(worker.run(tasks_running()).await?, 0);
        }
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// T33. Calls with large arguments are given up while the arguments are on their way, beside
/// other calls on the same link. Those go on undisturbed.
pub(crate) async fn t33_half_sent_call_spoils_no_other(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let others = async {
            for n in 0..40_u8 {
                let sent = vec![n; 20_000];
                assert_eq!(worker.run(echo(sent.clone())).await?, sent);
            }
            tractor::Ok(())
        };
        let given_up = async {
            for _ in 0..6 {
                let large = worker.run(echo(vec![7; 4 << 20]));
                give_up_after(chance.delay(8), large).await;
            }
        };
        let (others, ()) = futures::join!(others, given_up);
        others?;
        eventually("what was given up is dropped", async || {
            !running_tasks(&worker).await
        })
        .await;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// T34. Calls are given up right after they were sent, before the callee can have said that it
/// began. Nothing of them is left on either side.
pub(crate) async fn t34_call_given_up_at_once_leaves_nothing(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        for _ in 0..100 {
            let mut call = Box::pin(worker.run(idle()));
            assert!(futures::poll!(call.as_mut()).is_pending());
            if chance.coin() {
                chance.pause(1).await;
            }
        }
        eventually("all are dropped", async || !running_tasks(&worker).await).await;
        let links = tractor::current_actor()?.statistics().links;
        assert_eq!(
            links.iter().map(|link| link.calls).sum::<usize>(),
            0,
            "{links:?}"
        );
        worker.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "giving up a hundred calls");
    assert_alone();
    Ok(())
}
