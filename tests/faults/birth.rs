//! Faults 1, 32, 33: children that are not born, or not whole.

use std::time::Instant;

use futures::future::join_all;
use tractor::{Ending, Nursery, Portal, Refusal, StartActor, current_actor, open_nursery};
use tractor_core::process::census::{marked_processes, zombie_children};

use crate::calls::{idle, pid};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, ms, within};

/// Every station of a child's boot.
const STATIONS: [&str; 4] = ["boot.detected", "boot.entered", "boot.spec", "boot.ready"];

/// Fault 1. A child dies at each station of its boot, in each way. The start fails at once with
/// the status; nothing of it is left open; the nursery goes on.
#[tractor::test]
async fn child_that_dies_before_the_handshake_is_told_with_its_status() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for station in STATIONS {
            for (action, signal, code) in [
                ("kill", Some(9), None),
                ("abort", Some(6), None),
                ("exit:0", None, Some(0)),
            ] {
                let (begin, plan) = (Instant::now(), format!("{station}={action}"));
                let start = nursery
                    .start_actor("stillborn")
                    .env("TRACTOR_FAULTS", &plan);
                let error = start.await.expect_err("it does not become ready");
                within(begin, PROMPT, &plan);
                let Ending::DiedBeforeReady { .. } = error.ending() else {
                    panic!("{error}")
                };
                assert_eq!(
                    (error.signal(), error.exit_code()),
                    (signal, code),
                    "{plan}: {error}"
                );
                assert_eq!(error.origin().name(), "stillborn");
                assert!(
                    error.is_death() && error.calls_in_flight().is_empty(),
                    "{error}"
                );
            }
        }
        eventually("the dead are forgotten", async || {
            nursery.statistics().children.is_empty()
        })
        .await;
        let worker = nursery.start_actor("born").await?;
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Starts an actor, and cancels its nursery as soon as there is a process.
pub(crate) async fn cancelled_while_booting(
    nursery: &Nursery,
    start: StartActor,
) -> tractor::Result<Portal> {
    let cancel = async {
        eventually("it is booting", async || {
            nursery.statistics().children.len() == 1
        })
        .await;
        nursery.cancel();
    };
    futures::join!(start.into_future(), cancel).0
}

/// Fault 1. A child is stopped at each station of its boot, so that it neither becomes ready nor
/// dies. Giving the start up ends it, and so does a cancel of the nursery.
#[tractor::test]
async fn child_that_stops_in_its_boot_ends_with_its_start() -> tractor::Result<()> {
    for station in STATIONS {
        let (begin, plan) = (Instant::now(), format!("{station}=stop"));
        open_nursery(async |nursery| {
            let start = nursery.start_actor("given up").env("TRACTOR_FAULTS", &plan);
            let started = tractor::move_on_after(ms(100), start.into_future()).await;
            assert!(started.is_none(), "{plan}");
            let start = nursery
                .start_actor("cancelled")
                .env("TRACTOR_FAULTS", &plan);
            let started = cancelled_while_booting(nursery, start).await;
            let error = started.expect_err("it never becomes ready");
            assert!(error.is_cancelled() || error.is_death(), "{plan}: {error}");
            tractor::Ok(())
        })
        .await?;
        within(begin, BOUNDED, &plan);
        assert_alone();
    }
    Ok(())
}

/// Fault 1. A one-shot with a deadline is stopped in its boot. The deadline counts from its start
/// and ends the process.
#[tractor::test]
async fn child_that_stops_in_its_boot_ends_by_its_deadline() -> tractor::Result<()> {
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let once = nursery.run_in_actor("late", pid()).deadline(ms(300));
        once.env("TRACTOR_FAULTS", "boot.entered=stop")
            .await?
            .result()
            .await?;
        tractor::Ok(())
    })
    .await;
    within(begin, BOUNDED, "a deadline in the boot");
    let error = ended.expect_err("it is late");
    assert_eq!(error.origin().name(), "late", "{error}");
    assert!(error.to_string().contains("deadline"), "{error}");
    assert_alone();
    Ok(())
}

/// A one-shot whose arguments cannot be encoded is refused, and its process does not wait for a
/// call that never comes.
#[tractor::test]
async fn one_shot_that_cannot_be_called_ends() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let start = nursery.run_in_actor("useless", take(Unsendable)).await;
        let error = start.expect_err("its argument does not encode");
        let Ending::Refused(Refusal::BadArguments(_)) = error.ending() else {
            panic!("{error}")
        };
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "the end of a one-shot without a call");
    assert_alone();
    Ok(())
}

/// Serializes to an error.
#[derive(Debug, serde::Deserialize)]
struct Unsendable;

impl serde::Serialize for Unsendable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it stays here"))
    }
}

#[tractor::rpc]
async fn take(_argument: Unsendable) {}

/// Fault 32. The system refuses to start a process, for each reason and at each step. The start
/// fails and says why; there is no half-started process; the next start works.
#[tractor::test]
async fn start_that_the_system_refuses_leaves_nothing() -> tractor::Result<()> {
    let plan = "spawn.exec@1=error:EAGAIN; spawn.exec@2=error:ENOMEM; spawn.exec@3=error:EMFILE; \
                spawn.exec@4=error:ENFILE; spawn.pidfd@1=error:EMFILE";
    open_nursery(async |nursery| {
        let middle = nursery
            .start_actor("middle")
            .env("TRACTOR_FAULTS", plan)
            .await?;
        let refused = middle.run(start_until_it_works()).await?;
        let reasons = [
            "limit of processes",
            "memory",
            "too many files",
            "too many files",
        ];
        assert_eq!(refused.len(), reasons.len() + 1, "{refused:?}");
        for (text, reason) in refused
            .iter()
            .zip(reasons.iter().chain(&["too many files"]))
        {
            assert!(text.contains("'wanted'") && text.contains(reason), "{text}");
        }
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Starts an actor again and again, and gives what was said until it worked.
#[tractor::rpc]
async fn start_until_it_works() -> tractor::Result<Vec<String>> {
    open_nursery(async |nursery| {
        let mut refused = Vec::new();
        loop {
            match nursery.start_actor("wanted").await {
                Ok(wanted) => {
                    assert_eq!(wanted.run(pid()).await?, wanted.pid());
                    wanted.cancel_actor().await?;
                    return tractor::Ok(refused);
                }
                Err(error) => {
                    let Ending::NotSpawned { .. } = error.ending() else {
                        panic!("{error}")
                    };
                    refused.push(error.to_string());
                    assert!(nursery.statistics().children.is_empty());
                    assert_no_child();
                }
            }
        }
    })
    .await
}

/// That this process has no child, dead or alive.
pub(crate) fn assert_no_child() {
    let actor = current_actor().expect("it runs in one");
    let mut children = marked_processes(&actor.identity().tree.to_string());
    children.retain(|process| process.ppid == actor.pid());
    assert!(children.is_empty(), "{children:?}");
    let zombies = zombie_children(&[actor.pid()]);
    assert!(zombies.is_empty(), "{zombies:?}");
}

/// Fault 33. An actor starts one that starts one, and so on for ever. The limit of levels ends
/// it, with an error that names the limit, and everybody is gone.
#[tractor::test(max_depth = 4)]
async fn fork_bomb_in_depth_meets_its_limit() -> tractor::Result<()> {
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let first = nursery.start_actor("level 1").await?;
        first.run(go_deeper(1)).await
    })
    .await;
    let error = ended.expect_err("there is a limit");
    let Ending::NotSpawned { reason } = error.ending() else {
        panic!("{error}")
    };
    assert!(reason.contains("max_depth"), "{error}");
    let relays: Vec<_> = error
        .relay_path()
        .iter()
        .map(|relay| relay.name())
        .collect();
    assert!(relays.contains(&"level 1"), "{relays:?}: {error}");
    within(begin, BOUNDED, "a fork bomb");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn go_deeper(level: u32) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let next = nursery.start_actor(format!("level {}", level + 1)).await?;
        next.run(go_deeper(level + 1)).await
    })
    .await
}

/// Fault 33. An actor starts more than it may, at once and in two nurseries. Those beyond the
/// limit are refused by name, the others live.
#[tractor::test(max_children = 5)]
async fn fork_bomb_in_width_meets_its_limit() -> tractor::Result<()> {
    open_nursery(async |outer| {
        let before = start_many(outer, 3).await;
        assert!(before.iter().all(Result::is_ok));
        open_nursery(async |inner| {
            let starts = start_many(inner, 6).await;
            let refused: Vec<_> = starts
                .iter()
                .filter_map(|start| start.as_ref().err())
                .collect();
            assert_eq!(refused.len(), 4, "{refused:?}");
            for error in refused {
                let Ending::NotSpawned { reason } = error.ending() else {
                    panic!("{error}")
                };
                assert!(reason.contains("max_children"), "{error}");
            }
            inner.cancel();
            tractor::Ok(())
        })
        .await?;
        // Those that are gone do not count.
        assert!(start_many(outer, 2).await.iter().all(Result::is_ok));
        outer.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

async fn start_many(nursery: &Nursery, n: u32) -> Vec<Result<u32, tractor::Error>> {
    join_all((0..n).map(async |number| {
        let worker = nursery.start_actor(format!("worker {number}")).await?;
        async_std::task::spawn(worker.run(idle()));
        worker.run(pid()).await
    }))
    .await
}
