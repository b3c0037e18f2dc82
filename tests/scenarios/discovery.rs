//! R01 to R03, R07 to R11: actors that find each other.

use std::time::Instant;

use futures::future::join_all;
use tractor::{
    Address, Portal, current_actor, find_actor, open_nursery, query_actor, wait_for_actor,
};
use tractor_core::process::Process;
use tractor_core::process::census::open_fds;
use tractor_ipc::Socket;

use crate::calls::{die, echo, pid};
use crate::chance::Chance;
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, eventually, exited, hold, kill, socket_path, within,
};

/// R01. Several wait for a name that is then registered twice. Each waiter is told of one of the
/// two, also those that begin to wait between the registrations and after them.
pub(crate) async fn r01_one_name_twice_answers_every_waiter(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let delays: Vec<_> = (0..6).map(|_| chance.delay(30)).collect();
        let waiting = join_all(delays.into_iter().enumerate().map(|(number, delay)| {
            let asker = &asker;
            async move {
                async_std::task::sleep(delay).await;
                match number % 2 {
                    0 => asker.run(wait_and_call("twin".into())).await,
                    _ => wait_for_actor("twin").await?.run(pid()).await,
                }
            }
        }));
        let starting = async {
            let one = nursery.start_actor("twin").await?;
            let two = nursery.start_actor("twin").await?;
            tractor::Ok([one.pid(), two.pid()])
        };
        let (found, twins) = futures::join!(waiting, starting);
        let twins = twins?;
        for pid in found {
            assert!(twins.contains(&pid?), "somebody else was found");
        }
        assert_eq!(query_actor("twin").await?.len(), 2);
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "waiting for twins");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn wait_and_call(name: String) -> tractor::Result<u32> {
    wait_for_actor(&name).await?.run(pid()).await
}

/// R02. An actor ends without saying so: it is killed, it kills itself, it leaves by `exit`. When
/// its parent has been told, the registrar does not know it any more.
pub(crate) async fn r02_dead_actor_leaves_the_registry(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |outer| {
        let asker = outer.start_actor("asker").await?;
        for way in 0..3 {
            let ended = open_nursery(async |nursery| {
                let mortal = nursery.start_actor("mortal").await?;
                assert!(asker.run(is_known("mortal".into())).await?);
                chance.pause(2).await;
                match way {
                    0 => kill(&hold(mortal.pid())),
                    1 => drop(mortal.run(die()).await),
                    _ => mortal.run(leave(0)).await?,
                }
                std::future::pending::<tractor::Result<()>>().await
            })
            .await;
            assert!(ended.expect_err("it died").is_death());
            assert!(!asker.run(is_known("mortal".into())).await?);
            assert!(find_actor("mortal").await?.is_none());
        }
        asker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn is_known(name: String) -> tractor::Result<bool> {
    Ok(!query_actor(&name).await?.is_empty())
}

#[tractor::rpc]
#[expect(clippy::disallowed_methods, reason = "careless code is what is tested")]
async fn leave(code: i32) {
    std::process::exit(code)
}

/// R03. Actors of one name come and go, some of them killed, while another looks the name up
/// again and again. What it is given was alive when it was given; a lookup never fails for a
/// death. From the end of a process on nobody finds it, whether or not its parent has been told.
pub(crate) async fn r03_no_dead_actor_is_handed_out(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |outer| {
        let asker = outer.start_actor("asker").await?;
        let asking = async_std::task::spawn(asker.run(look_up_until_told("mayfly".into())));
        for _ in 0..4 {
            let mut finding = None;
            let ended = open_nursery(async |nursery| {
                let mayfly = nursery.start_actor("mayfly").await?;
                let process = hold(mayfly.pid());
                chance.pause(10).await;
                if chance.coin() {
                    return mayfly.cancel_actor().await;
                }
                // This block is cancelled when the death is told.
                finding = Some(async_std::task::spawn(kill_and_find(
                    process,
                    asker.clone(),
                )));
                std::future::pending().await
            })
            .await;
            if let Some(finding) = finding {
                assert_eq!(finding.await?, (false, false), "here, and by another");
            }
            assert!(
                ended
                    .as_ref()
                    .err()
                    .is_none_or(|error| error.signal() == Some(9))
            );
            // Not again: whoever is told of a death is told after the registrar.
            assert!(!asker.run(is_known("mayfly".into())).await?);
        }
        let stop = outer.start_actor("that is all").await?;
        asking.await?;
        stop.cancel_actor().await?;
        asker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Kills an actor `mayfly`, and looks it up here and in another actor when it has exited.
async fn kill_and_find(process: Process, asker: Portal) -> tractor::Result<(bool, bool)> {
    kill(&process);
    exited(process, PROMPT).await;
    let here = find_actor("mayfly").await?.is_some();
    Ok((here, asker.run(finds("mayfly".into())).await?))
}

#[tractor::rpc]
async fn finds(name: String) -> tractor::Result<bool> {
    Ok(find_actor(&name).await?.is_some())
}

#[tractor::rpc]
async fn look_up_until_told(name: String) -> tractor::Result<()> {
    while find_actor("that is all").await?.is_none() {
        if let Some(found) = find_actor(&name).await? {
            // It may die now; then the call says so.
            let _ = found.run(pid()).await;
        }
    }
    Ok(())
}

/// R07. Others wait for an actor before it is started and call it in the moment in which they are
/// told. It accepts: nobody is refused, and nobody has to try again.
pub(crate) async fn r07_who_is_found_accepts(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let mut clients = Vec::new();
        for number in 0..3 {
            clients.push(nursery.start_actor(format!("client {number}")).await?);
        }
        let calls: Vec<_> = clients
            .iter()
            .map(|client| async_std::task::spawn(client.run(wait_and_call("server".into()))))
            .collect();
        chance.pause(5).await;
        let server = nursery.start_actor("server").await?;
        for call in calls {
            assert_eq!(call.await?, server.pid());
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// R08. An actor looks others up by the dozen and calls them. When it has dropped the portals
/// neither side has a socket more than before.
pub(crate) async fn r08_lookups_leave_no_descriptor(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let asked = nursery.start_actor("asked").await?;
        // What a first lookup makes for good is made.
        assert!(asker.run(look_up(1, 0)).await?);
        let before = [asker.run(sockets()).await?, asked.run(sockets()).await?];
        assert!(asker.run(look_up(30, chance.below(3) as usize)).await?);
        let mut now = before.clone();
        eventually("the links are closed on both sides", async || {
            now = [
                asker.run(sockets()).await.unwrap_or_default(),
                asked.run(sockets()).await.unwrap_or_default(),
            ];
            // The first link may not have been closed when it was counted.
            let mut counts = now.iter().zip(&before);
            counts.all(|(now, before)| now.len() <= before.len())
        })
        .await;
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    assert_alone();
    Ok(())
}

/// Looks up and drops, so that each time there is a new link.
#[tractor::rpc]
async fn look_up(times: usize, calls: usize) -> tractor::Result<bool> {
    for _ in 0..times {
        let Some(found) = find_actor("asked").await? else {
            return Ok(false);
        };
        for _ in 0..calls {
            found.run(echo(vec![1; 100])).await?;
        }
    }
    Ok(true)
}

#[tractor::rpc]
async fn sockets() -> Vec<String> {
    let fds = open_fds().expect("a process may list its descriptors");
    let targets = fds.iter().map(|fd| fd.target.display().to_string());
    targets
        .filter(|target| target.starts_with("socket:"))
        .collect()
}

/// R09. An actor is killed, which cannot remove its socket's file. Its parent does.
pub(crate) async fn r09_killed_actor_leaves_no_socket_file(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut path = None;
    let ended = open_nursery(async |nursery| {
        let mortal = nursery.start_actor("mortal").await?;
        path = mortal.contact().address.as_ref().and_then(socket_path);
        assert!(
            path.as_ref().is_some_and(|path| path.exists()),
            "it listens"
        );
        chance.pause(2).await;
        mortal.run(die()).await
    })
    .await;
    assert_eq!(ended.expect_err("it was killed").signal(), Some(9));
    assert!(!path.expect("it listened").exists());
    assert_alone();
    Ok(())
}

/// R10. Four actors of one name are started in a burst, and one of them dies in its boot. It is
/// told of that one; the other three are there under their name.
pub(crate) async fn r10_one_of_a_burst_dies_in_its_boot(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    let (unlucky, point) = (
        chance.below(4),
        *chance.pick(&["boot.entered", "boot.ready"]),
    );
    open_nursery(async |nursery| {
        let starts = join_all((0..4).map(|number| {
            let start = nursery.start_actor("same");
            let plan = if number == unlucky {
                format!("{point}=kill")
            } else {
                String::new()
            };
            start.env("TRACTOR_FAULTS", plan).into_future()
        }))
        .await;
        let dead: Vec<_> = starts
            .iter()
            .filter_map(|start| start.as_ref().err())
            .collect();
        assert!(
            matches!(dead[..], [error] if error.signal() == Some(9)),
            "{dead:?}"
        );
        let known = query_actor("same").await?;
        assert_eq!(known.len(), 3, "{known:?}");
        for portal in starts.iter().flatten() {
            assert!(known.iter().any(|contact| &contact.aid == portal.aid()));
            assert_eq!(portal.run(pid()).await?, portal.pid());
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "a burst");
    assert_alone();
    Ok(())
}

/// R11. Somebody only looks whether the root listens, and goes away; and the root's user code
/// holds every thread while an actor looks another up. The first counts as no peer, the second is
/// answered meanwhile.
pub(crate) async fn r11_probe_is_no_peer_and_slow_root_answers(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let asked = nursery.start_actor("asked").await?;
        let root = current_actor()?;
        let address: Address = root.address().expect("the root listens");
        let before = root.statistics().links.len();
        drop(Socket::connect(&address).expect("the root accepts"));
        assert_eq!(root.statistics().links.len(), before);
        let lookup = async_std::task::spawn(asker.run(look_up_within_ms("asked".into())));
        chance.pause(1).await;
        // This thread and the executor's.
        async_std::task::spawn(async { crate::calls::block_thread(700) });
        crate::calls::block_thread(700);
        let took = lookup.await?;
        assert!(took < 500, "the lookup took {took} ms");
        assert_eq!(root.statistics().links.len(), before);
        asked.cancel_actor().await?;
        asker.cancel_actor().await
    })
    .await?;
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn look_up_within_ms(name: String) -> tractor::Result<u64> {
    let begin = Instant::now();
    let found = find_actor(&name).await?.expect("it is there");
    found.run(pid()).await?;
    Ok(begin.elapsed().as_millis() as u64)
}
