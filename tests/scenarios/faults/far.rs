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
use tractor_ipc::limits::{FRAME_HEADER_BYTES, HANDSHAKE_MS_MAX};
use tractor_ipc::{Kind, TreeSecret, frame};

use super::birth::{assert_no_child, cancelled_after};
use super::raw::{
    address, answers_a_ping, as_peer, closed, frame_of, local, next, peer, raw, write,
};
use crate::calls::{idle, pid, strangeness, tasks_running};
use crate::chance::Chance;
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, hold, kill, within};

/// Every station of a far child's boot.
const STATIONS: [&str; 6] = [
    "boot.detected",
    "boot.entered",
    "boot.invited",
    "boot.connected",
    "boot.spec",
    "boot.ready",
];

/// Those before it connects.
const UNCONNECTED: [&str; 3] = ["boot.detected", "boot.entered", "boot.invited"];

fn linked(is_far: bool) -> Transport {
    match is_far {
        true => Transport::LoopbackTcp,
        false => Transport::Inherited,
    }
}

/// The plan of what happens at a station, and not as soon as it is reached.
fn after_a_while(chance: &mut Chance, station: &str, action: &str) -> String {
    let millis = chance.below(8);
    format!("{station}=delay:{millis}ms; {station}={action}")
}

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
pub(crate) async fn f01_far_child_that_dies_on_its_way_is_told_with_its_status(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let ways = [("kill", Some(9), None), ("exit:0", None, Some(0))];
    let deaths = STATIONS.map(|station| ways.map(|way| (station, way)));
    let mut deaths = deaths.concat();
    chance.shuffle(&mut deaths);
    open_nursery(async |nursery| {
        for (station, (action, signal, code)) in deaths {
            let plan = after_a_while(&mut chance, station, action);
            let begin = Instant::now();
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
pub(crate) async fn f32_far_start_without_a_socket_leaves_nothing(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let (before, error) = (chance.below(3), chance.pick(&["EMFILE", "ENFILE"]));
        let plan = format!("start.listen@{}#middle=error:{error}", before + 1);
        let middle = nursery.start_actor("middle");
        let middle = middle.env("TRACTOR_FAULTS", &plan).await?;
        let text = middle.run(start_until_refused(before)).await?;
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

/// Starts so many far actors, then one that is refused, and gives why, and then one that is not.
#[tractor::rpc]
async fn start_until_refused(before: u64) -> tractor::Result<String> {
    for _ in 0..before {
        start_wanted().await?;
    }
    let refused = open_nursery(async |nursery| far(nursery.start_actor("wanted"), "").await).await;
    let error = refused.expect_err("there is no socket");
    let Ending::NotSpawned { .. } = error.ending() else {
        panic!("{error}")
    };
    assert_no_child();
    start_wanted().await?;
    Ok(error.to_string())
}

/// Starts one that is not refused.
async fn start_wanted() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let wanted = far(nursery.start_actor("wanted"), "").await?;
        assert_eq!(wanted.run(pid()).await?, wanted.pid());
        wanted.cancel_actor().await
    })
    .await
}

/// A child is stopped at each station, so that it neither becomes ready nor dies. Giving the start
/// up ends it, and so does a cancel of the nursery.
pub(crate) async fn f01_far_child_that_stops_on_its_way_ends_with_its_start(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut stations = STATIONS;
    chance.shuffle(&mut stations);
    for station in stations {
        let plan = after_a_while(&mut chance, station, "stop");
        let begin = Instant::now();
        open_nursery(async |nursery| {
            let start = far(nursery.start_actor("given up"), &plan);
            let started = tractor::move_on_after(chance.delay(100), start.into_future()).await;
            assert!(started.is_none(), "{plan}");
            // Somebody may just be accepted; then the listener is there a moment longer.
            eventually("it is forgotten", async || {
                nursery.statistics().children.is_empty()
            })
            .await;
            assert!(ports().len() <= 1, "only the root's own: {:?}", ports());
            let start = far(nursery.start_actor("cancelled"), &plan);
            let started = cancelled_after(chance.delay(30), nursery, start).await;
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
pub(crate) async fn f01_far_child_that_is_cancelled_on_its_way_is_asked_to_end(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    for _ in 0..20 {
        let (station, millis) = (chance.pick(&UNCONNECTED), 20 + chance.below(60));
        // One that is asked leaves with this code, which no signal gives.
        let plan = format!("{station}=delay:{millis}ms; stop.received=exit:77");
        let ended = open_nursery(async |nursery| {
            let start = far(nursery.start_actor("late"), &plan);
            cancelled_after(Duration::ZERO, nursery, start)
                .await
                .map(drop)
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
async fn awaited(
    nursery: &Nursery,
    chance: &mut Chance,
) -> (JoinHandle<tractor::Result<Portal>>, Address) {
    let before = ports();
    let plan = format!("{}=stop", chance.pick(&UNCONNECTED));
    let start = far(nursery.start_actor("awaited"), &plan);
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

/// Somebody who comes where a far child is awaited.
#[derive(Debug, Clone, Copy)]
enum Stranger {
    /// Sends bytes that are nothing.
    Garbage,
    /// Sends a frame that is none of a handshake.
    Unasked,
    /// Is of another tree.
    Unproven,
    /// Is of this tree and called as the child is.
    Namesake,
}

const STRANGERS: [Stranger; 4] = [
    Stranger::Garbage,
    Stranger::Unasked,
    Stranger::Unproven,
    Stranger::Namesake,
];

/// Has a stranger come, who is not let in.
async fn is_refused(stranger: Stranger, address: &Address, chance: &mut Chance) {
    let other_tree = Local {
        secret: TreeSecret::fresh(),
        ..local("awaited")
    };
    match stranger {
        Stranger::Garbage => says_and_is_closed(&garbage(chance), address).await,
        Stranger::Unasked => {
            let kinds = [Kind::Ready, Kind::Spec, Kind::Start, Kind::Stop, Kind::Ping];
            let unasked = frame::header(*chance.pick(&kinds), 0, 0);
            says_and_is_closed(&unasked, address).await;
        }
        Stranger::Unproven => {
            let refused = as_peer(address, other_tree).await;
            refused.expect_err("it proves nothing");
        }
        Stranger::Namesake => {
            let refused = as_peer(address, local("awaited")).await;
            refused.expect_err("it is a namesake");
        }
    }
}

async fn says_and_is_closed(bytes: &[u8], address: &Address) {
    let stranger = raw(address);
    write(&stranger, bytes).expect("it is open");
    assert!(closed(stranger, PROMPT).await.is_empty());
}

/// Bytes by chance that claim to be more than a handshake ever says: nobody waits for the rest.
fn garbage(chance: &mut Chance) -> Vec<u8> {
    let length = FRAME_HEADER_BYTES as u64 + chance.below(100);
    let mut bytes: Vec<_> = (0..length).map(|_| chance.below(256) as u8).collect();
    bytes[3] |= 1;
    bytes
}

/// While a far child is stopped on its way others come to where it is awaited: silent ones, ones
/// that send garbage, actors of the tree that are not the child, and some of another tree. Each is
/// refused; the child comes in when it comes, and the door is closed behind it.
pub(crate) async fn f22_strangers_do_not_come_in_for_a_far_child(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        // The root listens from now on.
        let first = far(nursery.start_actor("first"), "").await?;
        let before = ports();
        assert_eq!(before.len(), 1, "the root's own");
        let (start, address) = awaited(nursery, &mut chance).await;

        let silent = raw(&address);
        let mut strangers = STRANGERS;
        chance.shuffle(&mut strangers);
        for stranger in strangers {
            is_refused(stranger, &address, &mut chance).await;
        }

        // More than may be there without a proof: who has had the longest time for it has to go.
        let crowd = 256 + chance.below(16);
        let crowd: Vec<_> = (0..crowd).map(|_| raw(&address)).collect();
        assert!(closed(silent, PROMPT).await.is_empty());

        let child = booting(nursery);
        eventually("it has stopped", async || child.state() == Some('T')).await;
        chance.pause(10).await;
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

/// Somebody who says nothing where a far child is awaited, or not the whole of a hello, is sent
/// away after the time of a handshake, and the child can still come.
pub(crate) async fn f18_silent_stranger_is_sent_away_and_the_far_child_comes(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let first = far(nursery.start_actor("first"), "").await?;
        let (start, address) = awaited(nursery, &mut chance).await;
        let mut strangers = vec![raw(&address)];
        let hello = frame::header(Kind::Hello, 0, 200);
        for _ in 0..chance.below(4) {
            let hesitant = raw(&address);
            let length = 1 + chance.below(hello.len() as u64) as usize;
            write(&hesitant, &hello[..length]).expect("it is open");
            strangers.push(hesitant);
        }
        let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
        for stranger in strangers {
            assert!(closed(stranger, 2 * limit).await.is_empty());
        }
        chance.pause(10).await;
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

/// Starts a child, far or not, and waits for its end.
#[tractor::rpc]
async fn start_below(is_far: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.start_actor("below");
        let below = start.transport(linked(is_far)).await?;
        below.run(idle()).await
    })
    .await
}

/// The parent of a far child is killed at every moment of the start, also when the child stands
/// still on its way. Nobody is left.
pub(crate) async fn f07_far_child_whose_parent_is_killed_is_gone(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut cases = [
        ("start.invited#middle", None),
        ("start.invited#middle", Some("boot.invited#below")),
        ("start.connected#middle", None),
        ("start.connected#middle", Some("boot.spec#below")),
    ];
    chance.shuffle(&mut cases);
    for (station, stopped) in cases {
        let below = match stopped {
            Some(stopped) => format!("{stopped}=stop"),
            None => format!("boot.invited#below=delay:{}ms", chance.below(8)),
        };
        let plan = after_a_while(&mut chance, station, "kill") + "; " + &below;
        let begin = Instant::now();
        let ended = open_nursery(async |nursery| {
            let middle = nursery.start_actor("middle").env("TRACTOR_FAULTS", &plan);
            middle.await?.run(start_below(true)).await
        })
        .await;
        let error = ended.expect_err("it is killed");
        assert_eq!(error.signal(), Some(9), "{plan}: {error}");
        within(begin, BOUNDED, &plan);
        assert_alone();
    }
    Ok(())
}

/// A far actor is killed that has others below it, and so is the near parent of one.
pub(crate) async fn f07_killed_far_actor_takes_its_subtree_along(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    // Who is far: who is killed, and who is below.
    let mut cases = [(true, true), (true, false), (false, true)];
    chance.shuffle(&mut cases);
    for (is_far, has_far) in cases {
        let ended = open_nursery(async |nursery| {
            let middle = nursery.start_actor("middle").transport(linked(is_far));
            let middle = middle.await?;
            let process = hold(middle.pid());
            let run = async_std::task::spawn(middle.run(start_below(has_far)));
            tractor::wait_for_actor("below").await?;
            chance.pause(5).await;
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
pub(crate) async fn f20_reset_inside_a_frame_ends_its_link_only(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let worker = far(nursery.start_actor("worker"), "").await?;
        let other = peer(&address(&worker)).await;
        let before = worker.run(sockets()).await?;
        let cut = [&frame::header(Kind::Start, 6, 1000)[..], &[1; 500]].concat();
        let any = 1 + chance.below(cut.len() as u64) as usize;
        let mut lengths = [1, 4, 13, 14, cut.len(), any];
        chance.shuffle(&mut lengths);
        for (turn, length) in lengths.into_iter().enumerate() {
            let mut channel = peer(&address(&worker)).await;
            let whole = match turn {
                0 => frame_of(Kind::Ping, 5, &[]),
                _ => vec![],
            };
            let bytes = [&whole, &cut[..length]].concat();
            write(&channel, &bytes).expect("it is open");
            // It is read before it is reset, or not; the first one is.
            chance.pause(3).await;
            if turn == 0 {
                channel = next(channel).await.0;
            }
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
        // Those whose first bytes were read before the reset.
        let (broken, ignored) = worker.run(strangeness()).await?;
        assert!(
            (1..=6).contains(&broken) && ignored == 0,
            "{broken}, {ignored}"
        );
        assert_eq!(worker.run(tasks_running()).await?, 0);
        worker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}
