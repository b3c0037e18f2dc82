//! T01 to T06, T22, T23, T39, T43, T46: the way down of actors and whole trees.

use std::fs;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tractor::{Portal, find_actor, get_root, open_nursery, query_actor};

use crate::calls::{block, deaf, echo, pid};
use crate::chance::Chance;
use crate::tree::{
    BOUNDED, PROMPT, assert_alone, assert_killed, dir_of_tree, eventually, exited, hold, kill, ms,
    socket_path, stop, until_begun, within,
};

/// T01. Children are cancelled while their parent keeps their links open until they have exited.
/// They exit without waiting for the end of the link.
pub(crate) async fn t01_cancelled_child_exits_with_its_link_open(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let mut workers = Vec::new();
        for number in 0..3 {
            workers.push(nursery.start_actor(format!("worker {number}")).await?);
        }
        for worker in &workers {
            chance.pause(5).await;
            worker.cancel_actor().await?;
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "cancelling three actors");
    assert_alone();
    Ok(())
}

/// T02. A task that a peer started in an actor does not end, because it is shielded or holds its
/// thread. The actor is cancelled; it ends within the ladder, the peer is told, and so its parent.
pub(crate) async fn t02_stuck_task_of_a_peer_holds_nobody_up(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let victim = nursery.start_actor("victim").await?;
        let peer = nursery.start_actor("peer").await?;
        let sync = chance.coin();
        let stuck = async_std::task::spawn(peer.run(call_into("victim".into(), sync)));
        until_begun(&victim, 1).await;
        chance.pause(20).await;
        victim.cancel_actor_within(ms(600)).await?;
        let error = stuck.await.expect_err("its callee was cancelled");
        assert!(error.to_string().contains("victim"), "{error}");
        assert_eq!(peer.run(pid()).await?, peer.pid(), "the peer lives on");
        peer.cancel_actor().await
    })
    .await?;
    within(begin, BOUNDED, "ending an actor with a stuck task");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn call_into(name: String, sync: bool) -> tractor::Result<()> {
    let victim = find_actor(&name).await?.expect("it is there");
    if sync {
        victim.run(block(60_000)).await
    } else {
        victim.run(deaf()).await
    }
}

/// T03. A child does not answer the request to end, because its process is stopped. The request
/// is not taken for granted: the child is gone soon after, and its nursery returns.
pub(crate) async fn t03_silent_child_is_ended_by_its_parent(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let child = nursery.start_actor("silent").await?;
        let process = hold(child.pid());
        stop(&process).await;
        chance.pause(3).await;
        let asked = child.cancel_actor_within(ms(500)).await;
        assert!(asked.is_ok() || asked.is_err_and(|error| !error.is_cancelled()));
        exited(process, PROMPT).await;
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "ending a stopped child");
    assert_alone();
    Ok(())
}

/// T04. The socket files of an actor and of the root are gone when the actor is cancelled. It
/// ends all the same.
pub(crate) async fn t04_missing_socket_file_does_not_hold_up(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let child = nursery.start_actor("unlinked").await?;
        let root = tractor::current_actor()?.contact();
        for contact in [child.contact(), &root] {
            let path = contact
                .address
                .as_ref()
                .and_then(socket_path)
                .expect("both listen");
            // With more than one seed the root's is gone already.
            let _ = fs::remove_file(path);
        }
        chance.pause(3).await;
        child.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "cancelling an actor without its socket file");
    Ok(())
}

/// T05. An actor looks the same peers up again and again. They count once, and nothing waits for
/// them at the end.
pub(crate) async fn t05_repeated_lookups_count_once(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let asker = nursery.start_actor("asker").await?;
        let asked = nursery.start_actor("asked").await?;
        let links = asker
            .run(look_up("asked".into(), 5 + chance.below(10)))
            .await?;
        // One to its parent, who is the root as well, and one to the other.
        assert_eq!(links, 2);
        asked.cancel_actor().await?;
        asker.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "ending actors that know each other");
    assert_alone();
    Ok(())
}

/// Gives the number of links while all the portals are held.
#[tractor::rpc]
async fn look_up(name: String, times: u64) -> tractor::Result<usize> {
    let mut portals = Vec::new();
    for _ in 0..times {
        let found = find_actor(&name).await?.expect("it is there");
        assert_eq!(found.run(pid()).await?, found.pid());
        portals.push(found);
        portals.push(get_root().await?);
    }
    Ok(tractor::current_actor()?.statistics().links.len())
}

/// T06. The wait of a nursery for its daemons is cancelled. They are asked, so that what they
/// were doing is dropped, rather than killed after a time-out.
pub(crate) async fn t06_cancelled_wait_for_daemons_asks_them(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let marks: Vec<_> = (0..3)
        .filter_map(|number| Some(dir_of_tree()?.join(format!("dropped {number}"))))
        .collect();
    assert_eq!(marks.len(), 3, "the tree has a directory");
    let scope = tractor::CancelScope::new();
    let waiting = std::cell::Cell::new(false);
    let nursery = scope.run(open_nursery(async |nursery| {
        for (number, mark) in marks.iter().enumerate() {
            let daemon = nursery.start_actor(format!("daemon {number}")).await?;
            let path = mark.display().to_string();
            async_std::task::spawn(daemon.run(mark_when_dropped(path)));
            // A task is counted before it begins, and one that never began has nothing to drop.
            eventually("its task has begun", async || mark.exists()).await;
        }
        waiting.set(true);
        tractor::Ok(())
    }));
    let cancel = async {
        eventually("the nursery waits", async || waiting.get()).await;
        chance.pause(20).await;
        scope.cancel();
        Instant::now()
    };
    let (ended, cancelled) = futures::join!(nursery, cancel);
    within(cancelled, PROMPT, "cancelling the wait for daemons");
    // Nothing has failed, and the wait was cut off: the scope says so, or the nursery in it.
    let cut_off = match &ended {
        Err(_) => true,
        Ok(nursery) => nursery.as_ref().is_err_and(tractor::Error::is_cancelled),
    };
    assert!(cut_off, "{ended:?}");
    for mark in &marks {
        let last = fs::read_to_string(mark).expect("it has begun");
        assert_eq!(last, "dropped", "{} was killed", mark.display());
        fs::remove_file(mark).expect("nobody else removes it");
    }
    assert_alone();
    Ok(())
}

/// Makes a file, waits until it is dropped, and says so there.
#[tractor::rpc]
async fn mark_when_dropped(path: String) {
    struct Mark(String);
    impl Drop for Mark {
        fn drop(&mut self) {
            fs::write(&self.0, "dropped").expect("the tree's directory is writable");
        }
    }
    fs::write(&path, "begun").expect("the tree's directory is writable");
    let _mark = Mark(path);
    std::future::pending().await
}

/// T22. A tree of three levels is cancelled. All levels end side by side, in a fraction of a
/// second and not in seconds for each level.
pub(crate) async fn t22_three_levels_end_side_by_side(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut begin = Instant::now();
    open_nursery(async |nursery| {
        let mut trees = Vec::new();
        for _ in 0..2 {
            let top = nursery.start_actor("top").await?;
            trees.push(async_std::task::spawn(top.run(grow(2, 2))));
        }
        let all_up = async || {
            query_actor("leaf")
                .await
                .is_ok_and(|leaves| leaves.len() == 8)
        };
        eventually("the tree stands", all_up).await;
        chance.pause(10).await;
        begin = Instant::now();
        nursery.cancel();
        for tree in join_all(trees).await {
            assert!(
                tree.is_err_and(|error| error.is_cancelled()),
                "it had no other end"
            );
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, PROMPT, "ending fourteen actors in three levels");
    assert_alone();
    Ok(())
}

/// Starts `width` actors that do the same one level further down, and waits until it is dropped.
#[tractor::rpc]
async fn grow(depth: u32, width: u32) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let mut below = Vec::new();
        for _ in 0..width {
            let name = if depth == 1 { "leaf" } else { "branch" };
            let child = nursery.start_actor(name).await?;
            if depth > 1 {
                below.push(child.run(grow(depth - 1, width)));
            }
        }
        join_all(below).await;
        std::future::pending().await
    })
    .await
}

/// T23. Parent and children are busy with each other, both ways and with several calls at once,
/// when the children are cancelled in some order. All come to their end.
pub(crate) async fn t23_busy_parents_and_children_end(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let mut children: Vec<Portal> = Vec::new();
        for number in 0..4 {
            children.push(nursery.start_actor(format!("busy {number}")).await?);
        }
        let mut work = Vec::new();
        for child in &children {
            for _ in 0..4 {
                work.push(async_std::task::spawn(
                    child.run(chat(1 + chance.below(200))),
                ));
            }
        }
        while !children.is_empty() {
            let next = chance.below(children.len() as u64) as usize;
            chance.pause(20).await;
            children.swap_remove(next).cancel_actor().await?;
        }
        for result in join_all(work).await {
            assert!(result.is_ok() || result.is_err_and(|error| !error.is_death()));
        }
        tractor::Ok(())
    })
    .await?;
    within(begin, BOUNDED, "ending four busy actors");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn chat(times: u64) -> tractor::Result<()> {
    let root = get_root().await?;
    for n in 0..times {
        let size = (n % 7) as usize * 1000;
        assert_eq!(root.run(echo(vec![n as u8; size])).await?.len(), size);
    }
    Ok(())
}

/// T39. A parent is killed while every thread of its child sleeps in user code. The orphan, which
/// cannot hear of it, is gone as well.
pub(crate) async fn t39_orphan_that_hears_nothing_is_gone(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let mut watching = None;
    let ended = open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let _tree = async_std::task::spawn(middle.run(start_blocked("orphan".into())));
        let orphan = tractor::wait_for_actor("orphan").await?;
        let (middle, orphan) = (hold(middle.pid()), hold(orphan.pid()));
        chance.pause(20).await;
        // This block is cancelled when the death is told.
        watching = Some(async_std::task::spawn(exited(orphan, PROMPT)));
        kill(&middle);
        std::future::pending::<tractor::Result<()>>().await
    })
    .await;
    watching.expect("it was killed").await;
    let error = ended.expect_err("the middle was killed");
    assert_killed(&error, "middle");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn start_blocked(name: String) -> tractor::Result<()> {
    open_nursery(async |nursery| nursery.start_actor(name).await?.run(block(60_000)).await).await
}

/// T43. An actor is cancelled whose clean-up calls the root and a sibling. It is served: links
/// end after the tasks that use them.
pub(crate) async fn t43_cleanup_may_call_others(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let begin = Instant::now();
    open_nursery(async |nursery| {
        let friend = nursery.start_actor("friend").await?;
        let tidy = nursery.start_actor("tidy").await?;
        let mark = dir_of_tree()
            .expect("the tree has a directory")
            .join("cleaned");
        let call = tidy.run(clean_up_with("friend".into(), mark.display().to_string()));
        let call = async_std::task::spawn(call);
        until_begun(&tidy, 1).await;
        chance.pause(10).await;
        tidy.cancel_actor().await?;
        // Its result comes, or the news of the cancel; the clean-up was made in both cases.
        let _ = call.await;
        let cleaned = fs::read_to_string(&mark).expect("the clean-up came to its end");
        assert_eq!(cleaned, format!("{} {}", std::process::id(), friend.pid()));
        fs::remove_file(mark).expect("it is ours");
        friend.cancel_actor().await
    })
    .await?;
    within(begin, PROMPT, "a clean-up that calls others");
    assert_alone();
    Ok(())
}

#[tractor::rpc]
async fn clean_up_with(friend: String, mark: String) -> tractor::Result<()> {
    // Waits for the cancel inside of the shield, so that it is seen whenever it comes.
    let asked = tractor::current_actor()?.scope().clone();
    let cleaned = tractor::shield(async move {
        asked.cancelled().await;
        let (root, friend) = (get_root().await?, find_actor(&friend).await?);
        let friend = friend.expect("the friend is there");
        let text = format!("{} {}", root.run(pid()).await?, friend.run(pid()).await?);
        fs::write(mark, text).expect("the tree's directory is writable");
        tractor::Ok(())
    });
    cleaned.await.expect("nobody cancels the shield")
}

/// T46. An actor two levels down sleeps in sync code when the cancel arrives: from a scope
/// outside, from the nursery or by name. Everybody is gone within the ladder's time.
pub(crate) async fn t46_sync_code_two_levels_down_is_ended(seed: u64) -> tractor::Result<()> {
    let mut chance = Chance::new(seed);
    let way = chance.below(3);
    let outer = tractor::CancelScope::new();
    let mut begin = Instant::now();
    let ended = outer.run(open_nursery(async |nursery| {
        let middle = nursery.start_actor("middle").await?;
        let tree = async_std::task::spawn(middle.run(start_blocked("sleeper".into())));
        let sleeper = tractor::wait_for_actor("sleeper").await?;
        let process = hold(sleeper.pid());
        async_std::task::sleep(ms(20) + chance.delay(20)).await;
        begin = Instant::now();
        match way {
            0 => outer.cancel(),
            1 => nursery.cancel(),
            _ => middle.cancel_actor_within(ms(1500)).await?,
        }
        exited(process, BOUNDED).await;
        // A cancel that is not heard of here has come by the middle's own report.
        let _ = tree.await;
        tractor::Ok(())
    }));
    let ended = ended.await;
    assert!(
        way != 1 || matches!(ended, Ok(Ok(()))),
        "the nursery's own cancel is no failure"
    );
    within(
        begin,
        Duration::from_secs(6),
        "ending sync code two levels down",
    );
    assert_alone();
    Ok(())
}
