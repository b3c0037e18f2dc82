//! A stream that breaks off is told from one that ends: nobody takes a part for the whole.

use futures::FutureExt;
use tractor::{CancelScope, Context, Ending, Portal, open_nursery, shield};
use tractor_core::process::Signal;

use crate::support::signal;
use crate::witness::{events, note, wait_for};

/// Reads to the end, behind a shield as one who writes down what is complete, and notes which end
/// it was.
#[tractor::context]
async fn takes_down(ctx: Context<(), u64, ()>) -> tractor::Result<()> {
    ctx.started(())?;
    let (_out, mut numbers) = ctx.open_stream()?;
    let reading = async {
        let mut read = 0;
        let end = loop {
            match numbers.recv().await {
                Ok(Some(n)) => assert_eq!(n, read),
                Ok(None) => break "complete".to_owned(),
                Err(error) => match error.ending() {
                    Ending::Cancelled { by: Some(by), .. } => {
                        break format!("broken off by {}", by.name());
                    }
                    _ => break format!("{error}"),
                },
            }
            read += 1;
            if read == 10 {
                note("ten");
            }
        };
        note(end);
    };
    shield(reading).await.expect("nobody cancels the shield");
    Ok(())
}

/// Sends ten numbers, waits until they are read, and lets go of the stream in one of the ways
/// in which a block ends.
#[tractor::rpc]
async fn sends_ten(reader: Portal, how: String) -> tractor::Result<()> {
    let scope = CancelScope::new();
    let asked = scope.clone();
    let context = reader.open_context(takes_down(), async |ctx, ()| {
        let (mut numbers, _nothing) = ctx.open_stream()?;
        for n in 0..10 {
            numbers.send(n).await?;
        }
        reader.run(wait_for("ten")).await?;
        match &*how {
            "closes" => numbers.close(),
            "drops" => drop(numbers),
            "cancels" => ctx.cancel(),
            "panics" => panic!("in the block"),
            "dies" => signal(std::process::id(), Signal::Kill),
            "is cancelled" => {
                asked.cancel();
                std::future::pending::<()>().await;
            }
            _ => std::future::pending::<()>().await,
        }
        tractor::Ok(())
    });
    let context = scope.run(std::panic::AssertUnwindSafe(context).catch_unwind());
    if how == "is dropped" {
        // By what knows nothing of scopes.
        let read = std::pin::pin!(reader.run(wait_for("ten")));
        futures::future::select(std::pin::pin!(context), read).await;
        return Ok(());
    }
    match context.await {
        Ok(Ok(Err(error))) if how != "is cancelled" => Err(error),
        // It went well, it panicked, or its scope was cancelled.
        _ => Ok(()),
    }
}

async fn end_seen(how: &str) -> tractor::Result<String> {
    let mut seen = Vec::new();
    let sent: tractor::Result<()> = open_nursery(async |nursery| {
        let reader = nursery.start_actor("reader").await?;
        let sent = open_nursery(async |inner| {
            let sender = inner.start_actor("sender").await?;
            let sent = sender.run(sends_ten(reader.clone(), how.to_owned())).await;
            inner.cancel();
            sent
        })
        .await;
        // Whatever it was, the reader is told by now or soon.
        while seen.len() < 2 {
            seen = reader.run(events()).await?;
        }
        nursery.cancel();
        sent
    })
    .await;
    match how {
        "dies" => assert_eq!(sent.expect_err("it is killed").signal(), Some(9)),
        _ => sent?,
    }
    Ok(seen.swap_remove(1))
}

#[tractor::test]
async fn a_stream_that_is_closed_or_dropped_is_complete() -> tractor::Result<()> {
    assert_eq!(end_seen("closes").await?, "complete");
    assert_eq!(end_seen("drops").await?, "complete");
    Ok(())
}

#[tractor::test]
async fn a_cancel_is_not_taken_for_the_end_of_the_stream() -> tractor::Result<()> {
    assert_eq!(end_seen("cancels").await?, "broken off by sender");
    assert_eq!(end_seen("is cancelled").await?, "broken off by sender");
    assert_eq!(end_seen("is dropped").await?, "broken off by sender");
    Ok(())
}

#[tractor::test]
async fn a_panic_or_a_death_is_not_taken_for_the_end_of_the_stream() -> tractor::Result<()> {
    assert_eq!(end_seen("panics").await?, "broken off by sender");
    assert_eq!(end_seen("dies").await?, "broken off by sender");
    Ok(())
}
