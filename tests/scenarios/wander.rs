//! What a random walk consists of: actors that start actors, call, stream, talk, wait, block,
//! pause, fail, panic and die, as a seed says.

use std::future::pending;
use std::time::Duration;

use futures::future::join_all;
use futures::{Stream, stream};
use tractor::{
    Context, Nursery, Portal, Transport, find_actor, get_root, open_nursery, open_worker_pool,
    pause, runtime_var, shield, timeout,
};

use crate::chance::{Chance, give_up_after};

/// No actor of a walk is further below the root.
const DEPTH: u64 = 3;
/// The variable that says whether a walk has far actors.
pub(crate) const FAR: &str = "far";
/// What actors are called: so few names that many are namesakes, and are found by others.
const NAMES: [&str; 4] = ["ada", "bob", "cyd", "dee"];

/// Does what the seed says, in the actor that it is sent to.
#[tractor::rpc]
pub(crate) async fn wander(depth: u64, seed: u64) -> tractor::Result<u64> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let mut children = Vec::new();
        let most = if depth < DEPTH { 4 - depth } else { 1 };
        for _ in 0..chance.below(most) {
            let start = nursery.start_actor(*chance.pick(&NAMES));
            children.push(start.transport(transport(&mut chance)).await?);
        }
        for _ in 0..chance.below(5) {
            let portal = somebody(&mut chance, &children).await;
            let Some(portal) = portal else { continue };
            let ended = act(&mut chance, nursery, &portal, depth).await;
            if chance.coin() {
                ended?;
            }
        }
        match chance.below(5) {
            0 => nursery.cancel(),
            1 => {
                for child in &children {
                    child.cancel_actor_within(chance.delay(1000)).await?;
                }
            }
            2 => {
                return get_root()
                    .await?
                    .run(trip("the walk ends badly".into()))
                    .await;
            }
            3 => {
                let walks = children.iter().map(|child| {
                    let seed = chance.below(u64::MAX);
                    child.run(wander(depth + 1, seed))
                });
                let walks: Vec<_> = walks.collect();
                for walk in join_all(walks).await {
                    walk?;
                }
                nursery.cancel();
            }
            _ => {}
        }
        tractor::Ok(depth)
    })
    .await
}

/// How an actor is linked: where the walk has far ones, every other is.
fn transport(chance: &mut Chance) -> Transport {
    let has_far = runtime_var(FAR).is_ok_and(|far| far == Some(true));
    match has_far && chance.coin() {
        true => Transport::LoopbackTcp,
        false => Transport::Inherited,
    }
}

/// A child, the root, or whoever has a name.
async fn somebody(chance: &mut Chance, children: &[Portal]) -> Option<Portal> {
    match chance.below(6) {
        0 => get_root().await.ok(),
        1 => {
            let name: &str = chance.pick::<&str>(&NAMES);
            find_actor(name).await.ok().flatten()
        }
        _ if children.is_empty() => None,
        _ => Some(chance.pick(children).clone()),
    }
}

/// One step of a walk.
async fn act(
    chance: &mut Chance,
    nursery: &Nursery,
    portal: &Portal,
    depth: u64,
) -> tractor::Result<()> {
    let seed = chance.below(u64::MAX);
    match chance.below(17) {
        0 => portal
            .run(give_back(vec![1; 1 << chance.below(18)]))
            .await
            .map(drop),
        1 if depth < DEPTH => portal.run(wander(depth + 1, seed)).await.map(drop),
        2 if depth < DEPTH => {
            let limit = chance.delay(20);
            let walk = portal.run(wander(depth + 1, seed));
            give_up_after(limit, walk)
                .await
                .map_or(Ok(()), |ended| ended.map(drop))
        }
        3 => portal.run(trip("a step fails".into())).await.map(drop),
        4 => read_some(chance, portal).await,
        5 => talk(chance, portal).await,
        6 => {
            chance.pause(5).await;
            Ok(())
        }
        7 if is_own(portal) => portal.run(fall()).await,
        8 => portal.run(hog(chance.below(20))).await,
        9 => {
            let name = *chance.pick(&NAMES);
            let start = nursery.run_in_actor(name, give_back(vec![2; 100]));
            let one_shot = start.transport(transport(chance)).await?;
            one_shot.result().await.map(drop)
        }
        10 => portal.run(stumble()).await,
        11 if is_own(portal) => portal.cancel_actor_within(chance.delay(600)).await,
        12 => {
            let limited = timeout(chance.delay(10), portal.run(linger(chance.coin()))).await;
            limited.unwrap_or(Ok(()))
        }
        13 => {
            let calls = (0..10).map(|n| portal.run(give_back(vec![n; 1000])));
            let calls: Vec<_> = calls.collect();
            join_all(calls)
                .await
                .into_iter()
                .try_for_each(|ended| ended.map(drop))
        }
        14 if depth < DEPTH => {
            open_worker_pool(2, async |pool| {
                let mut results = pool.map(half, 0..chance.below(12)).unordered();
                while let Some(result) = results.next().await {
                    result?;
                }
                tractor::Ok(())
            })
            .await
        }
        15 => portal.run(look(chance.coin())).await,
        // Without debug mode it is nothing.
        16 => {
            pause(chance.coin()).await;
            Ok(())
        }
        // Whoever is cancelled hears it at the next step.
        _ => Ok(()),
    }
}

/// The root lives for the walk.
fn is_own(portal: &Portal) -> bool {
    NAMES.contains(&portal.name())
}

/// Reads some of a stream, and drops the rest.
async fn read_some(chance: &mut Chance, portal: &Portal) -> tractor::Result<()> {
    let length = 1 << chance.below(14);
    let mut numbers = portal.open_stream(count_up(length)).await?;
    for n in 0..chance.below(2 * length) {
        match numbers.recv().await? {
            Some(number) => assert_eq!(number, n, "items come in order"),
            None => break,
        }
    }
    Ok(())
}

/// Talks for a while, and leaves: by the end of the talk, in its middle, or with an error.
async fn talk(chance: &mut Chance, portal: &Portal) -> tractor::Result<()> {
    let end = chance.below(3);
    let rounds = chance.below(30);
    portal
        .open_context(echoing(), async |ctx, ()| {
            let (mut out, mut back) = ctx.open_stream()?;
            for n in 0..rounds {
                out.send(n).await?;
                if let Some(answer) = back.recv().await? {
                    assert_eq!(answer, n, "answers come in order");
                }
            }
            match end {
                0 => {
                    out.close();
                    ctx.result().await
                }
                1 => portal.run(trip("a talk ends badly".into())).await.map(drop),
                _ => Ok(()),
            }
        })
        .await
}

#[tractor::rpc]
async fn give_back(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[tractor::rpc]
async fn half(n: u64) -> u64 {
    n / 2
}

#[tractor::rpc]
async fn trip(text: String) -> Result<u64, String> {
    Err(text)
}

/// Panics.
#[tractor::rpc]
async fn stumble() -> () {
    panic!("a step of a walk panics");
}

/// Pauses once.
#[tractor::rpc]
async fn look(shielded: bool) {
    pause(shielded).await;
}

/// Ends its process as `kill -9` does.
#[tractor::rpc]
async fn fall() {
    let this = rustix::process::getpid();
    // A process may signal itself.
    let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
    pending().await
}

/// Holds its thread up.
#[tractor::rpc]
#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
async fn hog(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Never ends by itself, and not for a cancel either if it is deaf.
#[tractor::rpc]
async fn linger(deaf: bool) {
    if deaf {
        // Nobody else can cancel the shield; it ends with the actor.
        let _ = give_up_after(Duration::from_millis(300), shield(pending::<()>())).await;
    }
    pending().await
}

#[tractor::rpc]
fn count_up(length: u64) -> impl Stream<Item = u64> {
    stream::iter(0..length)
}

#[tractor::context]
async fn echoing(ctx: Context<(), u64, u64>) -> tractor::Result<()> {
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    while let Some(n) = numbers.recv().await? {
        out.send(n).await?;
    }
    Ok(())
}
