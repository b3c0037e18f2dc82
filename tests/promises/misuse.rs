//! B7: contexts and their streams, used in a way that they are not made for, say so.

use std::future::pending;

use tractor::{Context, Ending, Misuse, Refusal, open_nursery};

#[tractor::context]
async fn misused(ctx: Context<(), u8, u8>, how: u8) -> tractor::Result<String> {
    let told = |error: tractor::Error| match error.ending() {
        Ending::Refused(Refusal::Misused(misuse)) => format!("{misuse:?}"),
        _ => format!("{error}"),
    };
    match how {
        0 => Ok(String::new()),
        1 => {
            let early = ctx.open_stream().map_err(told).err();
            ctx.started(())?;
            Ok(early.unwrap_or_default())
        }
        2 => {
            ctx.started(())?;
            Ok(ctx.started(()).map_err(told).err().unwrap_or_default())
        }
        4 => {
            ctx.started(())?;
            pending().await
        }
        _ => {
            ctx.started(())?;
            let (mut out, _incoming) = ctx.open_stream()?;
            let again = ctx.open_stream().map_err(told).err();
            out.close();
            let closed = out.send(1).await.map_err(told).err();
            Ok(format!("{again:?} {closed:?}"))
        }
    }
}

#[tractor::test]
async fn misuse_is_refused_with_its_name() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("misused").await?;
        let result_of = async |how| {
            actor
                .open_context(misused(how), async |ctx, ()| ctx.result().await)
                .await
        };
        let never = result_of(0).await.expect_err("it never started");
        assert!(
            matches!(
                never.ending(),
                Ending::Refused(Refusal::Misused(Misuse::NotStarted))
            ),
            "{never}"
        );
        assert_eq!(result_of(1).await?, "NotStarted");
        assert_eq!(result_of(2).await?, "StartedTwice");
        assert_eq!(
            result_of(3).await?,
            "Some(\"StreamOpenedTwice\") Some(\"SentAfterClose\")"
        );
        let after_cancel = actor
            .open_context(misused(4), async |ctx, ()| {
                ctx.cancel();
                ctx.open_stream().map(drop)
            })
            .await
            .expect_err("it was cancelled");
        assert!(
            matches!(
                after_cancel.ending(),
                Ending::Refused(Refusal::Misused(Misuse::CancelledBefore))
            ),
            "{after_cancel}"
        );
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn a_context_with_oneself_is_refused() -> tractor::Result<()> {
    let me = tractor::get_root().await?;
    let ended: tractor::Result<()> = me.open_context(misused(0), async |_, ()| Ok(())).await;
    let error = ended.expect_err("it would talk to itself");
    assert!(
        matches!(
            error.ending(),
            Ending::Refused(Refusal::Misused(Misuse::OwnActor))
        ),
        "{error}"
    );
    Ok(())
}

/// B6: on the caller's side, too, there is one stream.
#[tractor::test]
async fn the_caller_opens_the_stream_once() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("room").await?;
        actor
            .open_context(misused(4), async |ctx, ()| {
                let ends = ctx.open_stream()?;
                let again = ctx.open_stream().expect_err("it is open");
                assert!(
                    matches!(
                        again.ending(),
                        Ending::Refused(Refusal::Misused(Misuse::StreamOpenedTwice))
                    ),
                    "{again}"
                );
                drop(ends);
                assert!(
                    ctx.open_stream().is_err(),
                    "not again when it is closed, either"
                );
                ctx.cancel();
                tractor::Ok(())
            })
            .await?;
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}
