//! T08, T09, T35, T36, T38: children that are being started, and what they are given.

use std::fs::File;
use std::time::Instant;

use futures::future::join_all;
use tractor::{Ending, Refusal, StdioSpec, Transport, open_nursery};
use tractor_core::process::census::open_fds;

use crate::calls::pid;
use crate::chance::{Chance, give_up_after};
use crate::tree::{BOUNDED, PROMPT, assert_alone, ms, within};

/// T08. A start is given up at any moment, before there is a process, before it is ready, after.
/// Nobody is left when the nursery has returned, and others start as if nothing had been.
pub(crate) async fn t08_start_given_up_leaves_nobody(seed: u64) -> tractor::Result<()> {
    starts_given_up(seed, Transport::Inherited).await
}

/// T08 of children that connect back.
pub(crate) async fn t08_far_start_given_up_leaves_nobody(seed: u64) -> tractor::Result<()> {
    starts_given_up(seed, Transport::LoopbackTcp).await
}

async fn starts_given_up(seed: u64, transport: Transport) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    for _ in 0..6 {
        let (limit, lag) = (chance.delay(12), chance.coin());
        let begin = Instant::now();
        open_nursery(async |nursery| {
            let mut start = nursery.start_actor("given up").transport(transport);
            if lag {
                start = start.env("TRACTOR_FAULTS", "boot.spec=delay:20ms");
            }
            if let Some(started) = give_up_after(limit, start.into_future()).await {
                started?.cancel_actor().await?;
            }
            tractor::Ok(())
        })
        .await?;
        within(begin, PROMPT, "giving a start up");
        assert_alone();
    }
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("next").transport(transport).await?;
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await
}

/// T09. A child dies at one of the stations of its boot. Whoever starts it is told so, with the
/// status, at once and not after a time-out; the nursery goes on.
pub(crate) async fn t09_death_while_booting_is_told_at_once(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let points = ["boot.detected", "boot.entered", "boot.spec", "boot.ready"];
    open_nursery(async |nursery| {
        for _ in 0..4 {
            let point = chance.pick(&points);
            let killed = chance.coin();
            let plan = format!("{point}={}", if killed { "kill" } else { "exit:3" });
            let begin = Instant::now();
            let start = nursery
                .start_actor("stillborn")
                .env("TRACTOR_FAULTS", &plan);
            let error = start.await.expect_err("it cannot become ready");
            within(begin, PROMPT, &plan);
            assert!(
                matches!(error.ending(), Ending::DiedBeforeReady { .. }),
                "{plan}: {error}"
            );
            let told = (error.signal(), error.exit_code());
            assert_eq!(
                told,
                if killed {
                    (Some(9), None)
                } else {
                    (None, Some(3))
                },
                "{plan}"
            );
            assert_eq!(error.origin().name(), "stillborn");
        }
        let worker = nursery.start_actor("born").await?;
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// T35. Children are being started while the nursery is cancelled. Each start ends, in an actor
/// that is cancelled too or in a refusal; nobody waits for a child that nobody cancels.
pub(crate) async fn t35_start_during_cancel_is_cancelled_or_refused(
    seed: u64,
) -> tractor::Result<()> {
    starts_during_cancel(seed, Transport::Inherited).await
}

/// T35 of children that connect back.
pub(crate) async fn t35_far_start_during_cancel_is_cancelled_or_refused(
    seed: u64,
) -> tractor::Result<()> {
    starts_during_cancel(seed, Transport::LoopbackTcp).await
}

async fn starts_during_cancel(seed: u64, transport: Transport) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let delays: Vec<_> = (0..6).map(|_| chance.delay(10)).collect();
        let starts = join_all(delays.iter().enumerate().map(|(number, delay)| async move {
            async_std::task::sleep(*delay).await;
            let start = nursery.start_actor(format!("late {number}"));
            start.transport(transport).await
        }));
        let cancel = async {
            chance.clone().pause(10).await;
            nursery.cancel();
        };
        let (starts, ()) = futures::join!(starts, cancel);
        for error in starts.into_iter().filter_map(Result::err) {
            let refused = matches!(error.ending(), Ending::Refused(Refusal::NurseryClosed));
            assert!(refused || error.is_cancelled(), "{error}");
        }
        let refused = nursery
            .start_actor("too late")
            .await
            .expect_err("it is cancelled");
        assert!(
            matches!(refused.ending(), Ending::Refused(Refusal::NurseryClosed)),
            "{refused}"
        );
        tractor::Ok(())
    })
    .await?;
    within(
        begin,
        PROMPT,
        "cancelling a nursery that is starting children",
    );
    assert_alone();
    Ok(())
}

/// T36. A child writes more than a pipe holds to one that nobody empties, and hangs in the write.
/// Its parent waits for its exit, and gets it.
pub(crate) async fn t36_full_pipe_does_not_hold_up_the_end(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let (reader, writer) = std::io::pipe().expect("a descriptor is free");
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let start = nursery
            .start_actor("writer")
            .stdout(StdioSpec::Fd(writer.into()));
        let writer = start.await?;
        let writing = writer.run(write_out(1 << 20));
        assert!(give_up_after(chance.delay(50), writing).await.is_none());
        writer.cancel_actor_within(ms(400)).await
    })
    .await?;
    within(begin, BOUNDED, "ending an actor that hangs in a write");
    drop(File::from(std::os::fd::OwnedFd::from(reader)));
    assert_alone();
    Ok(())
}

/// T38. A child inherits its link and nothing else: none of the root's sockets is open in it.
pub(crate) async fn t38_child_inherits_no_socket(_seed: u64) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let first = nursery.start_actor("first").await?;
        let second = nursery.start_actor("second").await?;
        let ours = sockets();
        assert!(!ours.is_empty(), "the root has links");
        for child in [&first, &second] {
            let theirs = child.run(sockets_here()).await?;
            let shared: Vec<_> = theirs
                .iter()
                .filter(|socket| ours.contains(socket))
                .collect();
            assert!(shared.is_empty(), "{child:?} has {shared:?} of the root's");
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn sockets_here() -> Vec<String> {
    sockets()
}

fn sockets() -> Vec<String> {
    let fds = open_fds().expect("a process may list its descriptors");
    let targets = fds.into_iter().map(|fd| fd.target.display().to_string());
    targets
        .filter(|target| target.starts_with("socket:"))
        .collect()
}

/// Writes so many bytes to standard output, however long that takes.
#[tractor::rpc]
async fn write_out(bytes: usize) {
    use std::io::Write;
    let line = "x".repeat(79) + "\n";
    let mut out = std::io::stdout().lock();
    for _ in 0..bytes / line.len() {
        out.write_all(line.as_bytes())
            .expect("somebody has the pipe open");
    }
}
