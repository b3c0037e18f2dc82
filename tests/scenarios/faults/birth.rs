//! Faults 1, 32, 33: children that are not born, or not whole.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{
    CancelScope, Ending, Nursery, Portal, Refusal, StartActor, Transport, current_actor,
    open_nursery,
};
use tractor_core::process::Process;
use tractor_core::process::census::{marked_processes, zombie_children};

use crate::calls::{idle, pid};
use crate::chance::Chance;
use crate::seeds::with_seeds;
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, ms, within};

/// Every station of a child's boot.
const STATIONS: [&str; 4] = ["boot.detected", "boot.entered", "boot.spec", "boot.ready"];

/// How a child is linked with its parent.
pub(crate) fn near_or_far(chance: &mut Chance) -> Transport {
    *chance.pick(&[Transport::Inherited, Transport::LoopbackTcp])
}

/// The signal and the exit code that are told.
type Told = (Option<i32>, Option<i32>);

/// Fault 1. A child dies at each station of its boot, in each way, alone or together with others.
/// The start fails at once with the status; nothing of it is left open; the nursery goes on.
pub(crate) async fn f01_child_that_dies_before_the_handshake_is_told_with_its_status(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let deaths = planned_deaths(&mut chance);
    let at_once = 1 + chance.below(4) as usize;
    open_nursery(async |nursery| {
        for deaths in deaths.chunks(at_once) {
            join_all(deaths.iter().map(|death| dies_as_planned(nursery, death))).await;
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

/// Each way to die at each station, a moment after it is reached, and what is told of it.
fn planned_deaths(chance: &mut Chance) -> Vec<(String, Told)> {
    let mut deaths = Vec::new();
    for station in STATIONS {
        let code = 1 + chance.below(255) as i32;
        for (action, told) in [
            ("kill".to_owned(), (Some(9), None)),
            ("abort".to_owned(), (Some(6), None)),
            ("exit:0".to_owned(), (None, Some(0))),
            (format!("exit:{code}"), (None, Some(code))),
        ] {
            let lag = chance.below(4);
            let plan = format!("{station}=delay:{lag}ms; {station}={action}");
            deaths.push((plan, told));
        }
    }
    chance.shuffle(&mut deaths);
    deaths
}

async fn dies_as_planned(nursery: &Nursery, (plan, told): &(String, Told)) {
    let begin = Instant::now();
    let start = nursery.start_actor("stillborn").env("TRACTOR_FAULTS", plan);
    let error = start.await.expect_err("it does not become ready");
    within(begin, PROMPT, plan);
    let Ending::DiedBeforeReady { .. } = error.ending() else {
        panic!("{error}")
    };
    assert_eq!(
        (error.signal(), error.exit_code()),
        *told,
        "{plan}: {error}"
    );
    assert_eq!(error.origin().name(), "stillborn");
    assert!(
        error.is_death() && error.calls_in_flight().is_empty(),
        "{error}"
    );
}

/// Starts an actor, and cancels its nursery so long after there is a process.
pub(crate) async fn cancelled_after(
    time: Duration,
    nursery: &Nursery,
    start: StartActor,
) -> tractor::Result<Portal> {
    let cancel = async {
        eventually("it is booting", async || {
            nursery.statistics().children.len() == 1
        })
        .await;
        async_std::task::sleep(time).await;
        nursery.cancel();
    };
    futures::join!(start.into_future(), cancel).0
}

/// Waits until a child stands still.
async fn until_one_is_stopped(nursery: &Nursery) {
    let is_stopped = |pid| Process::open(pid).is_ok_and(|process| process.state() == Some('T'));
    eventually("it is stopped", async || {
        let children = nursery.statistics().children;
        children.iter().any(|child| is_stopped(child.pid))
    })
    .await;
}

/// Fault 1. A child is stopped at each station of its boot, so that it neither becomes ready nor
/// dies. Giving the start up ends it, at any moment, and so does a cancel of the nursery.
pub(crate) async fn f01_child_that_stops_in_its_boot_ends_with_its_start(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut stations = STATIONS;
    chance.shuffle(&mut stations);
    for station in stations {
        let (begin, plan) = (Instant::now(), format!("{station}=stop"));
        open_nursery(async |nursery| {
            let start = nursery.start_actor("given up").env("TRACTOR_FAULTS", &plan);
            let scope = CancelScope::new();
            let give_up = async {
                if chance.coin() {
                    until_one_is_stopped(nursery).await;
                }
                chance.pause(10).await;
                scope.cancel();
            };
            let (started, ()) = futures::join!(scope.run(start.into_future()), give_up);
            assert!(started.is_err(), "{plan}");
            let start = nursery
                .start_actor("cancelled")
                .env("TRACTOR_FAULTS", &plan);
            let started = cancelled_after(chance.delay(20), nursery, start).await;
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
/// and ends the process, whether it has come as far as that or not.
pub(crate) async fn f01_child_that_stops_in_its_boot_ends_by_its_deadline(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let plan = format!("{}=stop", chance.pick(&STATIONS));
    // A boot takes some milliseconds, of which a deadline may leave any.
    let deadline = ms(*chance.pick(&[0, 100])) + chance.delay(200);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let once = nursery.run_in_actor("late", pid()).deadline(deadline);
        once.transport(near_or_far(&mut chance))
            .env("TRACTOR_FAULTS", &plan)
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

/// One-shots whose arguments cannot be encoded are refused, and their processes do not wait for
/// calls that never come.
pub(crate) async fn f01_one_shot_that_cannot_be_called_ends(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let starts: Vec<_> = (0..=chance.below(3))
            .map(|_| {
                let plan = format!("boot.ready=delay:{}ms", chance.below(4));
                let start = nursery.run_in_actor("useless", take(Unsendable));
                let start = start.transport(near_or_far(&mut chance));
                start.env("TRACTOR_FAULTS", plan).into_future()
            })
            .collect();
        for start in join_all(starts).await {
            let error = start.expect_err("its argument does not encode");
            let Ending::Refused(Refusal::ArgumentsNotSent { .. }) = error.ending() else {
                panic!("{error}")
            };
            let text = error.to_string();
            assert!(
                text.contains("'useless'") && text.contains("it stays here"),
                "{text}"
            );
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "the end of one-shots without a call");
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
pub(crate) async fn f32_start_that_the_system_refuses_leaves_nothing(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut refusals = [
        ("spawn.exec", "EAGAIN", "limit of processes"),
        ("spawn.exec", "ENOMEM", "memory"),
        ("spawn.exec", "EMFILE", "too many files"),
        ("spawn.exec", "ENFILE", "too many files"),
        ("spawn.pidfd", "EMFILE", "too many files"),
        ("spawn.pidfd", "ENOMEM", "memory"),
    ];
    chance.shuffle(&mut refusals);
    open_nursery(async |nursery| {
        let middle = nursery
            .start_actor("middle")
            .env("TRACTOR_FAULTS", in_this_order(&refusals))
            .await?;
        let starts = start_until_it_works(chance.below(u64::MAX));
        let refused = middle.run(starts).await?;
        assert_eq!(refused.len(), refusals.len(), "{refused:?}");
        for (text, (_, _, reason)) in refused.iter().zip(refusals) {
            assert!(text.contains("'wanted'") && text.contains(reason), "{text}");
        }
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// The plan by which these come one after the other.
fn in_this_order(refusals: &[(&str, &str, &str)]) -> String {
    let mut rules = Vec::new();
    let mut came_further = 0;
    for (begun, (point, error, _)) in (1..).zip(refusals) {
        // Every start comes to the first step, and to the second who was not refused there.
        let time = if *point == "spawn.exec" {
            begun
        } else {
            came_further += 1;
            came_further
        };
        rules.push(format!("{point}@{time}=error:{error}"));
    }
    rules.join("; ")
}

/// Starts an actor again and again, and gives what was said until it worked.
#[tractor::rpc]
async fn start_until_it_works(seed: u64) -> tractor::Result<Vec<String>> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let mut refused = Vec::new();
        loop {
            let start = nursery.start_actor("wanted");
            match start.transport(near_or_far(&mut chance)).await {
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

/// How many levels may stand below the root.
const DEPTH: u32 = 4;

/// Fault 33. An actor starts one that starts one, and so on for ever. The limit of levels ends
/// it, with an error that names the limit, and everybody is gone.
#[tractor::test(max_depth = DEPTH, timeout = 600)]
async fn f33_fork_bomb_in_depth_meets_its_limit() -> tractor::Result<()> {
    with_seeds("f33_fork_bomb_in_depth_meets_its_limit", bomb_in_depth).await
}

async fn bomb_in_depth(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let first = nursery.start_actor("level 1");
        let first = first.transport(near_or_far(&mut chance)).await?;
        first.run(go_deeper(1, chance.below(u64::MAX))).await
    })
    .await;
    let error = ended.expect_err("there is a limit");
    let Ending::NotSpawned { reason } = error.ending() else {
        panic!("{error}")
    };
    let levels = format!("{DEPTH} levels");
    assert!(
        reason.contains("max_depth") && reason.contains(&levels),
        "{error}"
    );
    // Nobody was refused before.
    let refused = format!("level {}", DEPTH + 1);
    assert!(error.origin().name().ends_with(&refused), "{error}");
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

/// Starts the next level, with or without somebody beside it who only waits.
#[tractor::rpc]
async fn go_deeper(level: u32, seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        if chance.coin() {
            let beside = nursery.start_actor(format!("beside level {}", level + 1));
            let beside = beside.transport(near_or_far(&mut chance)).await?;
            async_std::task::spawn(beside.run(idle()));
        }
        chance.pause(5).await;
        let next = nursery.start_actor(format!("level {}", level + 1));
        let next = next.transport(near_or_far(&mut chance)).await?;
        next.run(go_deeper(level + 1, chance.below(u64::MAX))).await
    })
    .await
}

/// How many children an actor may have.
const WIDTH: u32 = 5;

/// Fault 33. An actor starts more than it may, at once and in two nurseries. Those beyond the
/// limit are refused by name, the others live.
#[tractor::test(max_children = WIDTH, timeout = 600)]
async fn f33_fork_bomb_in_width_meets_its_limit() -> tractor::Result<()> {
    with_seeds("f33_fork_bomb_in_width_meets_its_limit", bomb_in_width).await
}

async fn bomb_in_width(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let before = 1 + chance.below(u64::from(WIDTH) - 1);
    let left = u64::from(WIDTH) - before;
    let beyond = 1 + chance.below(4);
    open_nursery(async |outer| {
        let starts = start_many(outer, before, &mut chance).await;
        assert!(starts.iter().all(Result::is_ok), "{starts:?}");
        open_nursery(async |inner| {
            let starts = start_many(inner, left + beyond, &mut chance).await;
            let refused: Vec<_> = starts
                .iter()
                .filter_map(|start| start.as_ref().err())
                .collect();
            assert_eq!(refused.len() as u64, beyond, "{refused:?}");
            for error in refused {
                let Ending::NotSpawned { reason } = error.ending() else {
                    panic!("{error}")
                };
                let children = format!("{WIDTH} children");
                assert!(
                    reason.contains("max_children") && reason.contains(&children),
                    "{error}"
                );
            }
            inner.cancel();
            tractor::Ok(())
        })
        .await?;
        // Those that are gone do not count.
        let starts = start_many(outer, 1 + chance.below(left), &mut chance).await;
        assert!(starts.iter().all(Result::is_ok), "{starts:?}");
        outer.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Starts so many at about the same time.
async fn start_many(
    nursery: &Nursery,
    n: u64,
    chance: &mut Chance,
) -> Vec<Result<u32, tractor::Error>> {
    let starts = (0..n).map(|number| {
        let start = nursery.start_actor(format!("worker {number}"));
        let start = start.transport(near_or_far(chance));
        let delay = chance.delay(10);
        async move {
            async_std::task::sleep(delay).await;
            let worker = start.await?;
            async_std::task::spawn(worker.run(idle()));
            worker.run(pid()).await
        }
    });
    let starts: Vec<_> = starts.collect();
    join_all(starts).await
}
