//! Trees that lack something: a place for sockets, an output, their children's status.

use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

use tractor::{Options, Transport, current_actor, find_actor, get_root, open_nursery};
use tractor_core::process::{Process, Signal};

use crate::calls::{die, echo, idle, pid};
use crate::say;

/// Runs with its sockets below a directory where none can be made, and says what works.
pub(crate) fn nowhere(args: &[String]) -> tractor::Result<()> {
    let options = Options::default().runtime_dir(&args[0]);
    tractor::run(options, async || {
        say(&format!("listens {}", current_actor()?.address().is_some()));
        open_nursery(async |nursery| {
            let one = nursery.start_actor("one").await?;
            let two = nursery.start_actor("two").await?;
            say(&format!(
                "called {}",
                one.run(echo(vec![1, 2])).await? == [1, 2]
            ));
            say(&format!(
                "root {}",
                one.run(call_root()).await? == std::process::id()
            ));
            let sibling = one.run(call_sibling("two".into())).await;
            say(&format!(
                "sibling {}",
                sibling.map_or_else(|error| error.to_string(), |pid| pid.to_string())
            ));
            let child = find_actor("two").await;
            let child = child.map(|found| found.map(|found| found.pid()) == Some(two.pid()));
            say(&format!(
                "child {}",
                child.map_or_else(|error| error.to_string(), |is_it| is_it.to_string())
            ));
            say(&format!("nested {}", one.run(start_one_below()).await?));
            one.cancel_actor().await?;
            two.cancel_actor().await
        })
        .await
    })
}

/// Starts a far actor although the root has no socket to listen with, and says what comes of it.
pub(crate) fn unreachable() -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        open_nursery(async |nursery| {
            let start = nursery.start_actor("wanted");
            let error = match start.transport(Transport::LoopbackTcp).await {
                Ok(_) => "it was started".to_owned(),
                Err(error) => format!("{:?}: {error}", error.ending()),
            };
            say(&error);
            tractor::Ok(())
        })
        .await
    })
}

#[tractor::rpc]
async fn call_root() -> tractor::Result<u32> {
    get_root().await?.run(pid()).await
}

#[tractor::rpc]
async fn call_sibling(name: String) -> tractor::Result<u32> {
    find_actor(&name)
        .await?
        .expect("it is registered")
        .run(pid())
        .await
}

#[tractor::rpc]
async fn start_one_below() -> tractor::Result<bool> {
    open_nursery(async |nursery| {
        let below = nursery.start_actor("below").await?;
        let is_it = below.run(pid()).await? == below.pid();
        below.cancel_actor().await?;
        tractor::Ok(is_it)
    })
    .await
}

/// Runs while its outputs lose who reads them, which is over when its input ends. Logs much before
/// and afterwards, lets a child die, and leaves what came of it in a file.
pub(crate) fn mute(args: &[String]) -> tractor::Result<()> {
    let told = tractor::run(Options::default().log_level("trace"), async || {
        let mut closed = Ok(());
        let ended: tractor::Result<()> = open_nursery(async |nursery| {
            let worker = nursery.start_actor("worker").await?;
            assert_eq!(worker.run(pid()).await?, worker.pid());
            async_std::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()))
                .await
                .expect("it is a pipe");
            // Whoever wrote this would be to blame for a panic; the runtime must not panic for it.
            closed = io::stdout()
                .write_all(b"nobody reads this\n")
                .and_then(|()| io::stdout().flush());
            log::warn!("nor this");
            assert_eq!(worker.run(pid()).await?, worker.pid());
            worker.run(die()).await.map(drop)
        })
        .await;
        let error = ended.expect_err("it was killed");
        tractor::Ok(format!(
            "output {} death {:?}",
            closed.is_err(),
            error.signal()
        ))
    })?;
    fs::write(&args[0], told).expect("the test's directory is writable");
    Ok(())
}

/// Runs where the system reaps every child by itself, and says how their ends are told. The
/// arguments say who is to end, in this order: a child, by a kill or a cancel, or a grandchild.
pub(crate) fn robbed(args: &[String]) -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        for turn in args {
            let ended: tractor::Result<()> = open_nursery(async |nursery| {
                let mortal = nursery.start_actor("mortal").await?;
                let _other = nursery.start_actor("other").await?;
                match turn.as_str() {
                    "killed" => mortal.run(die()).await.map(drop),
                    "cancelled" => {
                        nursery.cancel();
                        tractor::Ok(())
                    }
                    _ => mortal.run(start_and_lose_one()).await,
                }
            })
            .await;
            say(&match ended {
                Ok(()) => "told nothing".to_owned(),
                Err(error) => format!("told {error}"),
            });
        }
        tractor::Ok(())
    })
}

#[tractor::rpc]
async fn start_and_lose_one() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .start_actor("grandchild")
            .await?
            .run(die())
            .await
            .map(drop)
    })
    .await
}

/// Has the system give the number of a dead actor to a program, and asks the dead one to end in
/// every way that the arguments name. Runs in a pid namespace of its own.
pub(crate) fn recycles(args: &[String]) -> tractor::Result<()> {
    tractor::run(Options::default(), async || {
        let mut dead = None;
        let ended: tractor::Result<()> = open_nursery(async |nursery| {
            let mortal = nursery.start_actor("mortal").await?;
            dead = Some((
                mortal.clone(),
                Process::open(mortal.pid()).expect("it is there"),
            ));
            async_std::task::spawn(mortal.run(idle()));
            mortal.run(die()).await.map(drop)
        })
        .await;
        assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
        let (portal, process) = dead.expect("it was started");
        let last = portal.pid() - 1;
        fs::write("/proc/sys/kernel/ns_last_pid", last.to_string()).expect("we are its root");
        let mut innocent = sleep();
        say(&format!("recycled {}", innocent.id() == portal.pid()));
        for way in args {
            match way.as_str() {
                "cancel" => {
                    let cancelled = portal.cancel_actor().await;
                    cancelled.expect("who is gone is cancelled");
                }
                "kill" => process
                    .signal(Signal::Kill)
                    .expect("there is nothing to do"),
                "kill_group" => process.kill_group().expect("there is nothing to do"),
                "probe" => {
                    let liveness = portal.probe(Duration::from_millis(200)).await;
                    say(&format!("probe {liveness:?}"));
                }
                way => panic!("there is no way {way}"),
            }
        }
        let alive = innocent.try_wait().expect("it is our child").is_none();
        say(&format!("innocent {alive}"));
        innocent.kill().expect("it is our child");
        innocent.wait().expect("it is our child");
        tractor::Ok(())
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that is no actor is what is tested"
)]
fn sleep() -> std::process::Child {
    std::process::Command::new("sleep")
        .arg("100")
        .spawn()
        .expect("sleep is there")
}
