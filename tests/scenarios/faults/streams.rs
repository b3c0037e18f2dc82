//! Faults 4, 17: streams whose other end is killed, stopped, or reads too slowly.

use std::fs;
use std::time::Instant;

use futures::{Stream, stream};
use rstest::rstest;
use tractor::{Bytes, Context, Ending, Portal, open_nursery, shield};
use tractor_core::process::Signal;

use crate::calls::pid;
use crate::chance::Chance;
use crate::seeds::with_seeds;
use crate::tree::{BOUNDED, PROMPT, assert_alone, assert_killed, exited, hold, kill, stop, within};

/// Counts up, in items of so many bytes each; the number stands in the first eight.
#[tractor::rpc]
fn count_up(bytes: usize) -> impl Stream<Item = Bytes> {
    stream::iter((0..).map(move |n| numbered(n, bytes)))
}

fn numbered(n: u64, bytes: usize) -> Bytes {
    let mut item = n.to_le_bytes().to_vec();
    item.resize(bytes, 7);
    item.into()
}

fn number(item: &[u8]) -> u64 {
    u64::from_le_bytes(item[..8].try_into().expect("it begins with a number"))
}

/// Fault 4. The writer of a stream is killed while it writes, small items or large ones. What has
/// arrived is read, whole and in order, then the death is told, once; nothing is made up.
#[rstest]
#[case::small_items(8)]
#[case::large_items(100_000)]
#[tractor::test(timeout = 600)]
async fn f04_killed_writer_is_told_behind_its_items(#[case] bytes: usize) -> tractor::Result<()> {
    let what = format!("fault 4 (a writer of {bytes} bytes at a time)");
    with_seeds(&what, |seed| writer_killed(bytes, seed)).await
}

async fn writer_killed(bytes: usize, seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (killed_behind, sees_it_gone) = (1 + chance.below(150), chance.coin());
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let process = hold(writer.pid());
        let mut watched = sees_it_gone.then(|| hold(writer.pid()));
        let mut items = writer.open_stream(count_up(bytes)).await?;
        let reading = async {
            let mut read = 0;
            while let Some(item) = items.recv().await? {
                assert_eq!((number(&item), item.len()), (read, bytes));
                read += 1;
                if read == killed_behind {
                    chance.pause(3).await;
                    kill(&process);
                    if let Some(watched) = watched.take() {
                        exited(watched, PROMPT).await;
                    }
                }
            }
            tractor::Ok(read)
        };
        let begin = Instant::now();
        let told = shield(reading).await.expect("nobody cancels the shield");
        within(begin, PROMPT, "the end of a stream whose writer is killed");
        let error = told.expect_err("it does not end well");
        assert_killed(&error, "writer");
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
#[tractor::test(timeout = 600)]
async fn f04_killed_reader_ends_the_sending(#[case] reads_items: u64) -> tractor::Result<()> {
    let what = format!("fault 4 (a reader of {reads_items} items)");
    with_seeds(&what, |seed| reader_killed(reads_items, seed)).await
}

async fn reader_killed(reads_items: u64, seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let numbers = 1 + chance.below(100) as usize;
    // Behind an item for which there is credit in any case, or at any moment.
    let killed_behind = chance.coin().then(|| chance.below(300));
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let reader = nursery.start_actor("reader").await?;
        let process = hold(reader.pid());
        reader
            .open_context(reads(reads_items), async |ctx, ()| {
                let (mut items, _nothing) = ctx.open_stream()?;
                let sending = async {
                    for n in 0_u64.. {
                        let item = n.to_le_bytes().repeat(numbers);
                        items.send(item.into()).await?;
                        if killed_behind == Some(n) {
                            kill(&process);
                        }
                    }
                    tractor::Ok(())
                };
                let killing = async {
                    if killed_behind.is_none() {
                        chance.pause(20).await;
                        kill(&process);
                    }
                };
                let both = shield(async { futures::join!(sending, killing) });
                let (told, ()) = both.await.expect("nobody cancels the shield");
                let error = told.expect_err("nobody reads");
                assert_killed(&error, "reader");
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
pub(crate) async fn f04_killed_sibling_is_a_lost_link_to_its_reader(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let bytes = 8 + chance.below(2000) as usize;
    let killed_behind = 1 + chance.below(300);
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let reader = nursery.start_actor("reader").await?;
        let told = reader.run(read_until_it_fails(writer.clone(), bytes, killed_behind));
        let told = shield(told).await.expect("nobody cancels the shield");
        // Its nursery has ended the reader as well, perhaps before it could say so.
        if let Ok(text) = told {
            assert!(text.contains("the link to actor 'writer'"), "{text}");
        }
        std::future::pending().await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "writer");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn read_until_it_fails(
    writer: Portal,
    bytes: usize,
    killed_behind: u64,
) -> tractor::Result<String> {
    let process = hold(writer.pid());
    let mut items = writer.open_stream(count_up(bytes)).await?;
    let reading = async {
        let mut read = 0;
        loop {
            match items.recv().await {
                Ok(Some(item)) => assert_eq!((number(&item), item.len()), (read, bytes)),
                Ok(None) => panic!("it has no end"),
                Err(error) => {
                    assert!(matches!(error.ending(), Ending::LinkLost { .. }), "{error}");
                    return error.to_string();
                }
            }
            read += 1;
            if read == killed_behind {
                kill(&process);
            }
        }
    };
    Ok(shield(reading).await.expect("nobody cancels the shield"))
}

/// What may stand between writer and reader of one stream: 1 MiB of credit for items of this
/// size, in the writer, in the socket, or in the reader, and what holds it.
const HELD_BYTES: u64 = 8 << 20;

/// Fault 17. A reader reads a little of a stream without end, and then no more. The writer waits
/// after a bounded number of bytes, and neither process grows; both serve calls meanwhile. When it
/// reads again, everything is there.
pub(crate) async fn f17_slow_reader_holds_its_writer_in_bounded_memory(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let bytes = 20_000 + chance.below(40_000) as usize;
    let read_before = 1 + chance.below(20);
    open_nursery(async |nursery| {
        let writer = nursery.start_actor("writer").await?;
        let reader = nursery.start_actor("reader").await?;
        let grown = reader.run(read_slowly(writer.clone(), bytes, read_before));
        let grown = grown.await?;
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
async fn read_slowly(writer: Portal, bytes: usize, read_before: u64) -> tractor::Result<u64> {
    let (ours, theirs) = (memory().await, writer.run(memory()).await?);
    let mut items = writer.open_stream(count_up(bytes)).await?;
    for n in 0..read_before {
        let item = items.recv().await?.expect("there are more");
        assert_eq!(number(&item), n);
    }
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
    for n in read_before..1000 {
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
pub(crate) async fn f17_stopped_reader_holds_its_writer_in_bounded_memory(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    // More than what has a place on the way, whatever their size.
    let items_wanted = 300 + chance.below(300);
    let bytes = 40_000 + chance.below(30_000) as usize;
    let sent_before = chance.below(20);
    open_nursery(async |nursery| {
        let reader = nursery.start_actor("reader").await?;
        let other = nursery.start_actor("other").await?;
        let process = hold(reader.pid());
        let before = memory().await;
        reader
            .open_context(reads_all(items_wanted), async |ctx, ()| {
                let (mut items, _nothing) = ctx.open_stream()?;
                for n in 0..sent_before {
                    items.send(numbered(n, bytes)).await?;
                }
                chance.pause(3).await;
                stop(&process).await;
                let sending = async {
                    for n in sent_before..items_wanted {
                        items.send(numbered(n, bytes)).await?;
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
                chance.pause(20).await;
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
