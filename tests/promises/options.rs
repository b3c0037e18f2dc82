//! What a child is given: environment, directory, input, output, name and threads.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tractor::{StdioSpec, Transport, open_nursery};

use crate::support;

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
    std::env::current_dir()
        .map(|dir| dir.display().to_string())
        .unwrap_or_default()
}

#[tractor::rpc]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "where that goes is the question"
)]
async fn print() {
    println!("to the output");
    eprintln!("to the errors");
}

/// Reads its standard input to the end.
#[tractor::rpc]
async fn read() -> io::Result<String> {
    io::read_to_string(io::stdin())
}

/// Has a child of its own read its standard input.
#[tractor::rpc]
async fn have_read() -> tractor::Result<String> {
    open_nursery(async |nursery| {
        let reader = nursery.run_in_actor("reader", read());
        reader.stdin(StdioSpec::Inherit).await?.result().await
    })
    .await
}

/// The name that `ps` shows, and argument zero.
#[tractor::rpc]
async fn process_names() -> (String, String) {
    let read = |file| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let command_line = read("cmdline");
    let arg0 = command_line.split('\0').next().unwrap_or_default();
    (read("comm").trim_end().to_owned(), arg0.to_owned())
}

/// Blocks an executor's thread until `count` of them are blocked; then counts them.
#[tractor::rpc(spawn)]
async fn executor_threads(count: usize) -> usize {
    static ALL: OnceLock<Barrier> = OnceLock::new();
    ALL.get_or_init(|| Barrier::new(count)).wait();
    let begin = Instant::now();
    loop {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        let names = tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        let named = names.filter(|name| name.trim_end() == "tractor-task");
        let seen = named.count();
        // A thread that one of them starts has its name until it has taken its own.
        if seen <= count || begin.elapsed() > Duration::from_secs(10) {
            return seen;
        }
        thread::yield_now();
    }
}

#[tractor::test]
async fn the_environment_is_inherited_and_changed_by_options() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let changed = nursery
            .start_actor("changed")
            .env("COLOUR", "blue")
            .env_remove("PATH");
        let cleared = nursery
            .start_actor("cleared")
            .env_clear()
            .env("COLOUR", "red");
        let plain = nursery.start_actor("plain");
        let (changed, cleared, plain) = (changed.await?, cleared.await?, plain.await?);
        let path = std::env::var("PATH").ok();
        assert!(path.is_some());
        assert_eq!(plain.run(variable("PATH")).await?, path);
        assert_eq!(plain.run(variable("COLOUR")).await?, None);
        assert_eq!(changed.run(variable("PATH")).await?, None);
        assert_eq!(
            changed.run(variable("COLOUR")).await?.as_deref(),
            Some("blue")
        );
        assert_eq!(
            cleared.run(variable("COLOUR")).await?.as_deref(),
            Some("red")
        );
        assert_eq!(cleared.run(variable("PATH")).await?, None);
        // Its own marks, what the loader needs, and nothing else.
        let names = cleared.run(variables()).await?;
        let known = |name: &String| {
            ["TRACTOR_", "RUSTDOC_", "LD_", "COLOUR"]
                .iter()
                .any(|known| name.starts_with(known))
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
        let away = nursery
            .run_in_actor("away", working_directory())
            .current_dir("/proc")
            .await?;
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
        files.push(
            fs::File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
                .unwrap(),
        );
    }
    let copy = |file: &fs::File| StdioSpec::Fd(OwnedFd::from(file.try_clone().unwrap()));
    open_nursery(async |nursery| {
        let (out, err) = (copy(&files[0]), copy(&files[1]));
        let writer = nursery
            .run_in_actor("writer", print())
            .stdout(out)
            .stderr(err)
            .await?;
        writer.result().await?;
        let null = || StdioSpec::Null;
        nursery
            .run_in_actor("silent", print())
            .stdout(null())
            .stderr(null())
            .await?
            .result()
            .await
    })
    .await?;
    let mut texts = files.iter_mut().map(|file| {
        let mut text = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut text))
            .unwrap();
        text
    });
    let (out, err) = (texts.next().unwrap(), texts.next().unwrap());
    assert!(
        out.contains("to the output\n") && !out.contains("to the errors"),
        "{out:?}"
    );
    assert_eq!(err, "to the errors\n");
    Ok(())
}

#[tractor::test]
async fn a_child_reads_what_it_is_given() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let nothing = nursery.run_in_actor("nothing", read()).await?;
        assert_eq!(nothing.result().await?, "");
        // A file from where we stand in it.
        let directory = support::scratch();
        let path = directory.as_ref().join("text");
        fs::write(&path, "read, not read").expect("the directory is there");
        let mut file = fs::File::open(path).expect("it was written");
        file.seek(SeekFrom::Start(6)).expect("it is a file");
        let reader = nursery
            .run_in_actor("reader", read())
            .stdin(StdioSpec::Fd(file.into()));
        assert_eq!(reader.await?.result().await?, "not read");
        Ok(())
    })
    .await
}

#[tractor::test]
async fn a_child_reads_a_pipe_whatever_its_link_and_passes_it_on() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for transport in [Transport::Inherited, Transport::LoopbackTcp] {
            let (reader, mut writer) = io::pipe().expect("a descriptor is free");
            let passed = nursery
                .run_in_actor("passing", have_read())
                .stdin(StdioSpec::Fd(reader.into()))
                .transport(transport)
                .await?;
            writer.write_all(b"to the grandchild").expect("it is read");
            drop(writer);
            assert_eq!(passed.result().await?, "to the grandchild");
        }
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_input_whose_reader_is_gone_is_held_by_nobody() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let (reader, writer) = io::pipe().expect("a descriptor is free");
        let gone = nursery
            .run_in_actor("gone", working_directory())
            .stdin(StdioSpec::Fd(reader.into()));
        gone.await?.result().await?;
        nursery.cancel();
        Ok(writer)
    })
    .await
    .map(|mut writer| {
        let refused = writer.write(b"x").expect_err("nobody reads");
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    })
}

#[tractor::test]
async fn a_pipe_that_nobody_would_read_is_refused() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let start = nursery.start_actor("piped").stdout(StdioSpec::Pipe);
        let unread = start.await.unwrap_err().to_string();
        let start = nursery.start_actor("piped").stdin(StdioSpec::Pipe);
        let unwritten = start.await.unwrap_err().to_string();
        for refused in [unread, unwritten] {
            assert!(refused.contains("'piped' was not started"), "{refused}");
        }
        // With an end of one's own it comes as it is written.
        let (mut reader, writer) = io::pipe().expect("a descriptor is free");
        let writer = StdioSpec::Fd(writer.into());
        let printed = nursery
            .run_in_actor("printer", print())
            .stdout(StdioSpec::Null)
            .stderr(writer)
            .await?;
        printed.result().await?;
        let mut text = String::new();
        reader
            .read_to_string(&mut text)
            .expect("it ends with the printer");
        assert_eq!(text, "to the errors\n");
        Ok(())
    })
    .await
}

#[tractor::test]
async fn ps_shows_the_name_of_the_actor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for (name, shown) in [
            ("tea", "tea"),
            ("a-rather-long-name-for-ps", "a-rather-long-n"),
        ] {
            let names = nursery
                .run_in_actor(name, process_names())
                .await?
                .result()
                .await?;
            assert_eq!(names, (shown.to_owned(), name.to_owned()));
        }
        Ok(())
    })
    .await
}

#[tractor::test]
async fn an_actor_has_as_many_executor_threads_as_it_is_given() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let one = nursery.start_actor("one").await?;
        let three = nursery.start_actor("three").threads(3).await?;
        assert_eq!(one.run(executor_threads(1)).await?, 1);
        let counts = try_join_all((0..3).map(|_| three.run(executor_threads(3)))).await?;
        assert_eq!(counts, [3; 3]);
        nursery.cancel();
        Ok(())
    })
    .await
}
