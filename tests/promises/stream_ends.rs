//! The ends of a fresh stream are values: whoever receives one talks with the other end directly.

use std::sync::Mutex;

use futures::{FutureExt, Stream, StreamExt, try_join};
use serde::{Deserialize, Serialize};
use tractor::{Context, Portal, RecvStream, SendStream, current_actor, fresh_stream, open_nursery};

use crate::witness::{note, tell, wait_for};

/// Sends the numbers below `n`.
#[tractor::rpc]
pub(crate) async fn produce(mut numbers: SendStream<u64>, n: u64) -> tractor::Result<()> {
    for number in 0..n {
        numbers.send(number).await?;
    }
    Ok(())
}

/// How many numbers come, in order, before the end.
#[tractor::rpc]
pub(crate) async fn consume(mut numbers: RecvStream<u64>) -> tractor::Result<u64> {
    let mut next = 0;
    while let Some(number) = numbers.recv().await? {
        assert_eq!(number, next);
        next += 1;
    }
    Ok(next)
}

/// Bytes that this actor has sent and received over all its links.
fn traffic() -> tractor::Result<u64> {
    let links = current_actor()?.statistics().links;
    Ok(links
        .iter()
        .map(|link| link.bytes_in + link.bytes_out)
        .sum())
}

pub(crate) async fn two(
    body: impl AsyncFnOnce(Portal, Portal) -> tractor::Result<()>,
) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let (a, b) = (
            nursery.start_actor("a").await?,
            nursery.start_actor("b").await?,
        );
        body(a, b).await?;
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn both_ends_that_were_sent_talk_with_each_other_and_not_through_the_middle()
-> tractor::Result<()> {
    const ITEMS: u64 = 300_000;
    two(async |a, b| {
        let (sender, reader) = fresh_stream();
        let before = traffic()?;
        let consumed = b.run(consume(reader));
        let (count, ()) = try_join!(consumed, a.run(produce(sender, ITEMS)))?;
        assert_eq!(count, ITEMS);
        let through_here = traffic()? - before;
        assert!(
            through_here < 4096,
            "{through_here} bytes came through here"
        );
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_sender_that_is_sent_first_goes_on_to_the_reader_in_order() -> tractor::Result<()> {
    const ITEMS: u64 = 300_000;
    two(async |a, b| {
        let (sender, reader) = fresh_stream();
        let before = traffic()?;
        let produced = a.run(produce(sender, ITEMS));
        let consumed = async {
            // It sends until it has to wait.
            a.run(tell("anything")).await?;
            b.run(consume(reader)).await
        };
        let ((), count) = try_join!(produced, consumed)?;
        assert_eq!(count, ITEMS);
        let through_here = traffic()? - before;
        assert!(
            through_here < 3 * 256 * 1024,
            "{through_here} bytes came through here, which is more than a window"
        );
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_sender_that_has_closed_before_the_reader_left_is_read_whole() -> tractor::Result<()> {
    two(async |a, b| {
        for n in [0, 1, 10_000] {
            let (sender, reader) = fresh_stream();
            a.run(produce(sender, n)).await?;
            assert_eq!(b.run(consume(reader)).await?, n);
        }
        Ok(())
    })
    .await
}

#[tractor::test]
async fn either_end_may_stay() -> tractor::Result<()> {
    const ITEMS: u64 = 100_000;
    two(async |a, b| {
        let (sender, reader) = fresh_stream();
        let ((), count) = try_join!(a.run(produce(sender, ITEMS)), consume(reader))?;
        assert_eq!(count, ITEMS);
        let (sender, reader) = fresh_stream();
        let (count, ()) = try_join!(b.run(consume(reader)), produce(sender, ITEMS))?;
        assert_eq!(count, ITEMS);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn both_ends_may_stay_or_be_sent_to_one_actor() -> tractor::Result<()> {
    const ITEMS: u64 = 100_000;
    two(async |a, _| {
        let (sender, reader) = fresh_stream();
        let ((), count) = try_join!(produce(sender, ITEMS), consume(reader))?;
        assert_eq!(count, ITEMS);
        let (sender, reader) = fresh_stream();
        let ((), count) = try_join!(a.run(produce(sender, ITEMS)), a.run(consume(reader)))?;
        assert_eq!(count, ITEMS);
        let (sender, reader) = fresh_stream();
        let (count, ()) = try_join!(a.run(consume(reader)), a.run(produce(sender, ITEMS)))?;
        assert_eq!(count, ITEMS);
        let own = tractor::get_root().await?;
        let (sender, reader) = fresh_stream();
        let ((), count) = try_join!(own.run(produce(sender, ITEMS)), a.run(consume(reader)))?;
        assert_eq!(count, ITEMS);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_reader_leaves_after_its_sender_was_used() -> tractor::Result<()> {
    two(async |_, b| {
        let (mut sender, reader) = fresh_stream();
        for number in 0..1000 {
            sender.send(number).await?;
        }
        let rest = async {
            for number in 1000..200_000 {
                sender.send(number).await?;
            }
            drop(sender);
            tractor::Ok(())
        };
        let (count, ()) = try_join!(b.run(consume(reader)), rest)?;
        assert_eq!(count, 200_000);
        let (mut sender, reader) = fresh_stream();
        sender.send(0).await?;
        sender.close();
        assert_eq!(b.run(consume(reader)).await?, 1);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn the_one_in_the_middle_may_end() -> tractor::Result<()> {
    /// Makes the stream, and ends when the two have met.
    #[tractor::rpc]
    async fn introduce(a: Portal, b: Portal) -> tractor::Result<()> {
        let (sender, reader) = fresh_stream();
        b.run(keep_reader(reader)).await?;
        a.run(keep_sender(sender)).await
    }
    static SENDER: Mutex<Option<SendStream<u64>>> = Mutex::new(None);
    static READER: Mutex<Option<RecvStream<u64>>> = Mutex::new(None);
    #[tractor::rpc]
    async fn keep_sender(mut numbers: SendStream<u64>) -> tractor::Result<()> {
        numbers.send(0).await?;
        *SENDER.lock().unwrap() = Some(numbers);
        Ok(())
    }
    #[tractor::rpc]
    async fn keep_reader(numbers: RecvStream<u64>) {
        *READER.lock().unwrap() = Some(numbers);
    }
    #[tractor::rpc]
    async fn go_on() -> tractor::Result<()> {
        let mut numbers = SENDER.lock().unwrap().take().expect("it was kept");
        for number in 1..100_000 {
            numbers.send(number).await?;
        }
        Ok(())
    }
    #[tractor::rpc]
    async fn read_on() -> tractor::Result<u64> {
        let numbers = READER.lock().unwrap().take().expect("it was kept");
        consume(numbers).await
    }
    two(async |a, b| {
        let met = open_nursery(async |nursery| {
            let middle = introduce(a.clone(), b.clone());
            nursery.run_in_actor("middle", middle).await?.result().await
        });
        met.await?;
        let (count, ()) = try_join!(b.run(read_on()), a.run(go_on()))?;
        assert_eq!(count, 100_000);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn all_kinds_of_functions_take_ends() -> tractor::Result<()> {
    #[tractor::context]
    async fn half(ctx: Context<(), (), u64>, numbers: RecvStream<u64>) -> tractor::Result<u64> {
        ctx.started(())?;
        Ok(consume(numbers).await? / 2)
    }
    #[tractor::rpc]
    fn echo(numbers: RecvStream<u64>) -> impl Stream<Item = u64> {
        numbers.map(|number| number.expect("they end well"))
    }
    #[tractor::rpc]
    fn plainly(numbers: RecvStream<u64>) -> tractor::Result<u64> {
        futures::executor::block_on(consume(numbers))
    }
    open_nursery(async |nursery| {
        let a = nursery.start_actor("a").await?;
        let (sender, reader) = fresh_stream();
        let halved = a.open_context(half(reader), async |ctx, ()| {
            produce(sender, 1000).await?;
            ctx.result().await
        });
        assert_eq!(halved.await?, 500);
        let (sender, reader) = fresh_stream();
        let echoed = async { consume(a.open_stream(echo(reader)).await?).await };
        assert_eq!(try_join!(echoed, produce(sender, 1000))?, (1000, ()));
        let (sender, reader) = fresh_stream();
        let counted = a.run(plainly(reader));
        assert_eq!(try_join!(counted, produce(sender, 1000))?, (1000, ()));
        // Of an actor that ends with its function, before anybody reads.
        let (sender, reader) = fresh_stream();
        let once = nursery.run_in_actor("once", produce(sender, 1000)).await?;
        once.result().await?;
        assert_eq!(consume(reader).await?, 1000);
        let (sender, reader) = fresh_stream();
        let consumed = a.run(consume(reader));
        let produced = async {
            let produced = produce(sender, 200_000);
            nursery
                .run_in_actor("once more", produced)
                .await?
                .result()
                .await
        };
        assert_eq!(try_join!(consumed, produced)?, (200_000, ()));
        nursery.cancel();
        Ok(())
    })
    .await
}

/// Ends inside of other values.
#[derive(Serialize, Deserialize)]
struct Both {
    numbers: SendStream<u64>,
    more: Vec<RecvStream<u64>>,
}

#[tractor::test]
async fn ends_are_results_too_and_parts_of_values() -> tractor::Result<()> {
    /// Counts in a task of its own, beside the answer.
    #[tractor::rpc]
    async fn count(n: u64) -> RecvStream<u64> {
        let (sender, reader) = fresh_stream();
        spawn_detached(produce(sender, n).map(drop));
        reader
    }
    /// What is sent into the first comes out of the others.
    #[tractor::rpc]
    async fn double() -> Both {
        let (numbers, mut reader) = fresh_stream::<u64>();
        let (mut out, more): (Vec<_>, Vec<_>) = (0..2).map(|_| fresh_stream()).unzip();
        spawn_detached(async move {
            while let Ok(Some(number)) = reader.recv().await {
                for out in &mut out {
                    let _ = out.send(number).await;
                }
            }
        });
        Both { numbers, more }
    }
    two(async |a, _| {
        assert_eq!(consume(a.run(count(100_000)).await?).await?, 100_000);
        let Both { numbers, mut more } = a.run(double()).await?;
        let (second, first) = (more.pop().unwrap(), more.pop().unwrap());
        let counts = try_join!(produce(numbers, 1000), consume(first), consume(second))?;
        assert_eq!(counts, ((), 1000, 1000));
        let dropped = a.run(count(u64::MAX)).await?;
        drop(dropped);
        a.run(wait_for("ended")).await
    })
    .await
}

/// Runs beside everything else, and notes its end.
pub(crate) fn spawn_detached(task: impl Future<Output = ()> + Send + 'static) {
    async_std::task::spawn(async {
        task.await;
        note("ended");
    });
}

#[tractor::rpc]
pub(crate) async fn hold_nothing() {}

#[tractor::test]
async fn a_slow_reader_bounds_what_is_on_its_way() -> tractor::Result<()> {
    /// Sends blocks until told to stop, and notes how many went.
    #[tractor::rpc]
    async fn flood(mut blocks: SendStream<tractor::Bytes>) -> u64 {
        let block: tractor::Bytes = (0..1024).map(|n| n as u8).collect();
        let mut sent = 0;
        while blocks.send(block.clone()).await.is_ok() {
            sent += 1;
        }
        sent
    }
    /// Reads one, then nothing before it is told.
    #[tractor::rpc]
    async fn read_one(mut blocks: RecvStream<tractor::Bytes>) -> tractor::Result<()> {
        blocks.recv().await?;
        note("read one");
        wait_for("stop").await;
        Ok(())
    }
    two(async |a, b| {
        let (sender, reader) = fresh_stream();
        let stop = async {
            b.run(wait_for("read one")).await?;
            // Without a bound it would send some megabytes meanwhile.
            for _ in 0..1000 {
                a.run(hold_nothing()).await?;
            }
            b.run(tell("stop")).await
        };
        let (sent, (), ()) = try_join!(a.run(flood(sender)), b.run(read_one(reader)), stop)?;
        assert!(
            sent <= 2 * 256 + 2,
            "{sent} KiB were sent to a reader that read one"
        );
        Ok(())
    })
    .await
}
