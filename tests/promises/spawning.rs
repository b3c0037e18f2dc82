//! Actors are processes that are started with a name and what their parent gives them.

use std::fs;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;

use futures::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use tractor::{Ending, StdioSpec, current_actor, open_nursery};

use crate::support;

/// An actor as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) parent_pid: u32,
    pub(crate) depth: u32,
    pub(crate) is_root: bool,
}

impl Who {
    fn here() -> tractor::Result<Self> {
        let actor = current_actor()?;
        Ok(Self {
            name: actor.name().to_owned(),
            pid: actor.pid(),
            parent_pid: std::os::unix::process::parent_id(),
            depth: actor.identity().depth,
            is_root: actor.is_root(),
        })
    }
}

#[tractor::rpc]
pub(crate) async fn who() -> tractor::Result<Who> {
    Who::here()
}

/// This actor and one below the other, `levels` of them.
#[tractor::rpc]
async fn tower(levels: u32) -> tractor::Result<Vec<Who>> {
    let mut all = vec![Who::here()?];
    if levels > 0 {
        let below = open_nursery(async |nursery| {
            let floor = format!("floor{levels}");
            nursery.run_in_actor(floor, tower(levels - 1)).await?.result().await
        });
        all.extend(below.await?);
    }
    Ok(all)
}

#[tractor::rpc]
async fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tractor::rpc]
async fn variables() -> Vec<String> {
    std::env::vars().map(|(name, _)| name).collect()
}

#[tractor::rpc]
async fn working_directory() -> String {
    std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default()
}

#[tractor::rpc]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "where that goes is the question")]
async fn print() {
    println!("to the output");
    eprintln!("to the errors");
}

/// The name that `ps` shows, and argument zero.
#[tractor::rpc]
async fn process_names() -> (String, String) {
    let read = |file| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let command_line = read("cmdline");
    let arg0 = command_line.split('\0').next().unwrap_or_default();
    (read("comm").trim_end().to_owned(), arg0.to_owned())
}

/// How many threads poll this actor's tasks.
#[tractor::rpc]
async fn executor_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "tractor-task").count()
}

#[tractor::test]
async fn start_actor_gives_the_portal_of_a_child_process() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let worker = nursery.start_actor("worker").await?;
        let seen = worker.run(who()).await?;
        let expected = Who {
            name: "worker".to_owned(),
            pid: worker.pid(),
            parent_pid: std::process::id(),
            depth: 1,
            is_root: false,
        };
        assert_eq!(seen, expected);
        assert_eq!((worker.name(), worker.aid().name()), ("worker", "worker"));
        assert_ne!(seen.pid, std::process::id());
        worker.cancel_actor().await
    })
    .await
}

#[tractor::test]
async fn run_in_actor_gives_the_result_as_often_as_it_is_asked_for() -> tractor::Result<()> {
    let pid = open_nursery(async |nursery| {
        let once = nursery.run_in_actor("once", who()).await?;
        let seen = once.result().await?;
        assert_eq!(seen, once.result().await?);
        assert_eq!((seen.name.as_str(), seen.pid), ("once", once.portal().pid()));
        tractor::Ok(seen.pid)
    })
    .await?;
    assert!(!support::is_alive(pid), "a one-shot ends with its function");
    Ok(())
}

#[tractor::test]
async fn nurseries_nest_three_levels_deep() -> tractor::Result<()> {
    let all = tower(3).await?;
    let names: Vec<_> = all.iter().map(|who| who.name.as_str()).collect();
    assert_eq!(names, ["root", "floor3", "floor2", "floor1"]);
    for (depth, pair) in (1..).zip(all.windows(2)) {
        assert_eq!((pair[1].parent_pid, pair[1].depth), (pair[0].pid, depth));
    }
    assert!(all[0].is_root && !all[1].is_root);
    assert!(all[1..].iter().all(|who| !support::is_alive(who.pid)));
    Ok(())
}

#[tractor::test]
async fn many_actors_start_side_by_side() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let towers = (0..3).map(async |n| {
            let tower = nursery.run_in_actor(format!("tower{n}"), tower(1)).await?;
            tower.result().await
        });
        let pids: Vec<_> =
            try_join_all(towers).await?.concat().iter().map(|who| who.pid).collect();
        let distinct: std::collections::BTreeSet<_> = pids.iter().collect();
        assert_eq!((pids.len(), distinct.len()), (6, 6));
        Ok(())
    })
    .await
}

#[tractor::test]
async fn the_environment_is_inherited_and_changed_by_options() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let changed = nursery.start_actor("changed").env("COLOUR", "blue").env_remove("PATH");
        let cleared = nursery.start_actor("cleared").env_clear().env("COLOUR", "red");
        let plain = nursery.start_actor("plain");
        let (changed, cleared, plain) = (changed.await?, cleared.await?, plain.await?);
        let path = std::env::var("PATH").ok();
        assert!(path.is_some());
        assert_eq!(plain.run(variable("PATH")).await?, path);
        assert_eq!(plain.run(variable("COLOUR")).await?, None);
        assert_eq!(changed.run(variable("PATH")).await?, None);
        assert_eq!(changed.run(variable("COLOUR")).await?.as_deref(), Some("blue"));
        assert_eq!(cleared.run(variable("COLOUR")).await?.as_deref(), Some("red"));
        assert_eq!(cleared.run(variable("PATH")).await?, None);
        // Its own marks, what the loader needs, and nothing else.
        let names = cleared.run(variables()).await?;
        let known = |name: &String| {
            ["TRACTOR_", "RUSTDOC_", "LD_", "COLOUR"].iter().any(|known| name.starts_with(known))
        };
        assert!(names.iter().all(known), "{names:?}");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_child_starts_in_the_directory_it_is_given() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let away = nursery.run_in_actor("away", working_directory()).current_dir("/proc").await?;
        assert_eq!(away.result().await?, "/proc");
        let here = nursery.run_in_actor("here", working_directory()).await?;
        assert_eq!(here.result().await?, working_directory().await);
        Ok(())
    })
    .await
}

#[tractor::test]
async fn output_and_errors_go_where_they_are_sent() -> tractor::Result<()> {
    let mut files = Vec::new();
    for _ in 0..2 {
        let path = support::scratch();
        let path = path.as_ref().join("text");
        files.push(fs::File::options().read(true).write(true).create_new(true).open(path).unwrap());
    }
    let copy = |file: &fs::File| StdioSpec::Fd(OwnedFd::from(file.try_clone().unwrap()));
    open_nursery(async |nursery| {
        let (out, err) = (copy(&files[0]), copy(&files[1]));
        let writer = nursery.run_in_actor("writer", print()).stdout(out).stderr(err).await?;
        writer.result().await?;
        let null = || StdioSpec::Null;
        nursery.run_in_actor("silent", print()).stdout(null()).stderr(null()).await?.result().await
    })
    .await?;
    let mut texts = files.iter_mut().map(|file| {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).unwrap();
        text
    });
    let (out, err) = (texts.next().unwrap(), texts.next().unwrap());
    assert!(out.contains("to the output\n") && !out.contains("to the errors"), "{out:?}");
    assert_eq!(err, "to the errors\n");
    Ok(())
}

#[tractor::test]
async fn ps_shows_the_name_of_the_actor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for (name, shown) in [("tea", "tea"), ("a-rather-long-name-for-ps", "a-rather-long-n")] {
            let names = nursery.run_in_actor(name, process_names()).await?.result().await?;
            assert_eq!(names, (shown.to_owned(), name.to_owned()));
        }
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_actor_has_as_many_executor_threads_as_it_is_given() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let one = nursery.run_in_actor("one", executor_threads()).await?;
        let three = nursery.run_in_actor("three", executor_threads()).threads(3).await?;
        assert_eq!((one.result().await?, three.result().await?), (1, 3));
        Ok(())
    })
    .await
}

#[tractor::test(max_children = 2)]
async fn more_children_than_allowed_are_refused_by_name_of_the_limit() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let first = nursery.start_actor("first").await?;
        nursery.start_actor("second").await?;
        let refused = nursery.start_actor("third").await.unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused.ending(), Ending::NotSpawned { .. }), "{text}");
        assert!(text.contains("2 children") && text.contains("max_children"), "{text}");
        // The limit is for those that are there.
        first.cancel_actor().await?;
        support::wait_gone(first.pid());
        let fourth = loop {
            match nursery.start_actor("fourth").await {
                Err(error) if nursery.statistics().children.len() == 2 => {
                    assert!(error.to_string().contains("max_children"), "{error}");
                    tractor::checkpoint().await.expect("nobody cancels this");
                }
                started => break started?,
            }
        };
        assert_eq!(fourth.run(who()).await?.name, "fourth");
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test(max_depth = 1)]
async fn deeper_levels_than_allowed_are_refused_by_name_of_the_limit() -> tractor::Result<()> {
    let refused = tower(2).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused.ending(), Ending::NotSpawned { .. }), "{text}");
    assert!(text.contains("max_depth") && text.contains("1 levels"), "{text}");
    assert_eq!(refused.origin().name(), "floor2");
    assert_eq!(tower(1).await?.len(), 2);
    Ok(())
}

#[tractor::test]
async fn names_that_no_terminal_could_show_are_refused() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for name in ["", "two\nlines", &"x".repeat(129)] {
            let refused = nursery.start_actor(name).await.unwrap_err();
            assert!(matches!(refused.ending(), Ending::NotSpawned { .. }), "{refused}");
        }
        let names = ["with space", "käse", "a/b::c", &"x".repeat(128)];
        let portals = join_all(names.map(|name| nursery.start_actor(name).into_future())).await;
        for (name, portal) in names.into_iter().zip(portals) {
            assert_eq!(portal?.run(who()).await?.name, name);
        }
        nursery.cancel();
        Ok(())
    })
    .await
}

#[tractor::test]
async fn what_the_system_refuses_to_start_is_an_error_with_its_reason() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let refused = nursery.start_actor("lost").current_dir("/no/such/place").await.unwrap_err();
        assert!(matches!(refused.ending(), Ending::NotSpawned { .. }), "{refused}");
        assert!(refused.to_string().contains("/no/such/place"), "{refused}");
        // The nursery is as it was.
        let fine = nursery.run_in_actor("fine", who()).await?;
        assert_eq!(fine.result().await?.name, "fine");
        Ok(())
    })
    .await
}
