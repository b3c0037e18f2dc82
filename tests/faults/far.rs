//! What can go wrong while a far child connects back: it dies, stops or is given up on its way,
//! its parent does, and others come to where it is awaited.

use std::collections::BTreeSet;
use std::fs;
use std::future::IntoFuture;
use std::time::{Duration, Instant};

use async_std::task::JoinHandle;
use rustix::net::sockopt::set_socket_linger;
use tractor::{Address, Ending, Nursery, Portal, StartActor, Transport, open_nursery};
use tractor_core::process::census::{OpenFd, open_fds};
use tractor_core::process::{Process, Signal};
use tractor_ipc::handshake::Local;
use tractor_ipc::limits::HANDSHAKE_MS_MAX;
use tractor_ipc::{Kind, TreeSecret, frame};

use crate::birth::{assert_no_child, cancelled_while_booting};
use crate::calls::{idle, pid, strangeness, tasks_running};
use crate::raw::{address, answers_a_ping, as_peer, closed, local, peer, raw, write};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, hold, kill, ms, within};

/// Every station of a far child's boot.
const STATIONS: [&str; 6] = [
    "boot.detected",
    "boot.entered",
    "boot.invited",
    "boot.connected",
    "boot.spec",
    "boot.ready",
];

fn far(start: StartActor, plan: &str) -> StartActor {
    let start = start.transport(Transport::LoopbackTcp);
    start.env("TRACTOR_FAULTS", plan)
}

/// The loopback ports where this process listens.
fn ports() -> BTreeSet<u16> {
    let fds = open_fds().expect("our own can be listed");
    let sockets: Vec<_> = fds.into_iter().map(|fd| fd.target).collect();
    let table = fs::read_to_string("/proc/self/net/tcp").expect("the table is there");
    let listening = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let is_ours = sockets.iter().any(|it| *it == format!("socket:[{inode}]"));
        let port = local.rsplit(':').next()?;
        (*state == "0A" && is_ours).then(|| u16::from_str_radix(port, 16).ok())?
    });
    listening.collect()
}

/// A child dies at each station, in each way. The start fails at once with the status; nothing of
/// it is left open; the nursery goes on.
#[tractor::test]
async fn far_child_that_dies_on_its_way_is_told_with_its_status() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for station in STATIONS {
            for (action, signal, code) in [("kill", Some(9), None), ("exit:0", None, Some(0))] {
                let (begin, plan) = (Instant::now(), format!("{station}={action}"));
                let start = far(nursery.start_actor("stillborn"), &plan);
                let error = start.await.expect_err("it does not become ready");
                within(begin, PROMPT, &plan);
                let Ending::DiedBeforeReady { .. } = error.ending() else {
                    panic!("{error}")
                };
                let told = (error.signal(), error.exit_code());
                assert_eq!(told, (signal, code), "{plan}: {error}");
                assert_eq!(error.origin().name(), "stillborn");
                assert!(ports().len() <= 1, "only the root's own: {:?}", ports());
            }
        }
        let worker = far(nursery.start_actor("born"), "").await?;
        assert_eq!(worker.run(pid()).await?, worker.pid());
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// The system has no socket to listen with. The start fails and says why, the process that waits
/// for an invitation is gone, and the next start works.
#[tractor::test]
async fn far_start_without_a_socket_leaves_nothing() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle");
        let middle = middle.env("TRACTOR_FAULTS", "start.listen#middle=error:EMFILE");
        let middle = middle.await?;
        let text = middle.run(start_twice()).await?;
        assert!(
            text.contains("'wanted'") && text.contains("open files"),
            "{text}"
        );
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Starts a far actor that is refused, and gives why, and then one that is not.
#[tractor::rpc]
async fn start_twice() -> tractor::Result<String> {
    let refused = open_nursery(async |nursery| far(nursery.start_actor("wanted"), "").await).await;
    let error = refused.expect_err("there is no socket");
    let Ending::NotSpawned { .. } = error.ending() else {
        panic!("{error}")
    };
    assert_no_child();
    open_nursery(async |nursery| {
        let wanted = far(nursery.start_actor("wanted"), "").await?;
        assert_eq!(wanted.run(pid()).await?, wanted.pid());
        wanted.cancel_actor().await
    })
    .await?;
    Ok(error.to_string())
}

/// A child is stopped at each station, so that it neither becomes ready nor dies. Giving the start
/// up ends it, and so does a cancel of the nursery.
#[tractor::test]
async fn far_child_that_stops_on_its_way_ends_with_its_start() -> tractor::Result<()> {
    for station in STATIONS {
        let (begin, plan) = (Instant::now(), format!("{station}=stop"));
        open_nursery(async |nursery| {
            let start = far(nursery.start_actor("given up"), &plan);
            let started = tractor::move_on_after(ms(100), start.into_future()).await;
            assert!(started.is_none(), "{plan}");
            assert!(ports().len() <= 1, "only the root's own: {:?}", ports());
            let start = far(nursery.start_actor("cancelled"), &plan);
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

/// A child that is cancelled before it has connected back is asked as soon as it has.
#[tractor::test]
async fn far_child_that_is_cancelled_on_its_way_is_asked_to_end() -> tractor::Result<()> {
    // One that is asked leaves with this code, which no signal gives.
    let plan = "boot.invited=delay:50ms; stop.received=exit:77";
    for _ in 0..20 {
        let ended = open_nursery(async |nursery| {
            let start = far(nursery.start_actor("late"), plan);
            cancelled_while_booting(nursery, start).await.map(drop)
        })
        .await;
        assert_alone();
        // On a machine that has much to do a signal may come first.
        if ended.is_err_and(|error| error.exit_code() == Some(77)) {
            return Ok(());
        }
    }
    panic!("it was never asked")
}

fn at(port: u16) -> Address {
    Address::Tcp(([127, 0, 0, 1], port).into())
}

/// Starts a far child that stops before it connects back, where the root itself listens already.
/// Gives the start, and where the child is awaited.
async fn awaited(nursery: &Nursery) -> (JoinHandle<tractor::Result<Portal>>, Address) {
    let before = ports();
    let start = far(nursery.start_actor("awaited"), "boot.invited=stop");
    let start = async_std::task::spawn(start.into_future());
    eventually("it is awaited", async || ports().len() == 2).await;
    let port = *ports().difference(&before).next().expect("one is new");
    (start, at(port))
}

/// Its process.
fn booting(nursery: &Nursery) -> Process {
    let children = nursery.statistics().children;
    let child = children.iter().find(|child| child.aid.name() == "awaited");
    hold(child.expect("it is booting").pid)
}

/// While a far child is stopped on its way others come to where it is awaited: silent ones, ones
/// that send garbage, actors of the tree that are not the child, and some of another tree. Each is
/// refused; the child comes in when it comes, and the door is closed behind it.
#[tractor::test]
async fn strangers_do_not_come_in_for_a_far_child() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        // The root listens from now on.
        let first = far(nursery.start_actor("first"), "").await?;
        let before = ports();
        assert_eq!(before.len(), 1, "the root's own");
        let (start, address) = awaited(nursery).await;

        let silent = raw(&address);
        let garbage = raw(&address);
        write(&garbage, &[0xff; 64]).expect("it is open");
        assert!(closed(garbage, PROMPT).await.is_empty());
        let unasked = raw(&address);
        write(&unasked, &frame::header(Kind::Ready, 0, 0)).expect("it is open");
        assert!(closed(unasked, PROMPT).await.is_empty());
        let unproven = Local {
            secret: TreeSecret::fresh(),
            ..local("awaited")
        };
        as_peer(&address, unproven)
            .await
            .expect_err("it proves nothing");
        as_peer(&address, local("awaited"))
            .await
            .expect_err("it is a namesake");

        // More than may be there without a proof: who has had the longest time for it has to go.
        let crowd: Vec<_> = (0..256).map(|_| raw(&address)).collect();
        assert!(closed(silent, PROMPT).await.is_empty());

        let child = booting(nursery);
        eventually("it has stopped", async || child.state() == Some('T')).await;
        let begin = Instant::now();
        child.signal(Signal::Continue).expect("it is ours");
        let awaited = start.await?;
        within(begin, PROMPT, "a silent crowd keeps nobody waiting");
        assert_eq!(awaited.run(pid()).await?, child.pid());
        assert_eq!(ports(), before, "the door is closed");
        drop(crowd);
        // The root's own takes whoever is of the tree.
        let root = at(*before.first().expect("it is there"));
        answers_a_ping(peer(&root).await).await;
        assert_eq!(first.run(pid()).await?, first.pid());
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Somebody who says nothing where a far child is awaited is sent away after the time of a
/// handshake, and the child can still come.
#[tractor::test]
async fn silent_stranger_is_sent_away_and_the_far_child_comes() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let first = far(nursery.start_actor("first"), "").await?;
        let (start, address) = awaited(nursery).await;
        let silent = raw(&address);
        let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
        assert!(closed(silent, 2 * limit).await.is_empty());
        let child = booting(nursery);
        child.signal(Signal::Continue).expect("it is ours");
        assert_eq!(start.await?.pid(), child.pid());
        drop(first);
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Starts a far child and waits for its end.
#[tractor::rpc]
async fn start_far() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.start_actor("below");
        let below = start.transport(Transport::LoopbackTcp).await?;
        below.run(idle()).await
    })
    .await
}

/// The parent of a far child is killed at every moment of the start, also when the child stands
/// still on its way. Nobody is left.
#[tractor::test]
async fn far_child_whose_parent_is_killed_is_gone() -> tractor::Result<()> {
    let plans = [
        "start.invited#middle=kill",
        "start.invited#middle=kill; boot.invited#below=stop",
        "start.connected#middle=kill",
        "start.connected#middle=kill; boot.spec#below=stop",
    ];
    for plan in plans {
        let begin = Instant::now();
        let ended = open_nursery(async |nursery| {
            let middle = nursery.start_actor("middle").env("TRACTOR_FAULTS", plan);
            middle.await?.run(start_far()).await
        })
        .await;
        let error = ended.expect_err("it is killed");
        assert_eq!(error.signal(), Some(9), "{plan}: {error}");
        within(begin, BOUNDED, plan);
        assert_alone();
    }
    Ok(())
}

/// A far actor is killed that has others below it, and so is the near parent of one.
#[tractor::test]
async fn killed_far_actor_takes_its_subtree_along() -> tractor::Result<()> {
    for is_far in [true, false] {
        let ended = open_nursery(async |nursery| {
            let transport = match is_far {
                true => Transport::LoopbackTcp,
                false => Transport::Inherited,
            };
            let middle = nursery.start_actor("middle").transport(transport).await?;
            let process = hold(middle.pid());
            let run = async_std::task::spawn(middle.run(start_far()));
            tractor::wait_for_actor("below").await?;
            kill(&process);
            run.await
        })
        .await;
        assert_eq!(ended.expect_err("it is killed").signal(), Some(9));
        assert_alone();
    }
    assert_no_child();
    Ok(())
}

/// How many sockets an actor has.
#[tractor::rpc]
async fn sockets() -> usize {
    let all = open_fds().expect("our own can be listed");
    let is_socket = |fd: &&OpenFd| fd.target.to_string_lossy().starts_with("socket:");
    all.iter().filter(is_socket).count()
}

/// Fault 20, over a network. The connection of a peer is reset inside of a frame. That link ends,
/// nothing of the frame counts, and the others go on.
#[tractor::test]
async fn reset_inside_a_frame_ends_its_link_only() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = far(nursery.start_actor("worker"), "").await?;
        let other = peer(&address(&worker)).await;
        let before = worker.run(sockets()).await?;
        let cut = [&frame::header(Kind::Start, 6, 1000)[..], &[1; 500]].concat();
        for length in [1, 4, 13, 14, cut.len()] {
            let channel = peer(&address(&worker)).await;
            write(&channel, &cut[..length]).expect("it is open");
            // What is closed like this is not closed in order.
            let linger = set_socket_linger(channel.socket(), Some(Duration::ZERO));
            linger.expect("it is a socket");
            drop(channel);
            eventually("the link has ended", async || {
                worker.run(sockets()).await.is_ok_and(|now| now == before)
            })
            .await;
        }
        answers_a_ping(other).await;
        assert_eq!(worker.run(strangeness()).await?, (5, 0));
        assert_eq!(worker.run(tasks_running()).await?, 0);
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
