//! What a process is given, how it ends, and what is refused.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;

use rustix::process::{Pid, Resource, Rlimit, WaitOptions};

use super::*;
use crate::process::{SpawnError, census, marks, spawn};

const KILLED: ExitStatus = ExitStatus::Signaled {
    signal: 9,
    core_dumped: false,
};

#[test]
fn exit_code_and_signal_are_told() {
    assert_eq!(run(shell("exit 0")).1, ExitStatus::Exited(0));
    assert_eq!(run(shell("exit 3")).1, ExitStatus::Exited(3));
    assert_eq!(run(shell("kill -KILL $$")).1, KILLED);
    let (_, status) = run(shell("ulimit -c 0; kill -SEGV $$"));
    assert!(
        matches!(status, ExitStatus::Signaled { signal: 11, .. }),
        "{status}"
    );
}

#[test]
fn a_process_leads_its_group_and_gets_three_descriptors() {
    let (process, mut output) = start(shell("echo ready; kill -STOP $$"));
    assert_eq!(line(&mut output), "ready");
    let pid = Pid::from_raw(process.pid().try_into().unwrap());
    assert_eq!(rustix::process::getpgid(pid).ok(), pid);
    let fds = fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap();
    let fds = fds.map(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    });
    assert_eq!(
        fds.collect::<BTreeSet<i32>>(),
        BTreeSet::from_iter(inheritable_fds())
    );
    process.kill_group().unwrap();
    assert_eq!(reap(&process), KILLED);
}

#[test]
fn name_directory_environment_and_output_are_as_asked_for() {
    let (mut errors, stderr) = pipe();
    let spec = SpawnSpec {
        name: "the name".into(),
        env: vec![
            ("A".into(), Some("1".into())),
            ("HOME".into(), None),
            ("A".into(), Some("2".into())),
        ],
        cwd: Some("/".into()),
        stderr: StdioSpec::Fd(stderr),
        ..shell("pwd; echo $A:${HOME-none}; tr '\\0' '|' </proc/$$/cmdline; echo error >&2")
    };
    let (text, status) = run(spec);
    assert_eq!(status, ExitStatus::Exited(0));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["/", "2:none"]);
    assert!(lines[2].starts_with("the name|-c|pwd;"), "{text}");
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "error\n");
}

#[test]
fn a_cleared_environment_keeps_the_marks_and_what_the_loader_needs() {
    let spec = SpawnSpec {
        clear_env: true,
        env: vec![("A".into(), Some("1".into()))],
        program: Program::Path("env".into()),
        args: vec![],
        ..shell("")
    };
    let tree = format!("{}={}", marks::TREE, spec.tree);
    let (text, _) = run(spec);
    let names = text.lines().filter_map(|line| line.split_once('='));
    let names = names.map(|(name, _)| OsStr::new(name));
    let others: Vec<_> = names.filter(|name| !marks::is_kept(name)).collect();
    assert_eq!(others, ["A", marks::TREE]);
    assert!(text.lines().any(|line| line == tree), "{text}");
}

#[test]
fn a_bare_name_is_found_in_the_path_that_the_process_will_have() {
    let bare = |path: &str| SpawnSpec {
        program: Program::Path("sh".into()),
        env: vec![("PATH".into(), Some(path.into()))],
        ..shell("echo found")
    };
    assert_eq!(run(bare("relative:/nowhere:/bin")).0, "found\n");
    let error = spawn_blocking(bare("/nowhere")).unwrap_err();
    assert!(matches!(error, SpawnError::Program { .. }), "{error:?}");
}

#[test]
fn what_cannot_be_started_is_named() {
    let text = |spec| spawn_blocking(spec).unwrap_err().to_string();
    let no_program = SpawnSpec {
        program: Program::Path("/no/such".into()),
        ..shell("")
    };
    assert_eq!(text(no_program), "the program /no/such cannot be run");
    let no_right = SpawnSpec {
        program: Program::Path("/etc/passwd".into()),
        ..shell("")
    };
    assert_eq!(text(no_right), "the program /etc/passwd cannot be run");
    for cwd in ["/no/such", "/etc/passwd"] {
        let no_directory = SpawnSpec {
            cwd: Some(cwd.into()),
            ..shell("")
        };
        assert_eq!(
            text(no_directory),
            format!("the working directory {cwd} cannot be entered")
        );
    }
    let long = SpawnSpec {
        args: vec!["x".repeat(1 << 20).into()],
        ..shell("")
    };
    assert!(matches!(
        spawn_blocking(long),
        Err(SpawnError::ArgumentsTooLong)
    ));
}

#[test]
fn too_few_descriptors_are_an_error_that_leaves_nothing_behind() {
    let (_link, spec) = role_spec("starter");
    let (text, status) = run(spec);
    assert_eq!(status, ExitStatus::Exited(0), "{text}");
    assert!(text.contains("told fine"), "{text}");
}

/// Role: leaves one descriptor after another free, and none of the failures leaks one.
pub(super) fn start_with_few_descriptors() {
    // The thread that starts processes is there before.
    run(shell(""));
    let before = census::open_fds().unwrap();
    let spec = || SpawnSpec {
        stderr: StdioSpec::Pipe,
        ..shell("exit 7")
    };
    let mut failures = 0;
    for free in 0..20 {
        let spec = spec();
        // Numbers below the limit that are not in use are what can still be opened.
        let used: BTreeSet<_> = census::open_fds()
            .unwrap()
            .iter()
            .map(|fd| fd.number)
            .collect();
        let limit = (0..)
            .filter(|number| !used.contains(number))
            .nth(free)
            .unwrap();
        let limit = u64::try_from(limit).unwrap();
        let old = rustix::process::getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(limit),
            maximum: old.maximum,
        };
        rustix::process::setrlimit(Resource::Nofile, few).unwrap();
        let outcome = spawn_blocking(spec);
        rustix::process::setrlimit(Resource::Nofile, old).unwrap();
        match outcome {
            Ok(spawned) => assert_eq!(reap(&spawned.process), ExitStatus::Exited(7)),
            Err(SpawnError::TooManyFiles) => failures += 1,
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(census::open_fds().unwrap(), before, "with {free} free");
    }
    assert!((1..20).contains(&failures), "{failures}");
    assert_eq!(census::zombie_children(&[std::process::id()]), []);
    tell("fine");
}

#[test]
fn many_are_started_at_once() {
    let all = (0..40).map(|number| spawn(shell(&format!("exit {number}"))));
    let all = futures::executor::block_on(futures::future::join_all(all));
    for (number, spawned) in (0..).zip(all) {
        assert_eq!(reap(&spawned.unwrap().process), ExitStatus::Exited(number));
    }
}

#[test]
fn one_that_is_started_for_a_dropped_future_is_killed_and_reaped() {
    let (mut output, stdout) = pipe();
    let script = "sleep 60 & echo $$; wait";
    let future = spawn(SpawnSpec {
        stdout: StdioSpec::Fd(stdout),
        ..shell(script)
    });
    let pid = line(&mut output);
    drop(future);
    // The pipe ends when the last of the group is gone.
    assert_eq!(line(&mut output), "");
    until("it is reaped", || {
        !fs::exists(format!("/proc/{pid}")).unwrap()
    });
}

#[test]
fn a_future_that_is_dropped_at_once_leaves_nothing() {
    let tree = TreeId::fresh();
    for _ in 0..10 {
        drop(spawn(SpawnSpec {
            tree,
            ..shell("sleep 60")
        }));
    }
    // What is ordered later is done later.
    run(shell(""));
    until("all are gone", || {
        census::marked_processes(&tree.to_string()).is_empty()
    });
}

#[test]
fn a_status_that_somebody_else_took_is_lost_and_the_end_is_seen() {
    let (process, _output) = start(shell("exit 3"));
    let pid = Pid::from_raw(process.pid().try_into().unwrap());
    rustix::process::waitpid(pid, WaitOptions::empty()).unwrap();
    assert!(process.wait_exited(Some(PATIENCE)).unwrap());
    assert_eq!(process.peek_exited().unwrap(), Some(ExitStatus::Lost));
    assert_eq!(process.try_reap().unwrap(), Some(ExitStatus::Lost));
    assert_eq!(process.state(), None);
    // Nobody else is hit.
    process.signal(Signal::Kill).unwrap();
    process.kill_group().unwrap();
}
