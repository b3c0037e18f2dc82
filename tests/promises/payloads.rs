//! B20: values that break the contract of their own type. Wrong types do not compile, which is
//! shown in `tests/compile_errors`; what is left is a value that refuses to be written or read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tractor::{Context, Ending, Refusal, open_nursery};

/// A number that is not written as 13 and not read as 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Picky(u8);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 13 {
            return Err(serde::ser::Error::custom("13 is not written"));
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        if number == 14 {
            return Err(serde::de::Error::custom("14 is not read"));
        }
        Ok(Self(number))
    }
}

fn bad_item(error: &tractor::Error) -> &str {
    match error.ending() {
        Ending::Refused(Refusal::BadItem(text)) => text,
        _ => panic!("{error}"),
    }
}

fn bad_result(error: &tractor::Error) -> &str {
    match error.ending() {
        Ending::Refused(Refusal::BadResult(text)) => text,
        _ => panic!("{error}"),
    }
}

/// Gives back what comes; its first value and its result are what it is told.
#[tractor::context]
async fn gives_back(
    ctx: Context<Picky, Picky, Picky>,
    first: u8,
    result: u8,
) -> tractor::Result<Picky> {
    ctx.started(Picky(first))?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    while let Some(number) = numbers.recv().await? {
        out.send(number).await?;
    }
    Ok(Picky(result))
}

/// The sender is told, and nothing of the value has left.
#[tractor::test]
async fn an_item_that_is_not_written_costs_only_itself() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("picky").await?;
        actor
            .open_context(gives_back(1, 2), async |ctx, first| {
                assert_eq!(first, Picky(1));
                let (mut out, mut back) = ctx.open_stream()?;
                out.send(Picky(5)).await?;
                let error = out.send(Picky(13)).await.expect_err("it refuses");
                assert!(bad_item(&error).contains("13 is not written"), "{error}");
                out.send(Picky(6)).await?;
                out.close();
                assert_eq!(back.recv().await?, Some(Picky(5)));
                assert_eq!(back.recv().await?, Some(Picky(6)));
                assert_eq!(back.recv().await?, None);
                assert_eq!(ctx.result().await?, Picky(2));
                tractor::Ok(())
            })
            .await?;
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}

/// The reader is told, and, if it does not go on without, so is the sender.
#[tractor::test]
async fn an_item_that_is_not_read_ends_its_stream_and_is_told_on_both_sides() -> tractor::Result<()>
{
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("picky").await?;
        let ended: tractor::Result<()> = actor
            .open_context(gives_back(1, 2), async |ctx, _| {
                let (mut out, mut back) = ctx.open_stream()?;
                out.send(Picky(5)).await?;
                assert_eq!(back.recv().await?, Some(Picky(5)));
                out.send(Picky(14)).await?;
                back.recv().await?;
                std::future::pending().await
            })
            .await;
        let error = ended.expect_err("the function cannot read it");
        assert!(bad_item(&error).contains("14 is not read"), "{error}");
        assert_eq!(error.origin().name(), "picky");
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}

/// A first value, or a result, that is not written is its function's failure; one that is not
/// read is told where it is read.
#[tractor::test]
async fn a_first_value_or_result_that_does_not_fit_is_told() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("picky").await?;
        let ended = async |first, result| {
            let context = actor.open_context(gives_back(first, result), async |ctx, _| {
                drop(ctx.open_stream()?);
                ctx.result().await
            });
            context.await
        };
        assert_eq!(ended(1, 2).await?, Picky(2));
        for (first, result, text) in [
            (13, 2, "13 is not written"),
            (14, 2, "14 is not read"),
            (1, 13, "13 is not written"),
            (1, 14, "14 is not read"),
        ] {
            let error = ended(first, result).await.expect_err(text);
            assert!(bad_result(&error).contains(text), "{error}");
            assert_eq!(error.origin().name(), "picky", "{error}");
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await
}
