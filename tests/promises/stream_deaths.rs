//! Whoever holds an end of a fresh stream hears of the death of the other's holder.

use std::sync::Mutex;

use futures::future::{Either, select};
use futures::{FutureExt, join};
use tractor::{
    Ending, Error, Portal, RecvStream, SendStream, fresh_stream, get_root, open_nursery,
};

use crate::deaths::die;
use crate::stream_ends::{spawn_detached, two};
use crate::stream_losses::produce_until_told;
use crate::witness::{note, tell, wait_for};

#[tractor::test]
async fn a_holder_that_is_killed_is_told_of_with_its_death() -> tractor::Result<()> {
    #[tractor::rpc]
    async fn die_with_sender(mut numbers: SendStream<u64>) -> tractor::Result<()> {
        numbers.send(0).await?;
        // It is there when the answer to what was sent after it is here.
        get_root().await?.run(tell("anything")).await?;
        die();
        std::future::pending().await
    }
    #[tractor::rpc]
    async fn hold_reader(_numbers: RecvStream<u64>) {
        std::future::pending::<()>().await;
    }
    let (sender, mut reader) = fresh_stream();
    let (stays, gone) = fresh_stream();
    let dead: tractor::Result<()> = open_nursery(async |nursery| {
        let killed = nursery.start_actor("killed").await?;
        let (_, died) = join!(
            killed.run(die_with_sender(sender)),
            killed.run(hold_reader(gone))
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
