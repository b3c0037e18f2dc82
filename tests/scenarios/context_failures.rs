//! T17 to T20, T30, with contexts: who is told what when one side fails, is cancelled or dies.

use std::future::pending;
use std::time::Instant;

use tractor::{Context, Ending, Misuse, OpenContext, Portal, Refusal};
use tractor::{current_actor, find_actor, open_nursery, query_actor, shield};

use crate::calls::pid;
use crate::chance::{Chance, give_up_after};
use crate::contexts::{echoes, nothing_runs};
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, assert_killed, eventually, exited, hold, kill, ms, within,
};

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
    assert_killed(&error, "mortal");
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
