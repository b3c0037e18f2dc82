//! T11, T12, T15 to T21, T30, with contexts: two tasks that are linked, and what ends one of them.

use std::future::pending;
use std::time::Instant;

use tractor::{CancelScope, Context, Ending, Misuse, OpenContext, Portal, Refusal};
use tractor::{current_actor, find_actor, open_nursery, query_actor, shield};

use crate::calls::{pid, tasks_running};
use crate::chance::{Chance, give_up_after};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, exited, hold, kill, ms, within};

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

/// That nothing runs in the actor, and nothing here waits for it.
pub(crate) async fn nothing_runs(actor: &Portal) {
    eventually("the function is gone", async || {
        actor
            .run(tasks_running())
            .await
            .is_ok_and(|tasks| tasks == 0)
    })
    .await;
    let links = current_actor().expect("a test is one").statistics().links;
    let calls: usize = links.iter().map(|link| link.calls).sum();
    assert_eq!(calls, 0, "{links:?}");
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

/// T17. A client asks another actor, by a context, to start a child, and cancels the context or
/// gives it up at any moment. It does not wait, and the child is gone.
pub(crate) async fn t17_cancelled_context_takes_its_children_along(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let starter = nursery.start_actor("starter").await?;
        for _ in 0..3 {
            let (limit, asks) = (chance.delay(40), chance.coin());
            let pause = chance.delay(10);
            let context = starter.open_context(starts_child(), async |ctx, pid| {
                async_std::task::sleep(pause).await;
                ctx.cancel();
                let error = ctx.result().await.expect_err("it cannot return");
                assert!(error.is_cancelled(), "{error}");
                tractor::Ok(pid)
            });
            match give_up_after(if asks { BOUNDED } else { limit }, context).await {
                Some(started) => assert_ne!(started?, starter.pid()),
                None => assert!(!asks, "it waits for what it has cancelled"),
            }
            nothing_runs(&starter).await;
            eventually("the child is gone", async || {
                let known = query_actor("started").await;
                known.is_ok_and(|found| found.is_empty())
            })
            .await;
        }
        starter.cancel_actor().await
    })
    .await?;
    within(begin, BOUNDED, "giving up contexts that start children");
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn starts_child(ctx: Context<u32, (), ()>) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let child = nursery.start_actor("started").await?;
        ctx.started(child.run(pid()).await?)?;
        pending().await
    })
    .await
}

/// T18. The callee is dead and the link is down, and the block, behind a shield, goes on: it
/// cancels, asks for the result, sends and reads. All of that ends at once, with the death.
pub(crate) async fn t18_context_with_the_dead_ends_at_once(seed: u64) -> tractor::Result<()> {
    let (mut chance, mut talked) = (Chance::new(seed), false);
    let ended = open_nursery(async |nursery| {
        let actor = nursery.start_actor("mortal").await?;
        let process = hold(actor.pid());
        let talk = async |ctx: &OpenContext<u64, u64, ()>| {
            let (mut numbers, mut back) = ctx.open_stream()?;
            chance.pause(3).await;
            kill(&process);
            exited(process, PROMPT).await;
            let begin = Instant::now();
            if chance.coin() {
                ctx.cancel();
            }
            let error = ctx.result().await.expect_err("it is dead");
            assert_eq!(error.signal(), Some(9), "{error}");
            let error = back.recv().await.expect_err("it is dead");
            assert_eq!(error.signal(), Some(9), "{error}");
            assert_eq!(back.recv().await?, None, "it is told once");
            let error = numbers.send(1).await.expect_err("it is dead");
            assert_eq!(error.signal(), Some(9), "{error}");
            ctx.cancel();
            within(begin, PROMPT, "talking with the dead");
            talked = true;
            tractor::Ok(())
        };
        let context = actor.open_context(echoes(), async |ctx, _| {
            shield(talk(ctx))
                .await
                .expect("nobody cancels the shield")?;
            pending::<tractor::Result<()>>().await
        });
        context.await
    })
    .await;
    assert!(talked);
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "mortal"),
        "{error}"
    );
    assert!(error.group().is_empty(), "{error}");
    assert_alone();
    Ok(())
}

/// T19. Function and block fail at about the same time, before the function has started or later,
/// and each failure cancels the other side. A failure is what is told, never such a cancel.
pub(crate) async fn t19_context_failure_is_not_overwritten(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("fails").await?;
        for _ in 0..20 {
            let (theirs, starts) = (chance.below(1500), chance.coin());
            let mine = chance.delay(1);
            let ended: anyhow::Result<()> = actor
                .open_context(fails(theirs, starts), async |_, ()| {
                    async_std::task::sleep(mine).await;
                    Err(anyhow::anyhow!("mine"))
                })
                .await;
            let error = ended.expect_err("both fail");
            let text = error.to_string();
            assert!(text.contains("mine") || text.contains("theirs"), "{text}");
            if let Some(error) = error.downcast_ref::<tractor::Error>() {
                let mut all = error.group().iter().chain([error]);
                assert!(!all.any(tractor::Error::is_cancelled), "{text}");
            }
            if !starts {
                assert!(!text.contains("mine"), "the block never began: {text}");
            }
        }
        actor.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn fails(ctx: Context<(), (), ()>, micros: u64, starts: bool) -> Result<(), anyhow::Error> {
    if starts {
        ctx.started(())?;
    }
    open_nursery(async |_| {
        async_std::task::sleep(std::time::Duration::from_micros(micros)).await;
        Err(anyhow::anyhow!("theirs"))
    })
    .await
}

/// T20. The function fails after it was cancelled, behind a clean-up that awaits, or the block
/// does. What they say is told, not the cancel.
pub(crate) async fn t20_context_cleanup_does_not_mask_the_error(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("tidy").await?;
        let error = actor
            .open_context(fails_tidily(chance.below(8)), async |ctx, ()| {
                chance.pause(2).await;
                ctx.cancel();
                ctx.result().await
            })
            .await
            .expect_err("it fails when it is cancelled");
        assert!(matches!(error.ending(), Ending::Failed(_)), "{error}");
        assert!(error.to_string().contains("behind the clean-up"), "{error}");
        let (pause, mut began) = (chance.delay(3), false);
        let error = actor
            .open_context(fails(chance.below(2000), true), async |ctx, ()| {
                began = true;
                let cleaned = shield(async {
                    ctx.result().await.expect_err("it fails");
                    async_std::task::sleep(pause).await;
                });
                cleaned.await.expect("nobody cancels the shield");
                Err::<(), _>(anyhow::anyhow!("mine"))
            })
            .await
            .expect_err("both fail");
        let text = error.to_string();
        assert!(text.contains("theirs"), "{text}");
        assert_eq!(text.contains("mine"), began, "{text}");
        actor.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn fails_tidily(ctx: Context<(), (), ()>, millis: u64) -> Result<(), String> {
    let asked = tractor_core::scope::current().expect("a task has a scope");
    ctx.started(()).expect("it is the first time");
    let cleaned = shield(async move {
        asked.cancelled().await;
        async_std::task::sleep(ms(millis)).await;
    });
    cleaned.await.expect("nobody cancels the shield");
    Err("behind the clean-up".to_owned())
}

/// T30. An actor opens contexts and streams with itself: by its name, and by a portal that it
/// was sent. They are refused, and keep nobody from ending.
pub(crate) async fn t30_context_with_oneself_is_refused(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let selfish = nursery.start_actor("selfish").await?;
        for _ in 0..=chance.below(3) {
            let refused = selfish.run(talks_to_itself(selfish.clone())).await?;
            assert_eq!(refused, [true, true]);
        }
        selfish.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "an actor that would talk to itself");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn talks_to_itself(sent: Portal) -> tractor::Result<[bool; 2]> {
    let found = find_actor(current_actor()?.name()).await?;
    let found = found.expect("this actor is there");
    let mut refused = [false; 2];
    for (portal, refused) in [found, sent].iter().zip(&mut refused) {
        let ended = portal.open_context(echoes(), async |_, _| tractor::Ok(()));
        let error = ended.await.expect_err("it is refused");
        *refused = matches!(
            error.ending(),
            Ending::Refused(Refusal::Misused(Misuse::OwnActor))
        );
    }
    Ok(refused)
}
