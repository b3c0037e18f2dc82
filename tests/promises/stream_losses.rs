//! Whatever becomes of one end of a fresh stream, the holder of the other hears of it.

use futures::future::{join_all, select};
use futures::{FutureExt, StreamExt, join, try_join};
use serde::{Deserialize, Serialize, Serializer};
use tractor::{Ending, Error, Portal, RecvStream, Refusal, SendStream, fresh_stream, open_nursery};

use crate::stream_ends::{consume, hold_nothing, produce, spawn_detached, two};
use crate::witness::{note, tell, wait_for};

#[tractor::rpc]
async fn drop_sender(numbers: SendStream<u64>) {
    drop(numbers);
}

#[tractor::rpc]
async fn drop_reader(numbers: RecvStream<u64>) {
    drop(numbers);
}

#[track_caller]
fn assert_stopped(error: &Error) {
    let stopped = matches!(error.ending(), Ending::Refused(Refusal::StreamStopped));
    assert!(stopped, "{error}");
}

#[track_caller]
fn assert_lost(error: &Error) {
    let lost = matches!(error.ending(), Ending::Refused(Refusal::EndLost));
    assert!(lost, "{error}");
}

/// Sends until that fails.
#[tractor::rpc]
pub(crate) async fn produce_until_told(mut numbers: SendStream<u64>) -> Error {
    loop {
        if let Err(error) = numbers.send(0).await {
            return error;
        }
    }
}

#[tractor::test]
async fn an_end_that_is_dropped_unused_is_told_of() -> tractor::Result<()> {
    two(async |a, b| {
        // The other stays.
        let (sender, reader) = fresh_stream();
        a.run(drop_sender(sender)).await?;
        assert_eq!(consume(reader).await?, 0);
        let (sender, reader) = fresh_stream();
        a.run(drop_reader(reader)).await?;
        assert_stopped(&produce_until_told(sender).await);
        // The other is sent.
        for first in [true, false] {
            let (sender, reader) = fresh_stream();
            let (one, other) = (a.run(drop_sender(sender)), b.run(consume(reader)));
            let ((), count) = match first {
                true => try_join!(one, other)?,
                false => try_join!(other, one).map(|(other, one)| (one, other))?,
            };
            assert_eq!(count, 0);
            let (sender, reader) = fresh_stream();
            let (one, other) = (
                a.run(drop_reader(reader)),
                b.run(produce_until_told(sender)),
            );
            let ((), error) = match first {
                true => try_join!(one, other)?,
                false => try_join!(other, one).map(|(other, one)| (one, other))?,
            };
            assert_stopped(&error);
        }
        // Both stay, or were never sent.
        let (sender, reader) = fresh_stream::<u64>();
        drop(sender);
        assert_eq!(consume(reader).await?, 0);
        let (sender, reader) = fresh_stream();
        drop(a.run(drop_reader(reader)));
        assert_stopped(&produce_until_told(sender).await);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_end_of_a_call_that_was_refused_is_lost() -> tractor::Result<()> {
    /// Refuses to be decoded.
    #[derive(Debug)]
    struct Undecodable;
    impl Serialize for Undecodable {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }
    impl<'de> Deserialize<'de> for Undecodable {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("it does not want to"))
        }
    }
    #[tractor::rpc]
    async fn never(_refusing: Undecodable, _numbers: SendStream<u64>) {}
    #[tractor::rpc]
    async fn never_reads(_refusing: Undecodable, _numbers: RecvStream<u64>) {}
    open_nursery(async |nursery| {
        let closed = nursery.start_actor("closed").expose(["promises::witness"]);
        let (closed, open) = try_join!(
            closed.into_future(),
            nursery.start_actor("open").into_future()
        )?;
        let (sender, reader) = fresh_stream();
        let refused = closed.run(drop_sender(sender)).await.unwrap_err();
        assert!(matches!(
            refused.ending(),
            Ending::Refused(Refusal::NotExposed)
        ));
        assert_lost(&consume(reader).await.unwrap_err());
        let (sender, reader) = fresh_stream();
        closed.run(drop_reader(reader)).await.unwrap_err();
        assert_stopped(&produce_until_told(sender).await);

        let (sender, reader) = fresh_stream();
        open.run(never(Undecodable, sender)).await.unwrap_err();
        assert_lost(&consume(reader).await.unwrap_err());
        let (sender, reader) = fresh_stream();
        open.run(never_reads(Undecodable, reader))
            .await
            .unwrap_err();
        assert_stopped(&produce_until_told(sender).await);
        // The other one is in a third actor.
        let (sender, reader) = fresh_stream();
        let consumed = open.run(consume(reader));
        let (consumed, refused) = join!(consumed, closed.run(drop_sender(sender)));
        refused.unwrap_err();
        let error = consumed.unwrap_err();
        assert_lost(&error);
        assert_eq!(error.origin().name(), "closed");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_end_of_a_call_that_is_cancelled_is_told_of() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn hold_sender(numbers: SendStream<u64>) {
        note("held");
        std::future::pending::<()>().await;
        drop(numbers);
    }
    /// Keeps the one thread of its actor until it is told.
    #[tractor::rpc(spawn)]
    async fn block() -> tractor::Result<()> {
        futures::executor::block_on(async {
            tractor::get_root().await?.run(tell("blocked")).await?;
            wait_for("go on").await;
            Ok(())
        })
    }
    #[tractor::rpc(spawn)]
    async fn never_runs(_numbers: SendStream<u64>) {
        unreachable!("it was cancelled before");
    }
    #[tractor::rpc(spawn)]
    async fn never_reads(_numbers: RecvStream<u64>) {
        unreachable!("it was cancelled before");
    }
    two(async |a, _| {
        let (sender, reader) = fresh_stream::<u64>();
        let mut call = a.run(hold_sender(sender)).boxed();
        let begun = a.run(wait_for("held"));
        select(&mut call, begun.boxed()).await;
        drop(call);
        let error = consume(reader).await.unwrap_err();
        assert!(error.is_cancelled(), "{error}");

        // Before it runs, so that its arguments are never decoded.
        let blocked = async {
            let (sender, reader) = fresh_stream::<u64>();
            let (stays, gone) = fresh_stream();
            wait_for("blocked").await;
            let mut calls = join_all([
                a.run(never_runs(sender)).boxed(),
                a.run(never_reads(gone)).boxed(),
            ]);
            assert!((&mut calls).now_or_never().is_none());
            drop(calls);
            assert_lost(&consume(reader).await.unwrap_err());
            assert_stopped(&produce_until_told(stays).await);
            a.run(tell("go on")).await
        };
        try_join!(a.run(block()), blocked)?;
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_end_in_an_answer_that_nobody_waits_for_is_told_of() -> tractor::Result<()> {
    /// It answers although it was cancelled, because it cannot be dropped.
    #[tractor::rpc]
    fn answer_late() -> RecvStream<u64> {
        let (sender, reader) = fresh_stream();
        spawn_detached(produce(sender, u64::MAX).map(drop));
        note("begun");
        futures::executor::block_on(wait_for("go on"));
        reader
    }
    two(async |a, _| {
        let mut late = a.run(answer_late()).boxed();
        select(&mut late, a.run(wait_for("begun")).boxed()).await;
        drop(late);
        a.run(tell("go on")).await?;
        a.run(wait_for("ended")).await
    })
    .await
}

#[tractor::test]
async fn what_cannot_travel_is_refused_by_name() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn use_then_send(mut numbers: SendStream<u64>, to: Portal) -> Error {
        numbers.send(1).await.expect("somebody reads");
        to.run(drop_sender(numbers)).await.unwrap_err()
    }
    #[tractor::rpc]
    async fn swallow(_numbers: Vec<SendStream<u64>>) {}
    #[track_caller]
    fn check(error: &Error, words: &str) {
        let Ending::Refused(Refusal::ArgumentsNotSent { reason, .. }) = error.ending() else {
            panic!("{error}");
        };
        assert!(reason.contains(words), "{reason}");
    }
    two(async |a, b| {
        let (mut sender, mut reader) = fresh_stream();
        sender.send(1).await?;
        check(
            &a.run(drop_sender(sender)).await.unwrap_err(),
            "was used already",
        );
        assert_eq!(reader.recv().await?, Some(1));
        assert_eq!(
            reader.recv().await?,
            None,
            "its sender was dropped with the call"
        );
        let (sender, mut reader) = fresh_stream::<u64>();
        assert!(reader.next().now_or_never().is_none());
        check(
            &a.run(drop_reader(reader)).await.unwrap_err(),
            "was used already",
        );
        assert_stopped(&produce_until_told(sender).await);

        let (sender, mut reader) = fresh_stream();
        let error = try_join!(a.run(use_then_send(sender, b.clone())), reader.recv())?.0;
        check(&error, "only the ends of a fresh stream travel");

        let (mut ends, _reader) = fresh_stream::<SendStream<u64>>();
        let refused = ends.send(fresh_stream().0).await.unwrap_err();
        let Ending::Refused(Refusal::BadItem(why)) = refused.ending() else {
            panic!("{refused}");
        };
        assert!(
            why.contains("an argument or a result of a call only"),
            "{why}"
        );

        let (sender, reader) = fresh_stream();
        let twice = Twice(sender);
        check(
            &a.run(take_twice(twice)).await.unwrap_err(),
            "was sent already",
        );
        assert_lost(&consume(reader).await.unwrap_err());
        a.run(hold_nothing()).await
    })
    .await
}

/// Sends what it has two times.
#[derive(Deserialize)]
struct Twice(SendStream<u64>);

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, &self.0).serialize(serializer)
    }
}

#[tractor::rpc]
async fn take_twice(_twice: Twice) {}
