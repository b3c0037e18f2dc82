//! Whatever becomes of one end of a fresh stream, the holder of the other hears of it.

use std::sync::Mutex;

use futures::future::{Either, join_all, select};
use futures::{FutureExt, join, try_join};
use serde::{Deserialize, Serialize, Serializer};
use tractor::{Ending, Error, Portal, RecvStream, Refusal, SendStream, fresh_stream, open_nursery};

use crate::deaths::die;
use crate::stream_ends::{
    assert_lost, assert_stopped, consume, drop_reader, drop_sender, produce, produce_until_told,
    spawn_detached, two,
};
use crate::witness::{note, tell, wait_for};

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
        tractor::get_root().await?.run(tell("blocked")).await?;
        futures::executor::block_on(wait_for("go on"));
        Ok(())
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
async fn a_holder_that_is_killed_is_told_of_with_its_death() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn die_with_sender(mut numbers: SendStream<u64>) -> tractor::Result<()> {
        numbers.send(0).await?;
        die();
        std::future::pending().await
    }
    #[tractor::rpc]
    async fn die_with_reader(_numbers: RecvStream<u64>) {
        die();
        std::future::pending::<()>().await;
    }
    let (sender, mut reader) = fresh_stream();
    let (stays, gone) = fresh_stream();
    let dead: tractor::Result<()> = open_nursery(async |nursery| {
        let killed = nursery.start_actor("killed").await?;
        let (_, died) = join!(
            killed.run(die_with_sender(sender)),
            killed.run(die_with_reader(gone))
        );
        died
    })
    .await;
    assert_eq!(dead.unwrap_err().signal(), Some(9));
    assert_eq!(reader.recv().await?, Some(0), "what it sent comes first");
    assert_eq!(reader.recv().await.unwrap_err().signal(), Some(9));
    assert_eq!(produce_until_told(stays).await.signal(), Some(9));
    Ok(())
}

#[tractor::test]
async fn a_holder_that_is_killed_is_told_of_in_a_third_actor() -> tractor::Result<()> {
    static SENDER: Mutex<Option<SendStream<u64>>> = Mutex::new(None);
    #[tractor::rpc]
    async fn send_one_and_keep(mut numbers: SendStream<u64>) -> tractor::Result<()> {
        numbers.send(0).await?;
        *SENDER.lock().unwrap() = Some(numbers);
        Ok(())
    }
    #[tractor::rpc]
    async fn keep_unused(numbers: SendStream<u64>) {
        *SENDER.lock().unwrap() = Some(numbers);
    }
    #[tractor::rpc]
    async fn how_it_ends(mut numbers: RecvStream<u64>) -> (u64, Error) {
        let mut count = 0;
        loop {
            match numbers.recv().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => panic!("it ended well after {count}"),
                Err(error) => return (count, error),
            }
        }
    }
    open_nursery(async |nursery| {
        let reading = nursery.start_actor("reading").await?;
        for used in [true, false] {
            let (sender, reader) = fresh_stream();
            let ended = reading.run(how_it_ends(reader)).boxed().shared();
            let _ = ended.clone().now_or_never();
            let killed: tractor::Result<()> = open_nursery(async |nursery| {
                let killed = nursery.start_actor("killed").await?;
                match used {
                    true => killed.run(send_one_and_keep(sender)).await?,
                    false => killed.run(keep_unused(sender)).await?,
                }
                killed.run(crate::deaths::kill_oneself()).await
            })
            .await;
            assert_eq!(killed.unwrap_err().signal(), Some(9));
            let (count, error) = ended.await?;
            assert_eq!(count, u64::from(used));
            assert!(
                error.is_death() || matches!(error.ending(), Ending::LinkLost { .. }),
                "{error}"
            );
            assert_eq!(error.origin().name(), "killed");
        }
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_reader_that_is_killed_is_told_of_in_a_third_actor() -> tractor::Result<()> {
    static READER: Mutex<Option<RecvStream<u64>>> = Mutex::new(None);
    #[tractor::rpc]
    async fn read_one_and_keep(mut numbers: RecvStream<u64>) -> tractor::Result<()> {
        numbers.recv().await?;
        *READER.lock().unwrap() = Some(numbers);
        Ok(())
    }
    open_nursery(async |nursery| {
        let writing = nursery.start_actor("writing").await?;
        for used in [true, false] {
            let (sender, reader) = fresh_stream();
            let mut sender = Some(sender);
            let mut start = || writing.run(produce_until_told(sender.take().unwrap()));
            let mut told = None;
            let killed: tractor::Result<()> = open_nursery(async |nursery| {
                let killed = nursery.start_actor("killed").await?;
                if used {
                    let mut telling = start().boxed();
                    let read = killed.run(read_one_and_keep(reader)).boxed();
                    let Either::Right((read, _)) = select(&mut telling, read).await else {
                        panic!("it was told before the reader was killed");
                    };
                    told = Some(telling);
                    read?;
                } else {
                    killed.run(drop_later(reader)).await?;
                }
                killed.run(crate::deaths::kill_oneself()).await
            })
            .await;
            assert_eq!(killed.unwrap_err().signal(), Some(9));
            let error = told.unwrap_or_else(|| start().boxed()).await?;
            let lost = matches!(error.ending(), Ending::LinkLost { .. });
            assert!(error.is_death() || lost, "{error}");
            assert_eq!(error.origin().name(), "killed");
        }
        nursery.cancel();
        Ok(())
    })
    .await
}

/// Keeps it for as long as its actor lives.
#[tractor::rpc]
async fn drop_later(numbers: RecvStream<u64>) {
    static KEPT: Mutex<Vec<RecvStream<u64>>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(numbers);
}

#[tractor::test]
async fn the_one_in_the_middle_that_is_killed_before_they_met_is_told_of() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn end_of_reader(mut numbers: RecvStream<u64>) -> tractor::Result<()> {
        spawn_detached(async move {
            let error = numbers.recv().await.expect_err("its maker is killed");
            note(format!("lost {}", error.origin().name()));
        });
        Ok(())
    }
    #[tractor::rpc]
    async fn end_of_sender(numbers: SendStream<u64>) -> tractor::Result<()> {
        spawn_detached(async move {
            let error = produce_until_told(numbers).await;
            note(format!("lost {}", error.origin().name()));
        });
        Ok(())
    }
    /// Gives one end away, and is killed with the other.
    #[tractor::rpc]
    async fn give_and_die(reader: bool, to: Portal) -> tractor::Result<()> {
        static KEPT: Mutex<Option<(SendStream<u64>, RecvStream<u64>)>> = Mutex::new(None);
        let (one, other) = (fresh_stream(), fresh_stream());
        *KEPT.lock().unwrap() = Some(match reader {
            true => {
                to.run(end_of_reader(one.1)).await?;
                (one.0, other.1)
            }
            false => {
                to.run(end_of_sender(one.0)).await?;
                (other.0, one.1)
            }
        });
        die();
        std::future::pending().await
    }
    two(async |a, b| {
        for (name, to, reader) in [("first", a, true), ("second", b, false)] {
            let died: tractor::Result<()> = open_nursery(async |nursery| {
                let giving = give_and_die(reader, to.clone());
                nursery.run_in_actor(name, giving).await?.result().await
            })
            .await;
            assert_eq!(died.unwrap_err().signal(), Some(9));
            to.run(wait_for(&format!("lost {name}"))).await?;
        }
        Ok(())
    })
    .await
}
