//! Contexts: two linked tasks, of which neither outlives the other.

use std::future::pending;
use std::time::Duration;

use futures::future::select;
use tractor::{CancelScope, Context, Ending, find_actor, move_on_after, open_nursery};

use crate::witness::{NoteDrop, events, note, tell, wait_for};

/// Takes numbers and gives their doubles; its result is how many they were.
#[tractor::context]
async fn doubles(ctx: Context<String, u64, u64>, name: String) -> tractor::Result<u64> {
    ctx.started(format!("hello {name}"))?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    let mut count = 0;
    while let Some(n) = numbers.recv().await? {
        out.send(2 * n).await?;
        count += 1;
    }
    Ok(count)
}

#[tractor::test]
async fn both_sides_talk_and_both_end() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("doubler").await?;
        let greeting = actor
            .open_context(doubles("root".into()), async |ctx, greeting| {
                let (mut numbers, mut doubled) = ctx.open_stream()?;
                for n in 0..100 {
                    numbers.send(n).await?;
                    assert_eq!(doubled.recv().await?, Some(2 * n));
                }
                numbers.close();
                assert_eq!(doubled.recv().await?, None);
                assert_eq!(ctx.result().await?, 100);
                assert!(ctx.is_over());
                assert_eq!(ctx.result().await?, 100, "it can be asked again");
                tractor::Ok(greeting)
            })
            .await?;
        assert_eq!(greeting, "hello root");
        actor.cancel_actor().await
    })
    .await
}

#[tractor::context]
async fn late(ctx: Context<u8, (), ()>) -> tractor::Result<()> {
    wait_for("may start").await;
    note("starts");
    ctx.started(7)?;
    wait_for("may end").await;
    note("ends");
    Ok(())
}

#[tractor::test]
async fn the_block_begins_when_the_function_has_started_and_waits_for_its_end()
-> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("late").await?;
        let context = actor.open_context(late(), async |_, first| {
            assert_eq!(first, 7);
            let seen = actor.run(events()).await?;
            actor.run(tell("may end")).await?;
            tractor::Ok(seen)
        });
        let (seen, told) = futures::join!(context, actor.run(tell("may start")));
        told?;
        assert_eq!(seen?, ["may start", "starts"]);
        let seen = actor.run(events()).await?;
        assert_eq!(seen, ["may start", "starts", "may end", "ends"]);
        actor.cancel_actor().await
    })
    .await
}

#[tractor::context]
async fn breaks(ctx: Context<(), u8, u8>, how: String) -> Result<(), std::io::Error> {
    if how == "before" {
        return Err(std::io::Error::other("broken before it started"));
    }
    ctx.started(()).expect("it is the first time");
    match &*how {
        "fails" => Err(std::io::Error::other("broken")),
        "panics" => panic!("broken"),
        "exits" => leave(),
        "returns" => Ok(()),
        _ => pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
fn leave() -> ! {
    std::process::exit(3)
}

#[tractor::test]
async fn a_function_that_ends_badly_ends_the_block_with_its_cause() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("broken").await?;
        for how in ["before", "fails", "panics"] {
            let ended: tractor::Result<()> = actor
                .open_context(breaks(how.into()), async |_, ()| pending().await)
                .await;
            let error = ended.expect_err("it is broken");
            assert_eq!(error.origin().name(), "broken");
            assert!(error.to_string().contains("broken"), "{error}");
            assert_eq!(error.is_panic(), how == "panics", "{error}");
            assert!(
                error.call().is_some_and(|call| call.ends_with("::breaks")),
                "{error}"
            );
        }
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_death_ends_the_block_with_its_cause() -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let actor = nursery.start_actor("leaves").await?;
        let ended: tractor::Result<()> = actor
            .open_context(breaks("exits".into()), async |ctx, ()| {
                let (_bytes, mut answers) = ctx.open_stream()?;
                answers.recv().await?;
                pending().await
            })
            .await;
        ended
    })
    .await;
    let error = ended.expect_err("it left");
    assert_eq!(error.exit_code(), Some(3), "{error}");
    Ok(())
}

/// Never ends by itself, and tells when it is dropped.
#[tractor::context]
async fn stays(ctx: Context<(), u8, u8>) -> tractor::Result<()> {
    let _dropped = NoteDrop("dropped".to_owned());
    ctx.started(())?;
    pending().await
}

/// Reads and sends although the other side may never have opened its stream.
#[tractor::context]
async fn reads_and_floods(ctx: Context<(), u8, Vec<u8>>) -> tractor::Result<u32> {
    ctx.started(())?;
    let (mut out, mut nothing) = ctx.open_stream()?;
    assert_eq!(nothing.recv().await?, None);
    let mut sent = 0;
    while out.send(vec![0; 50_000]).await.is_ok() {
        sent += 1;
    }
    note("told that nobody reads");
    Ok(sent)
}

#[tractor::test]
async fn a_stream_that_the_block_has_not_opened_is_closed_with_it() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("alone").await?;
        let context = actor.open_context(reads_and_floods(), async |_, ()| tractor::Ok(()));
        context.await?;
        assert_eq!(actor.run(events()).await?, ["told that nobody reads"]);
        actor.cancel_actor().await
    })
    .await
}

/// B9: whoever in this actor cancels the function, a block that ends well has what it wanted.
#[tractor::test]
async fn a_cancel_by_this_actor_is_no_failure_of_a_block_that_ends_well() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let value = actor
            .open_context(stays(), async |ctx, ()| {
                actor.cancel_actor().await?;
                assert!(!ctx.is_cancel_called());
                tractor::Ok(5)
            })
            .await?;
        assert_eq!(value, 5);
        tractor::Ok(())
    })
    .await
}

#[tractor::test]
async fn an_error_of_the_block_cancels_the_function_and_is_returned_as_it_is() -> tractor::Result<()>
{
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let ended = actor
            .open_context(stays(), async |_, ()| {
                Err::<(), _>(anyhow::Error::msg("mine"))
            })
            .await;
        assert_eq!(ended.expect_err("it failed").to_string(), "mine");
        assert_eq!(actor.run(events()).await?, ["dropped"], "it was waited for");
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_cancel_of_the_scope_around_it_ends_both_and_waits() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let scope = CancelScope::new();
        let asked = scope.clone();
        let context = actor.open_context(stays(), async |_, ()| {
            asked.cancel();
            pending::<tractor::Result<()>>().await
        });
        let ended = scope.run(context).await;
        assert!(
            ended.is_err()
                || ended.is_ok_and(|inner| inner.is_err_and(|error| error.is_cancelled()))
        );
        assert_eq!(actor.run(events()).await?, ["dropped"]);
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_dropped_context_cancels_its_function() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let (begin, begun) = futures::channel::oneshot::channel();
        let context = actor.open_context(stays(), async |_, ()| {
            begin.send(()).expect("it is waited for");
            pending::<tractor::Result<()>>().await
        });
        // Whoever drops it knows nothing of scopes.
        select(Box::pin(context), begun).await;
        actor.run(wait_for("dropped")).await?;
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_deadline_reaches_into_the_function() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let context = actor.open_context(stays(), async |_, ()| {
            pending::<tractor::Result<()>>().await
        });
        let ended = move_on_after(Duration::from_millis(200), context).await;
        assert!(ended.is_none(), "{ended:?}");
        assert_eq!(actor.run(events()).await?, ["dropped"]);
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_cancel_that_this_side_asked_for_is_no_failure() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("stays").await?;
        let value = actor
            .open_context(stays(), async |ctx, ()| {
                let (_bytes, mut answers) = ctx.open_stream()?;
                ctx.cancel();
                assert!(ctx.is_cancel_called());
                assert_eq!(answers.recv().await?, None, "a wanted end is a good one");
                let error = ctx.result().await.expect_err("it was cancelled");
                let me = tractor::current_actor()?.aid();
                assert!(
                    matches!(error.ending(), Ending::Cancelled { by: Some(by), .. } if by == me),
                    "{error}"
                );
                tractor::Ok(5)
            })
            .await?;
        assert_eq!(value, 5, "the block goes on");
        assert_eq!(actor.run(events()).await?, ["dropped"]);
        actor.cancel_actor().await
    })
    .await
}

#[tractor::rpc]
async fn cancel_by_name(name: String) -> tractor::Result<()> {
    find_actor(&name)
        .await?
        .expect("it is there")
        .cancel_actor()
        .await
}

/// B11: whoever holds a context is told who cancelled it.
#[tractor::test]
async fn a_cancel_by_a_third_actor_is_raised_with_its_name() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let service = nursery.start_actor("service").await?;
        let canceller = nursery.start_actor("canceller").await?;
        let ended: tractor::Result<()> = service
            .open_context(stays(), async |_, ()| {
                canceller.run(cancel_by_name("service".into())).await?;
                pending().await
            })
            .await;
        let error = ended.expect_err("it was cancelled");
        assert!(error.is_cancelled(), "{error}");
        let by = match error.ending() {
            Ending::Cancelled { by, .. } => by.as_ref().map(|by| by.name()),
            _ => None,
        };
        assert_eq!(by, Some("canceller"), "{error}");
        canceller.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn many_contexts_share_a_link() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("doubler").await?;
        let one = async |number: u64| {
            actor
                .open_context(doubles(format!("{number}")), async |ctx, greeting| {
                    assert_eq!(greeting, format!("hello {number}"));
                    let (mut numbers, mut doubled) = ctx.open_stream()?;
                    let mut sum = 0;
                    for n in 0..number {
                        numbers.send(n).await?;
                        sum += doubled.recv().await?.expect("it answers each");
                    }
                    numbers.close();
                    assert_eq!(ctx.result().await?, number);
                    tractor::Ok(sum)
                })
                .await
        };
        let sums = futures::future::try_join_all((0..50).map(one)).await?;
        assert!(
            sums.iter()
                .zip(0..)
                .all(|(sum, n): (&u64, u64)| *sum == n * n.saturating_sub(1))
        );
        actor.cancel_actor().await
    })
    .await
}
