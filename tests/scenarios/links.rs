//! T30, T37, T45: links to oneself, links that have ended, links that break.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::net::Shutdown;
use rustix::time::ClockId;
use tractor::{Portal, current_actor, find_actor, open_nursery};

use crate::calls::{idle, pid};
use crate::chance::Chance;
use crate::cut::{cut_off_from_parent, new_socket, shut, sockets};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, ms, within};

/// T30. An actor looks itself up, by name and by contact, and calls itself. It gets its answers,
/// and the calls to itself keep nobody from ending.
pub(crate) async fn t30_actor_may_call_itself(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let selfish = nursery.start_actor("selfish").await?;
        assert_eq!(selfish.run(call_oneself()).await?, [selfish.pid(); 3]);
        let waiting = async_std::task::spawn(selfish.run(wait_for_oneself()));
        // A call that comes after the request to end is refused, which is no cancel.
        eventually("it waits for itself", async || {
            selfish.run(waits_for_itself()).await.is_ok_and(|it| it)
        })
        .await;
        chance.pause(10).await;
        selfish.cancel_actor().await?;
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "ending an actor that calls itself");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn call_oneself() -> tractor::Result<[u32; 3]> {
    let this = current_actor()?;
    let found = find_actor(this.name()).await?.expect("this actor is there");
    let connected = Portal::connect(this.contact()).await?;
    Ok([
        found.run(pid()).await?,
        connected.run(pid()).await?,
        pid().await,
    ])
}

#[tractor::rpc]
async fn wait_for_oneself() -> tractor::Result<()> {
    let found = find_actor(current_actor()?.name())
        .await?
        .expect("this actor is there");
    found.run(wait_here()).await
}

/// Whether this actor's call to itself has arrived.
static WAITS: AtomicBool = AtomicBool::new(false);

#[tractor::rpc]
async fn wait_here() {
    WAITS.store(true, Ordering::Relaxed);
    std::future::pending().await
}

#[tractor::rpc]
async fn waits_for_itself() -> bool {
    WAITS.load(Ordering::Relaxed)
}

/// T37. Many links have ended. Their ends are dealt with once, and the root uses no processor
/// time any more.
pub(crate) async fn t37_ended_links_cost_nothing(_seed: u64) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let witness = nursery.start_actor("witness").await?;
        for number in 0..4 {
            let short = nursery.start_actor(format!("short {number}")).await?;
            assert_eq!(short.run(call_oneself()).await?[0], short.pid());
            short.cancel_actor().await?;
        }
        eventually("they are reaped", async || {
            tractor::nurseries()
                .iter()
                .map(|nursery| nursery.children.len())
                .sum::<usize>()
                == 1
        })
        .await;
        for who in ["root", "witness"] {
            let used = match who {
                "root" => cpu_within_200_ms().await,
                _ => witness.run(cpu_within_200_ms()).await?,
            };
            assert!(used < 50_000, "the {who} used {used} µs of 200 ms");
        }
        witness.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Microseconds of processor time that this process uses while it has nothing to do.
#[tractor::rpc]
async fn cpu_within_200_ms() -> u64 {
    let used = || {
        let time = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
    };
    let before = used();
    async_std::task::sleep(ms(200)).await;
    used() - before
}

/// T45. The link between parent and child breaks, at the parent's end, the child's or both, with
/// a call on its way or without, before or after the child was asked to end. Nobody hangs, nobody
/// survives, and if it was not asked for, the parent is told that the link was lost.
pub(crate) async fn t45_broken_link_ends_the_child(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (side, asked, calling) = (chance.below(3), chance.coin(), chance.coin());
    let case = format!("side {side}, asked {asked}, calling {calling}");
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let before = sockets();
        let child = nursery.start_actor("cut off").await?;
        let link = new_socket(&before);
        let call = calling.then(|| async_std::task::spawn(child.run(idle())));
        if side > 0 {
            let cut = child.run(cut_off_soon(chance.below(3)));
            async_std::task::spawn(cut);
        }
        let asking = asked.then(|| {
            let child = child.clone();
            async_std::task::spawn(async move { child.cancel_actor().await })
        });
        if side != 1 {
            chance.pause(3).await;
            shut(&link, Shutdown::Both);
        }
        drop(link);
        if let Some(asking) = asking {
            // The word may be lost with the link; what counts is that the question ends.
            let _ = asking.await;
        }
        if let Some(call) = call {
            assert!(call.await.is_err(), "{case}: it cannot return");
        }
        if asked {
            tractor::Ok(())
        } else {
            std::future::pending().await
        }
    })
    .await;
    within(begin, BOUNDED, &case);
    match ended {
        Ok(()) => assert!(asked, "{case}"),
        Err(error) => {
            assert_eq!(error.origin().name(), "cut off", "{case}: {error}");
            assert!(
                asked || error.to_string().contains("link"),
                "{case}: {error}"
            );
        }
    }
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn cut_off_soon(millis: u64) {
    async_std::task::sleep(ms(millis)).await;
    cut_off_from_parent(Shutdown::Both);
}
