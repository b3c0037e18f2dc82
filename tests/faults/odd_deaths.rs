//! Faults 11, 34, 40, 48: deaths that are not what they look like, or hide.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::io::FdFlags;
use rustix::process::{PidfdGetfdFlags, WaitOptions};
use tractor::{Ending, open_nursery};
use tractor_core::process::Process;
use tractor_core::process::census::open_fds;

use crate::calls::{die, idle};
use crate::tree::{BOUNDED, PROMPT, assert_alone, eventually, hold, kill, note, within};

/// Fault 11. User code leaves by `exit(0)` in the middle of a call. That is no success: the
/// caller is told that the actor exited, with the code and the call.
#[tractor::test]
async fn exit_inside_a_call_is_no_success() -> tractor::Result<()> {
    for code in [0, 3, 70] {
        let ended = open_nursery(async |nursery| {
            let hasty = nursery.start_actor("hasty").await?;
            hasty.run(leave(code)).await
        })
        .await;
        let error = ended.expect_err("it did not answer");
        assert!(matches!(error.ending(), Ending::Exited { .. }), "{error}");
        assert_eq!(
            (error.exit_code(), error.origin().name()),
            (Some(code), "hasty"),
            "{error}"
        );
        assert_eq!(error.call(), Some("faults::odd_deaths::leave"), "{error}");
    }
    assert_alone();
    Ok(())
}

#[tractor::rpc]
#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
async fn leave(code: i32) {
    std::process::exit(code)
}

/// Fault 34. The kernel kills an actor that takes too much memory. It is told as signal 9, its
/// siblings are cancelled, and the root is not harmed.
#[tractor::test]
async fn actor_out_of_memory_is_told_by_its_signal() -> tractor::Result<()> {
    let Some(group) = MemoryGroup::make(48 << 20) else {
        // Where limits of memory cannot be set, the signal alone has to do.
        note("no memory control group can be made here: the signal is sent by hand");
        let ended = open_nursery(async |nursery| {
            nursery
                .start_actor("greedy")
                .await?
                .run(die())
                .await
                .map(drop)
        })
        .await;
        assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
        return Ok(());
    };
    let ended = open_nursery(async |nursery| {
        let greedy = nursery.start_actor("greedy").await?;
        group.enter(greedy.pid());
        greedy.run(take_memory(1 << 30)).await
    })
    .await;
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "greedy"),
        "{error}"
    );
    assert_eq!(
        error.call(),
        Some("faults::odd_deaths::take_memory"),
        "{error}"
    );
    assert_alone();
    Ok(())
}

/// Takes and touches so much memory, and gives a byte of it.
#[tractor::rpc]
async fn take_memory(bytes: usize) -> u8 {
    let taken = vec![1_u8; bytes];
    taken[bytes / 2]
}

/// A control group with a limit of memory. It goes with the value, once it is empty.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn make(bytes: u64) -> Option<Self> {
        let name = format!("tractor-test-{}", std::process::id());
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
/// children are seen all the same; how they died is known, or is said to be lost.
#[tractor::test]
async fn stolen_exit_status_is_said_to_be_lost() -> tractor::Result<()> {
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let careless = nursery.start_actor("careless").await?;
        let told = careless.run(steal_and_lose(8)).await?;
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

/// Starts and kills a child so many times while a thread reaps blindly, and gives what was told.
#[tractor::rpc]
async fn steal_and_lose(times: u32) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..times {
        let ended = open_nursery(async |nursery| {
            let mortal = nursery.start_actor("mortal").await?;
            let thief = std::thread::spawn(|| rustix::process::wait(WaitOptions::empty()));
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

/// Fault 48. A program that an actor started has the actor's link open and is in a session of its
/// own, so that neither the end of the link comes nor the end of the group reaches it. The death
/// of the actor is told all the same.
#[tractor::test]
async fn death_is_told_although_the_link_stays_open() -> tractor::Result<()> {
    let mut foreign = None;
    let mut begin = Instant::now();
    let ended = open_nursery(async |nursery| {
        let leaky = nursery.start_actor("leaky").await?;
        let call = async_std::task::spawn(leaky.run(idle()));
        let sleeper = leaky.run(leak_link()).await?;
        foreign = Some(hold(sleeper));
        eventually("the program has a session of its own", async || {
            fs::read_to_string(format!("/proc/{sleeper}/comm")).is_ok_and(|comm| comm == "sleep\n")
        })
        .await;
        begin = Instant::now();
        kill(&hold(leaky.pid()));
        call.await
    })
    .await;
    within(begin, PROMPT, "a death behind an open link");
    let error = ended.expect_err("it was killed");
    assert_eq!(
        (error.signal(), error.origin().name()),
        (Some(9), "leaky"),
        "{error}"
    );
    let foreign = foreign.expect("it was started");
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
    assert_alone();
    Ok(())
}

/// Starts a program that inherits this actor's link, and gives its pid.
#[tractor::rpc]
async fn leak_link() -> u32 {
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
    let sleeper = command("setsid").args(["sleep", "100"]).spawn();
    sleeper.expect("setsid is there").id()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that is no actor is what is tested"
)]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}
