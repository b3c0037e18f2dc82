//! Tokio libraries inside of actors, as a user with the feature `tokio1` has them.

use std::io;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tractor::{Context, open_nursery};

const NAP: Duration = Duration::from_millis(20);

/// Sleeps by tokio's timer: how long.
#[tractor::rpc]
async fn nap() -> Duration {
    let begin = Instant::now();
    tokio::time::sleep(NAP).await;
    begin.elapsed()
}

/// The same, in a task of the executor from its first poll on.
#[tractor::rpc(spawn)]
async fn nap_apart() -> Duration {
    nap().await
}

/// A byte over tokio's sockets, in two tasks of its own.
#[tractor::rpc]
async fn send_a_byte() -> io::Result<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sending = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await?;
        stream.writable().await?;
        stream.try_write(&[7])
    });
    let (stream, _) = listener.accept().await?;
    let mut byte = [0];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => assert_eq!(read?, 1),
        }
        if byte != [0] {
            break;
        }
    }
    assert_eq!(sending.await??, 1);
    Ok(byte[0])
}

#[tractor::context]
async fn tick(ctx: Context<(), (), ()>, times: u32) -> tractor::Result<u32> {
    ctx.started(())?;
    let mut ticks = tokio::time::interval(NAP / 10);
    for _ in 0..times {
        ticks.tick().await;
    }
    Ok(times)
}

#[tractor::test]
async fn the_root_sleeps_by_tokio() {
    assert!(nap().await >= NAP);
    assert!(tokio::spawn(nap()).await.unwrap() >= NAP);
}

#[tractor::test]
async fn an_actor_sleeps_by_tokio_wherever_it_is_polled() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("actor").await?;
        for _ in 0..20 {
            assert!(actor.run(nap()).await? >= NAP);
            assert!(actor.run(nap_apart()).await? >= NAP);
        }
        actor.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn an_actor_uses_tokios_sockets_and_tasks() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let once = nursery.run_in_actor("once", send_a_byte()).await?;
        assert_eq!(once.result().await?, 7);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_context_uses_tokios_intervals() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let actor = nursery.start_actor("actor").await?;
        let ticked = actor.open_context(tick(5), async |ctx, ()| ctx.result().await);
        assert_eq!(ticked.await?, 5);
        actor.cancel_actor().await
    })
    .await
}
