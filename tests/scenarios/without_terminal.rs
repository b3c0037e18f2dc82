//! D40, D42: breakpoints and failures in debug mode where there is no terminal.

use std::time::Instant;

use futures::future::try_join_all;
use tractor::open_nursery;

use crate::calls::fail;
use crate::chance::{Chance, give_up_after};
use crate::tree::{BOUNDED, assert_alone, within};

/// How often each pauses: enough to be in the middle of it when its call is given up.
const PAUSES: u32 = 5;

#[tractor::rpc]
async fn pauses() {
    for round in 0..PAUSES {
        tractor::breakpoint!(round).await;
    }
}

#[tractor::rpc]
async fn shielded_pauses() {
    for _ in 0..PAUSES {
        tractor::pause(true).await;
    }
}

/// On a thread of its own.
#[tractor::rpc]
fn plain_pauses() {
    for round in 0..PAUSES {
        tractor::breakpoint_sync!(round);
    }
}

/// D40, D42. Three actors pause at once, in every way, and fail, with no terminal anywhere. Nobody
/// waits, whether or not its call is given up meanwhile; and the terminal's lock can always be
/// asked, although no function of the root is exposed for that.
pub(crate) async fn d42_pause_without_a_terminal_waits_for_nobody(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let mut actors = Vec::new();
        for name in ["ann", "bob", "cid"] {
            actors.push(nursery.start_actor(name).debug_mode(true).await?);
        }
        let all = actors.iter().map(|actor| {
            let (way, limit) = (chance.below(3), chance.coin().then(|| chance.delay(20)));
            async move {
                let pausing = async {
                    match way {
                        0 => actor.run(pauses()).await,
                        1 => actor.run(shielded_pauses()).await,
                        _ => actor.run(plain_pauses()).await,
                    }
                };
                match limit {
                    Some(limit) => give_up_after(limit, pausing).await.unwrap_or(Ok(())),
                    None => pausing.await,
                }
            }
        });
        try_join_all(all.collect::<Vec<_>>()).await?;
        let failed = actors[0].run(fail("odd".to_owned(), 0)).await;
        let error = failed.expect_err("it always fails");
        assert!(error.to_string().contains("odd"), "{error}");
        for actor in &actors {
            actor.cancel_actor().await?;
        }
        Ok(())
    })
    .await?;
    within(begin, BOUNDED, "pausing without a terminal");
    assert_alone();
    Ok(())
}
