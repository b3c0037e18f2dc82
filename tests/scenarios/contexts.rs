//! T11, T12, T15, T16, with contexts: two tasks that are linked, and what ends one of them.

use std::future::pending;
use std::time::Instant;

use tractor::{CancelScope, Context, Ending, Portal, Refusal};
use tractor::{current_actor, find_actor, open_nursery};

use crate::calls::tasks_running;
use crate::chance::{Chance, give_up_after};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, ms, within};

/// Gives back what it is given, for as long as anything comes.
#[tractor::context]
pub(crate) async fn echoes(ctx: Context<u32, u64, u64>) -> tractor::Result<()> {
    ctx.started(std::process::id())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    while let Some(n) = numbers.recv().await? {
        out.send(n).await?;
    }
    Ok(())
}

/// Starts after so many milliseconds, and stays until it is cancelled.
#[tractor::context]
pub(crate) async fn stays(ctx: Context<(), u64, u64>, millis: u64) -> tractor::Result<()> {
    async_std::task::sleep(ms(millis)).await;
    ctx.started(())?;
    pending().await
}

/// That nothing runs in the actor, and nothing here waits for it, or does so in a moment.
pub(crate) async fn nothing_runs(actor: &Portal) {
    eventually("the function is gone", async || {
        let running = actor.run(tasks_running()).await;
        running.is_ok_and(|tasks| tasks == 0) && calls_out() == 0
    })
    .await;
}

/// The calls of this actor that await an answer.
fn calls_out() -> usize {
    let links = current_actor().expect("a test is one").statistics().links;
    links.iter().map(|link| link.calls).sum()
}

/// T11. A block fails, panics or is given up while it streams. The function is cancelled, and the
/// block's own end is what is told.
pub(crate) async fn t11_block_that_ends_badly_ends_its_stream(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("echo").await?;
        for way in 0..3 {
            let (items, limit) = (chance.below(2000), chance.delay(20));
            let begin = Instant::now();
            let context = actor.open_context(echoes(), async |ctx, _| {
                let (mut numbers, mut back) = ctx.open_stream()?;
                for n in 0.. {
                    numbers.send(n).await?;
                    assert_eq!(back.recv().await?, Some(n));
                    match way {
                        0 if n == items => return Err(anyhow::anyhow!("mine")),
                        1 if n == items => panic!("mine"),
                        _ => {}
                    }
                }
                anyhow::Ok(())
            });
            let context = std::panic::AssertUnwindSafe(context);
            let context = futures::FutureExt::catch_unwind(context);
            match (
                way,
                give_up_after(if way == 2 { limit } else { BOUNDED }, context).await,
            ) {
                (0, Some(Ok(ended))) => {
                    assert_eq!(ended.expect_err("it failed").to_string(), "mine")
                }
                (1, Some(Err(_))) | (2, None) => {}
                (_, other) => panic!("way {way}: {other:?}"),
            }
            nothing_runs(&actor).await;
            within(begin, PROMPT, "a block that ends badly");
        }
        actor.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// T12. The first value, the items and the result of a context are nothing at all, or `None`.
/// They are values, and nothing is waited for further.
pub(crate) async fn t12_nothing_is_a_value_of_a_context(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("nothing").await?;
        let result = actor
            .open_context(nothings(chance.below(3)), async |ctx, first| {
                assert_eq!(first, None);
                let (mut out, mut back) = ctx.open_stream()?;
                for _ in 0..chance.below(5) {
                    out.send(()).await?;
                    assert_eq!(back.recv().await?, Some(None));
                }
                out.close();
                assert_eq!(back.recv().await?, None);
                chance.pause(2).await;
                let first = ctx.result().await?;
                tractor::Ok((first, ctx.result().await?))
            })
            .await?;
        assert_eq!(result, (None, None));
        actor.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn nothings(
    ctx: Context<Option<u8>, (), Option<u8>>,
    millis: u64,
) -> tractor::Result<Option<u32>> {
    async_std::task::sleep(ms(millis)).await;
    ctx.started(None)?;
    let (mut out, mut nothings) = ctx.open_stream()?;
    while let Some(()) = nothings.recv().await? {
        out.send(None).await?;
    }
    Ok(None)
}

/// T15. An actor opens a context with one who ends at any moment: before it is found, before it
/// has started, while it streams. It is told, and does not wait.
pub(crate) async fn t15_context_with_one_who_leaves(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let stays = nursery.start_actor("stays").await?;
        let leaves = nursery.start_actor("leaves").await?;
        let delay = chance.delay(8);
        let visit = stays.run(stream_with("leaves".into()));
        let leaving = async {
            async_std::task::sleep(delay).await;
            leaves.cancel_actor().await
        };
        let (visit, left) = futures::join!(visit, leaving);
        left?;
        let error = visit.expect_err("the other leaves while they talk");
        // Who is not found any more is no failure of a call.
        assert!(error.is_cancelled() || !error.is_panic(), "{error}");
        nothing_runs(&stays).await;
        stays.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "a context with one who leaves");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn stream_with(name: String) -> Result<(), anyhow::Error> {
    let found = find_actor(&name).await?;
    let found = found.ok_or_else(|| anyhow::anyhow!("nobody is found"))?;
    found
        .open_context(echoes(), async |ctx, _| {
            let (mut numbers, mut back) = ctx.open_stream()?;
            for n in 0.. {
                numbers.send(n).await?;
                if back.recv().await?.is_none() {
                    break;
                }
            }
            // A stream that ends well is no reason to go.
            pending::<anyhow::Result<()>>().await
        })
        .await
}

/// T16. A context is opened in one task and cancelled from another: by the scope around it, by
/// its own handle, or because the other has its actor end; before it has started or later. The
/// task that opened it is told.
pub(crate) async fn t16_context_cancelled_by_another_task(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        for way in 0..3 {
            let actor = nursery.start_actor("stays").await?;
            let scope = CancelScope::new();
            let (inside, portal, starts) = (scope.clone(), actor.clone(), chance.below(4));
            let opener = async_std::task::spawn(async move {
                let context = portal.open_context(stays(starts), async |ctx, ()| {
                    let (_numbers, mut back) = ctx.open_stream()?;
                    if way == 2 {
                        ctx.cancel();
                    }
                    assert_eq!(back.recv().await?, None, "it sends nothing");
                    assert_eq!(way, 2, "only a wanted end is a good one");
                    tractor::Ok(())
                });
                inside.run(context).await
            });
            chance.pause(6).await;
            match way {
                0 => scope.cancel(),
                1 => actor.cancel_actor().await?,
                _ => {}
            }
            let ended = opener.await;
            let is_cancelled = |error: &tractor::Error| {
                let refused = |refusal: &Refusal| *refusal == Refusal::Closing;
                error.is_cancelled()
                    || matches!(error.ending(), Ending::Refused(refusal) if refused(refusal))
            };
            match (way, &ended) {
                (0, Err(_)) | (2, Ok(Ok(()))) => {}
                (0 | 1, Ok(Err(error))) if is_cancelled(error) => {}
                _ => panic!("way {way}: {ended:?}"),
            }
            if way != 1 {
                nothing_runs(&actor).await;
                actor.cancel_actor().await?;
            }
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "cancelling contexts from other tasks");
    assert_alone();
    Ok(())
}
