//! Faults 4, 17: streams whose other end is killed, stopped, or reads too slowly.

use std::fs;
use std::time::Instant;

use futures::{Stream, stream};
use rstest::rstest;
use tractor::{Bytes, Context, Ending, Portal, open_nursery, shield};
use tractor_core::process::Signal;

use crate::calls::pid;
use crate::tree::{BOUNDED, PROMPT, assert_alone, exited, hold, kill, stop, within};

/// Counts up, in items of so many bytes each; the number stands in the first eight.
#[tractor::rpc]
fn count_up(bytes: usize) -> impl Stream<Item = Bytes> {
    stream::iter((0..).map(move |n: u64| {
        let mut item = n.to_le_bytes().to_vec();
        item.resize(bytes, 7);
        item.into()
    }))
}

fn number(item: &[u8]) -> u64 {
    u64::from_le_bytes(item[..8].try_into().expect("it begins with a number"))
}

/// Fault 4. The writer of a stream is killed while it writes, small items or large ones. What has
/// arrived is read, whole and in order, then the death is told, once; nothing is made up.
#[rstest]
#[case::small_items(8)]
#[case::large_items(100_000)]
#[tractor::test]
async fn killed_writer_is_told_behind_its_items(#[case] bytes: usize) -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let (process, mut watched) = (hold(writer.pid()), Some(hold(writer.pid())));
        let mut items = writer.open_stream(count_up(bytes)).await?;
        let reading = async {
            let mut read = 0;
            while let Some(item) = items.recv().await? {
                assert_eq!((number(&item), item.len()), (read, bytes));
                read += 1;
                if read == 100 {
                    kill(&process);
                    exited(watched.take().expect("it is killed once"), PROMPT).await;
                }
            }
            tractor::Ok(read)
        };
        let begin = Instant::now();
        let told = shield(reading).await.expect("nobody cancels the shield");
        within(begin, PROMPT, "the end of a stream whose writer is killed");
        let error = told.expect_err("it does not end well");
        assert_eq!((error.signal(), error.origin().name()), (Some(9), "writer"));
        assert_eq!(items.recv().await?, None, "it is told once");
        Err(error)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert!(error.group().is_empty(), "{error}");
    assert_alone();
    Ok(())
}

/// Reads so many items and then no more.
#[tractor::context]
async fn reads(ctx: Context<(), Bytes, ()>, items: u64) -> tractor::Result<()> {
    ctx.started(())?;
    let (_out, mut items_in) = ctx.open_stream()?;
    for n in 0..items {
        let item = items_in.recv().await?.expect("there are more");
        assert_eq!(number(&item), n);
    }
    let _held = items_in;
    std::future::pending().await
}

/// Fault 4. The reader of a stream is killed, while its writer writes or waits for credit. The
/// writer's next `send` says so.
#[rstest]
#[case::that_reads(u64::MAX)]
#[case::that_does_not_read(10)]
#[tractor::test]
async fn killed_reader_ends_the_sending(#[case] reads_items: u64) -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let reader = nursery.start_actor("reader").await?;
        let process = hold(reader.pid());
        reader
            .open_context(reads(reads_items), async |ctx, ()| {
                let (mut items, _nothing) = ctx.open_stream()?;
                let sending = async {
                    for n in 0_u64.. {
                        items
                            .send(vec![n.to_le_bytes(); 100].concat().into())
                            .await?;
                        if n == 300 {
                            kill(&process);
                        }
                    }
                    tractor::Ok(())
                };
                let told = shield(sending).await.expect("nobody cancels the shield");
                let error = told.expect_err("nobody reads");
                assert_eq!((error.signal(), error.origin().name()), (Some(9), "reader"));
                Err(error)
            })
            .await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    assert!(error.group().is_empty(), "{error}");
    assert_alone();
    Ok(())
}

/// Fault 4. The writer is no child of its reader, but a sibling, over a link of their own: of
/// that only the loss is known. The nursery of both says how it died.
#[tractor::test]
async fn killed_sibling_is_a_lost_link_to_its_reader() -> tractor::Result<()> {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let reader = nursery.start_actor("reader").await?;
        let told = reader.run(read_until_it_fails(writer.clone()));
        let told = shield(told).await.expect("nobody cancels the shield");
        // Its nursery has ended the reader as well, perhaps before it could say so.
        if let Ok(text) = told {
            assert!(text.contains("the link to actor 'writer'"), "{text}");
        }
        std::future::pending().await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "writer"),
        "{error}"
    );
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn read_until_it_fails(writer: Portal) -> tractor::Result<String> {
    let process = hold(writer.pid());
    let mut items = writer.open_stream(count_up(8)).await?;
    let reading = async {
        let mut read = 0;
        loop {
            match items.recv().await {
                Ok(Some(item)) => assert_eq!(number(&item), read),
                Ok(None) => panic!("it has no end"),
                Err(error) => {
                    assert!(matches!(error.ending(), Ending::LinkLost { .. }), "{error}");
                    return error.to_string();
                }
            }
            read += 1;
            if read == 100 {
                kill(&process);
            }
        }
    };
    Ok(shield(reading).await.expect("nobody cancels the shield"))
}

/// What may stand between writer and reader of one stream: 1 MiB of credit for items of this
/// size, in the writer, in the socket, or in the reader, and what holds it.
const HELD_BYTES: u64 = 8 << 20;

/// Fault 17. A reader reads nothing of a stream without end. The writer waits after a bounded
/// number of bytes, and neither process grows; both serve calls meanwhile. When it reads again,
/// everything is there.
#[tractor::test]
async fn slow_reader_holds_its_writer_in_bounded_memory() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let reader = nursery.start_actor("reader").await?;
        let grown = reader.run(read_slowly(writer.clone())).await?;
        assert!(grown < HELD_BYTES, "the reader grew by {grown} bytes");
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// By how much this process grows meanwhile.
#[tractor::rpc]
async fn read_slowly(writer: Portal) -> tractor::Result<u64> {
    let (ours, theirs) = (memory().await, writer.run(memory()).await?);
    let mut items = writer.open_stream(count_up(50_000)).await?;
    let first = items.recv().await?.expect("there are more");
    assert_eq!(number(&first), 0);
    // It writes until it has to wait: nothing but answers leaves it then.
    let (begin, mut sent, mut still) = (Instant::now(), 0, 0);
    while still < 50 {
        within(begin, BOUNDED, "until the writer waits");
        let before = std::mem::replace(&mut sent, writer.run(bytes_out()).await?);
        still = if sent - before < 1000 { still + 1 } else { 0 };
    }
    assert!(sent < HELD_BYTES, "{sent} bytes were sent to nobody");
    assert_eq!(writer.run(pid()).await?, writer.pid());
    let grown = writer.run(memory()).await?.saturating_sub(theirs);
    assert!(grown < HELD_BYTES, "the writer grew by {grown} bytes");
    for n in 1..1000 {
        let item = items.recv().await?.expect("there are more");
        assert_eq!(number(&item), n);
    }
    Ok(memory().await.saturating_sub(ours))
}

/// The bytes that this actor has sent, to everybody.
#[tractor::rpc]
async fn bytes_out() -> tractor::Result<u64> {
    let links = tractor::current_actor()?.statistics().links;
    Ok(links.iter().map(|link| link.bytes_out).sum())
}

/// The resident memory of this process, in bytes.
#[tractor::rpc]
async fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    1024 * kib.expect("it says so")
}

/// Fault 17. A reader is stopped as a whole, with streams and their links full. Its writer does
/// not grow and serves others; once the reader goes on, so does the stream.
#[tractor::test]
async fn stopped_reader_holds_its_writer_in_bounded_memory() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let reader = nursery.start_actor("reader").await?;
        let other = nursery.start_actor("other").await?;
        let process = hold(reader.pid());
        let before = memory().await;
        let items_wanted = 500;
        reader
            .open_context(reads_all(items_wanted), async |ctx, ()| {
                let (mut items, _nothing) = ctx.open_stream()?;
                stop(&process).await;
                let sending = async {
                    for n in 0..items_wanted {
                        let mut item = n.to_le_bytes().to_vec();
                        item.resize(50_000, 7);
                        items.send(item.into()).await?;
                    }
                    items.close();
                    tractor::Ok(())
                };
                let mut sending = std::pin::pin!(sending);
                for _ in 0..100 {
                    assert!(
                        futures::poll!(sending.as_mut()).is_pending(),
                        "nobody reads"
                    );
                    assert_eq!(other.run(pid()).await?, other.pid());
                }
                let grown = memory().await.saturating_sub(before);
                assert!(grown < HELD_BYTES, "the writer grew by {grown} bytes");
                process.signal(Signal::Continue).expect("it is ours");
                sending.await?;
                assert_eq!(ctx.result().await?, items_wanted);
                tractor::Ok(())
            })
            .await?;
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::context]
async fn reads_all(ctx: Context<(), Bytes, ()>, items: u64) -> tractor::Result<u64> {
    ctx.started(())?;
    let (_out, mut items_in) = ctx.open_stream()?;
    let mut read = 0;
    while let Some(item) = items_in.recv().await? {
        assert_eq!(number(&item), read);
        read += 1;
    }
    assert_eq!(read, items);
    Ok(read)
}
