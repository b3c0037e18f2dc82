//! Faults 11, 34, 40, 48: deaths that are not what they look like, or hide.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use rustix::process::{PidfdGetfdFlags, WaitOptions};
use tractor::{Ending, OutOfMemory, open_nursery};
use tractor_core::process::Process;
use tractor_core::process::census::open_fds;

use super::birth::near_or_far;
use crate::calls::{die, idle};
use crate::chance::Chance;
use crate::seeds::hold_back;
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, assert_killed, eventually, hold, kill, ms, note, within,
};

/// Fault 11. User code leaves by `exit(0)` in the middle of a call. That is no success: the
/// caller is told that the actor exited, with the code and the call.
pub(crate) async fn f11_exit_inside_a_call_is_no_success(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    // Below the code of an actor that has lost its link, which would be told as that.
    let any = 1 + chance.below(170) as i32;
    let mut codes = [0, 3, 70, any];
    chance.shuffle(&mut codes);
    for code in codes {
        // At once, or when the call has waited.
        let micros = chance.coin().then(|| chance.below(3000));
        let ended = open_nursery(async |nursery| {
            let hasty = nursery.start_actor("hasty");
            let hasty = hasty.transport(near_or_far(&mut chance)).await?;
            hasty.run(leave(code, micros)).await
        })
        .await;
        let error = ended.expect_err("it did not answer");
        assert!(matches!(error.ending(), Ending::Exited { .. }), "{error}");
        assert_eq!(
            (error.exit_code(), error.origin().name()),
            (Some(code), "hasty"),
            "{error}"
        );
        assert_eq!(
            error.call(),
            Some("scenarios::faults::odd_deaths::leave"),
            "{error}"
        );
        let (text, said) = (error.to_string(), format!("exited with code {code}"));
        assert!(text.contains("'hasty'") && text.contains(&said), "{text}");
    }
    assert_alone();
    Ok(())
}

#[tractor::rpc]
#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
async fn leave(code: i32, micros: Option<u64>) {
    if let Some(micros) = micros {
        async_std::task::sleep(Duration::from_micros(micros)).await;
    }
    std::process::exit(code)
}

/// Fault 34. The kernel kills an actor that takes too much memory. It is told as signal 9, its
/// siblings are cancelled, and the root is not harmed.
pub(crate) async fn f34_actor_out_of_memory_is_told_by_its_signal(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let group = MemoryGroup::make(seed, (48 + chance.below(32)) << 20);
    let ended = open_nursery(async |nursery| {
        for _ in 0..chance.below(3) {
            let sibling = nursery.start_actor("sibling");
            let sibling = sibling.transport(near_or_far(&mut chance)).await?;
            async_std::task::spawn(sibling.run(idle()));
        }
        let greedy = nursery.start_actor("greedy");
        let greedy = greedy.transport(near_or_far(&mut chance)).await?;
        chance.pause(5).await;
        let Some(group) = &group else {
            // Where limits of memory cannot be set, the signal alone has to do.
            note("no memory control group can be made here: the signal is sent by hand");
            return greedy.run(die()).await.map(drop);
        };
        group.enter(greedy.pid());
        let piece = 1_usize << (16 + chance.below(15));
        greedy.run(take_memory(1 << 30, piece)).await.map(drop)
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "greedy");
    let call = match group {
        Some(_) => "scenarios::faults::odd_deaths::take_memory",
        None => "scenarios::calls::die",
    };
    assert_eq!(error.call(), Some(call), "{error}");
    assert_alone();
    Ok(())
}

/// Fault 34. An actor whose control group counts what the kernel kills has a child that takes too
/// much memory, and one that somebody kills before or after that. The error of the one says that it
/// was for memory, that of the other does not.
pub(crate) async fn f34_kill_for_memory_is_told_as_one(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let Some(group) = MemoryGroup::make(seed, (64 + chance.below(32)) << 20) else {
        note("no memory control group can be made here: nothing can be shown");
        return Ok(());
    };
    let piece = 1_usize << (16 + chance.below(15));
    let mut kinds = [true, false, true, false];
    chance.shuffle(&mut kinds);
    open_nursery(async |nursery| {
        // Its children begin in its group.
        let middle = nursery.start_actor("middle").await?;
        group.enter(middle.pid());
        for is_greedy in kinds {
            let (told, text) = middle.run(lose_a_child(is_greedy, piece)).await?;
            let expected = is_greedy.then_some(OutOfMemory::Counted);
            assert_eq!(told, expected, "{text}");
            let says = text.contains("counted an out-of-memory kill");
            assert_eq!(says, is_greedy, "{text}");
        }
        middle.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Has a child that dies of SIGKILL, the kernel's or somebody's, and gives what its error says.
#[tractor::rpc]
async fn lose_a_child(is_greedy: bool, piece: usize) -> (Option<OutOfMemory>, String) {
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let child = nursery.start_actor("child").await?;
        match is_greedy {
            true => child.run(take_memory(1 << 30, piece)).await.map(drop),
            false => child.run(die()).await.map(drop),
        }
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(error.signal(), Some(9), "{error}");
    (error.out_of_memory(), error.to_string())
}

/// Takes and touches so much memory piece by piece, and gives a byte of it.
#[tractor::rpc]
async fn take_memory(bytes: usize, piece: usize) -> u8 {
    let taken: Vec<_> = (0..bytes / piece).map(|_| vec![1_u8; piece]).collect();
    taken[taken.len() / 2][piece / 2]
}

/// A control group with a limit of memory. It goes with the value, once it is empty.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn make(seed: u64, bytes: u64) -> Option<Self> {
        // One that the kernel has not emptied yet may stay, so the next is called otherwise.
        let name = format!("tractor-test-{}-{seed}", std::process::id());
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        places.iter().find_map(|(place, limit)| {
            let dir = Path::new(place).join(&name);
            fs::create_dir(&dir).ok()?;
            let group = Self(dir);
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            // Where there is swap it would take that first.
            let _ = fs::write(group.0.join("memory.swap.max"), "0");
            let _ = fs::write(
                group.0.join("memory.memsw.limit_in_bytes"),
                bytes.to_string(),
            );
            Some(group)
        })
    }

    fn enter(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("the group is ours");
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // It fails only if the test has, and somebody is in it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Fault 40. User code in an actor reaps whatever child it finds. The deaths of the actor's
/// children are seen all the same; how they died is known, or is said to be lost. The first one's
/// status is always stolen, of the others it is a matter of who is faster.
pub(crate) async fn f40_stolen_exit_status_is_said_to_be_lost(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        let careless = nursery.start_actor("careless");
        let careless = careless.transport(near_or_far(&mut chance));
        let plan = format!("start.launched=delay:{HELD_UP_MS}ms");
        let careless = careless.env("TRACTOR_FAULTS", plan).await?;
        let told = careless.run(lose_for_certain(chance.below(5))).await?;
        let says = "died before it was ready: it ended, and something else took its exit status";
        assert!(told.contains(says), "{told}");
        begin = Instant::now();
        let told = careless.run(steal_and_lose(8, seed)).await?;
        let lost = told
            .iter()
            .filter(|text| text.contains("took its exit status"))
            .count();
        let known = told.iter().filter(|text| text.contains("signal 9")).count();
        note(&format!("{lost} lost and {known} known: {told:?}"));
        assert_eq!(lost + known, told.len(), "{told:?}");
        careless.cancel_actor().await
    })
    .await?;
    within(begin, BOUNDED, "eight deaths");
    assert_alone();
    Ok(())
}

/// How long the first start of a careless actor is held up when there is a process, which nobody
/// waits for meanwhile: far longer than that needs to begin and to die.
const HELD_UP_MS: u64 = 2_000;

/// Starts a child that dies early in its boot, so many milliseconds after its begin, while a thread
/// reaps blindly and the start is held up. Gives what is told of the death.
#[tractor::rpc]
async fn lose_for_certain(lag: u64) -> String {
    let pidfds = count_pidfds();
    let thief = std::thread::spawn(move || steal_one(pidfds));
    let ended: tractor::Result<()> = open_nursery(async |nursery| {
        let plan = format!("boot.detected=delay:{lag}ms; boot.entered=kill");
        let mortal = nursery.start_actor("mortal").env("TRACTOR_FAULTS", plan);
        mortal.await.map(drop)
    })
    .await;
    thief.join().expect("it only reaps");
    ended.expect_err("it was killed").to_string()
}

/// Reaps one child, once this process holds more of them than `pidfds` by descriptor: who is reaped
/// before has never been started.
fn steal_one(pidfds: usize) {
    let begin = Instant::now();
    while count_pidfds() <= pidfds {
        within(begin, BOUNDED, "holding a child");
        hold_back(ms(1));
    }
    let stolen = rustix::process::wait(WaitOptions::empty());
    assert!(stolen.is_ok_and(|stolen| stolen.is_some()));
}

fn count_pidfds() -> usize {
    let fds = open_fds().expect("a process may list its descriptors");
    let targets = fds.iter().map(|fd| fd.target.to_string_lossy());
    targets.filter(|target| target.contains("pidfd")).count()
}

/// Starts and kills a child so many times while a thread reaps blindly, or begins to, and gives
/// what was told.
#[tractor::rpc]
async fn steal_and_lose(times: u32, seed: u64) -> Vec<String> {
    let mut chance = Chance::new(seed);
    let mut told = Vec::new();
    for _ in 0..times {
        let late = chance.delay(3);
        let ended = open_nursery(async |nursery| {
            let mortal = nursery.start_actor("mortal");
            let mortal = mortal.transport(near_or_far(&mut chance)).await?;
            let thief = std::thread::spawn(move || {
                hold_back(late);
                rustix::process::wait(WaitOptions::empty())
            });
            chance.pause(3).await;
            let death = mortal.run(die()).await.map(drop);
            drop(thief);
            death
        })
        .await;
        let error: tractor::Error = ended.expect_err("it was killed");
        assert!(error.is_death(), "{error}");
        told.push(error.to_string());
    }
    told
}

/// Fault 48. Programs that an actor started have the actor's link open and are in sessions of their
/// own, so that neither the end of the link comes nor the end of the group reaches them. The death
/// of the actor is told all the same.
pub(crate) async fn f48_death_is_told_although_the_link_stays_open(
    seed: u64,
) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut foreign = Vec::new();
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let leaky = nursery.start_actor("leaky").await?;
        let call = async_std::task::spawn(leaky.run(idle()));
        for sleeper in leaky.run(leak_link(1 + chance.below(3))).await? {
            foreign.push(hold(sleeper));
            eventually("the program has a session of its own", async || {
                let comm = fs::read_to_string(format!("/proc/{sleeper}/comm"));
                comm.is_ok_and(|comm| comm == "sleep\n")
            })
            .await;
        }
        chance.pause(10).await;
        begin = Instant::now();
        kill(&hold(leaky.pid()));
        call.await
    })
    .await;
    within(begin, PROMPT, "a death behind an open link");
    let error = ended.expect_err("it was killed");
    assert_killed(&error, "leaky");
    assert!(!foreign.is_empty(), "they were started");
    for foreign in foreign {
        assert!(
            matches!(foreign.state(), Some('S' | 'R')),
            "the program lives and has the link"
        );
        kill(&foreign);
        // It came to the root, which leaves what it does not know to whoever does.
        let pid = i32::try_from(foreign.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::waitpid(pid, WaitOptions::empty()).expect("it is our child now");
    }
    assert_alone();
    Ok(())
}

/// Starts so many programs that inherit this actor's link, and gives their pids.
#[tractor::rpc]
async fn leak_link(programs: u64) -> Vec<u32> {
    let this = Process::open(std::process::id()).expect("this process is there");
    let parent = rustix::process::getppid().expect("it is in our namespace");
    let mut leaked = Vec::new();
    for fd in open_fds().expect("a process may list its descriptors") {
        let Ok(copy) = rustix::process::pidfd_getfd(&this, fd.number, PidfdGetfdFlags::empty())
        else {
            continue;
        };
        let peer = rustix::net::sockopt::socket_peercred(&copy);
        if peer.is_ok_and(|peer| peer.pid == parent) {
            rustix::io::fcntl_setfd(&copy, FdFlags::empty()).expect("it is ours");
            leaked.push(copy);
        }
    }
    assert!(!leaked.is_empty(), "the link is one of the descriptors");
    let start = |_| {
        let sleeper = command("setsid").args(["sleep", "100"]).spawn();
        sleeper.expect("setsid is there").id()
    };
    (0..programs).map(start).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that is no actor is what is tested"
)]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}
