//! F53: random walks of real trees. Actors do what a seed says while somebody kills, stops and
//! terminates them at random, until their nursery, or the whole root, is cancelled at a random
//! moment. Whatever has happened: it ends in time, and nobody is left.

use std::time::Instant;

use futures::future::join;
use tractor::{Transport, current_actor, open_nursery};
use tractor_core::process::census::{marked_processes, zombie_children};
use tractor_core::process::{Process, Signal};

use crate::chance::{Chance, give_up_after};
use crate::seeds::{hold_back, seeds};
use crate::support::{Program, program};
use crate::tree::{BOUNDED, ms, note, within};
use crate::wander::{FAR, wander};

/// A walk that is cancelled in its middle.
pub(crate) async fn f53_random_walk_ends(seed: u64) -> tractor::Result<()> {
    walk_ends(seed, false).await
}

/// The same of actors every other of which is linked over the network.
pub(crate) async fn f53_far_walk_ends(seed: u64) -> tractor::Result<()> {
    walk_ends(seed, true).await
}

async fn walk_ends(seed: u64, far: bool) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let length = chance.delay(150);
    let (walk, torment_seed) = (chance.below(u64::MAX), chance.below(u64::MAX));
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let mut first = nursery.start_actor("first");
        if far {
            first = first.transport(Transport::LoopbackTcp).var(FAR, &true);
        }
        let first = first.await?;
        // Both may end in any way, or not at all.
        let walks = join(first.run(wander(1, walk)), wander(0, walk));
        let both = join(walks, torment(Chance::new(torment_seed)));
        if give_up_after(length, both).await.is_none() && chance.coin() {
            // It may be stopped.
            let asked = first.cancel_actor_within(chance.delay(500)).await;
            asked.unwrap_or_else(|error| note(&error.to_string()));
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await;
    if let Err(error) = ended {
        note(&format!("the walk ended with: {error}"));
    }
    all_gone(begin).await;
    // The socket file of one that was killed before anybody knew of it goes with the tree's
    // directory.
    within(begin, BOUNDED + length, "a random walk");
    Ok(())
}

/// Seeds 3427 and 8219: the root looked for orphans while one could not be told from a stranger,
/// because it was just ending, and it stayed a zombie.
#[tractor::test(timeout = 120)]
async fn walks_that_have_left_a_zombie_leave_none() -> tractor::Result<()> {
    f53_random_walk_ends(3427).await?;
    f53_far_walk_ends(8219).await
}

/// Waits for those whom a dropped nursery has left to its actor, and for the root's reaping of
/// orphans. Who is there too long is shown.
async fn all_gone(begin: Instant) {
    let us = std::process::id();
    let tree = tree_mark();
    loop {
        let mut left = marked_processes(&tree);
        left.retain(|process| process.pid != us);
        left.extend(zombie_children(&[us]));
        if left.is_empty() {
            return;
        }
        let took = begin.elapsed();
        assert!(
            took <= 2 * BOUNDED,
            "left after {took:?}: {left:?}, {:?}",
            tractor::nurseries()
        );
        async_std::task::sleep(ms(2)).await;
    }
}

fn tree_mark() -> String {
    let actor = current_actor().expect("a test's body is an actor");
    actor.identity().tree.to_string()
}

/// Signals actors of this tree at random, for as long as it is polled or for some signals.
async fn torment(mut chance: Chance) {
    let us = std::process::id();
    let tree = tree_mark();
    // Whoever is stopped costs its parent a second, so that few walks have it.
    let stops = chance.below(6) == 0;
    for _ in 0..chance.below(6) {
        chance.pause(40).await;
        let mut others = marked_processes(&tree);
        others.retain(|process| process.pid != us);
        if others.is_empty() {
            continue;
        }
        let victim = chance.pick(&others).pid;
        let signal = match chance.below(4) {
            0 | 1 if stops => Signal::Stop,
            2 if stops => Signal::Continue,
            3 => Signal::Terminate,
            _ => Signal::Kill,
        };
        if let Ok(process) = Process::open(victim) {
            note(&format!("{signal:?} to {victim}"));
            // It may be gone meanwhile.
            let _ = process.signal(signal);
        }
    }
}

/// A walk whose root is asked to end, once or several times.
#[test]
fn f53_walking_root_ends_by_signal() {
    for seed in seeds() {
        note(&format!("F53 (by a signal), seed {seed}"));
        let mut chance = Chance::new(seed);
        let mut command = program("programs");
        command.args(["walks", &seed.to_string()]);
        let mut tree = Program::start(command);
        tree.wait_for("walking");
        hold_back(chance.delay(100));
        let begin = Instant::now();
        for _ in 0..=chance.below(3) {
            let which = *chance.pick(&[Signal::Interrupt, Signal::Terminate]);
            // Only the first is sure to find it.
            if let Ok(root) = Process::open(tree.pid()) {
                let _ = root.signal(which);
            }
            hold_back(chance.delay(20));
        }
        let ended = tree.end();
        within(begin, BOUNDED, "a walking root");
        assert!(
            matches!(ended.signal(), Some(2 | 15)) || ended.status.code() == Some(1),
            "{ended:?}"
        );
    }
}
