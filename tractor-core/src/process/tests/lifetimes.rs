//! Who dies with whom, and who is reaped by whom.

use std::os::fd::AsRawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::process::{Adoption, become_subreaper, census, lend_stdin, marks};

#[test]
fn a_child_enters_and_is_told_from_others_no_more() {
    let (mut link, spec) = role_spec("child");
    let (process, _output) = start(spec);
    assert_eq!(link.line(), "entered");
    assert_eq!(link.ask("stdin"), "\"/dev/null\"");
    assert_eq!(link.ask("name"), "tractor-test-ch");
    assert_eq!(link.ask("again"), "None");
    // There is none for this test either, unless it is run from a terminal.
    assert!(link.ask("tty").contains("code: 6"), "the terminal was kept");
    assert_eq!(link.ask("fds"), format!("{:?}", inheritable_fds()));
    process.kill_group().unwrap();
    assert!(!reap(&process).is_success());
}

#[test]
fn a_child_that_is_lent_an_input_has_it_and_nothing_more() {
    let (mut link, spec) = role_spec("child");
    let text = File::open("/proc/version").unwrap();
    lend_stdin(&link.stream, &StdioSpec::Fd(text.into())).unwrap();
    let (process, _output) = start(spec);
    assert_eq!(link.line(), "entered");
    assert_eq!(link.ask("stdin"), "\"/proc/version\"");
    // The byte that it came with is not in the link, nor is there a second copy.
    assert_eq!(link.ask("next line"), "next line");
    assert_eq!(link.ask("copies"), "1");
    assert_eq!(link.ask("fds"), format!("{:?}", inheritable_fds()));
    process.kill_group().unwrap();
    reap(&process);
}

#[test]
fn a_child_without_room_for_its_input_does_not_enter() {
    let (link, spec) = role_spec("cramped-child");
    let text = File::open("/proc/version").unwrap();
    lend_stdin(&link.stream, &StdioSpec::Fd(text.into())).unwrap();
    assert!(run(spec).0.contains("told Too many open files"));
}

/// A child that has all its descriptors in use when it enters.
pub(super) fn enter_without_room() {
    let before = getrlimit(Resource::Nofile);
    let (current, maximum) = (Some(open_fds_max() + 1), before.maximum);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let error = detect().unwrap().enter().unwrap_err();
    setrlimit(Resource::Nofile, before).unwrap();
    tell(&error.to_string());
}

/// The largest number, once there is no free one below it.
fn open_fds_max() -> u64 {
    let null = || File::open("/dev/null").unwrap();
    let filling: Vec<_> = std::iter::repeat_with(null).take(8).collect();
    let last = filling.last().unwrap().as_raw_fd();
    std::mem::forget(filling);
    u64::try_from(last).unwrap()
}

#[test]
fn a_process_that_only_has_the_mark_is_no_child() {
    let ours = std::process::id().to_string();
    let mark = || (marks::CHILD_OF.into(), Some(ours.as_str().into()));
    let exe = std::env::current_exe().unwrap();

    // With the mark, without the link.
    let (_link, mut spec) = role_spec("stranger");
    spec.stdin_link = File::open("/dev/null").unwrap().into();
    assert!(run(spec).0.contains("told detected false"));

    // With the link, without the mark.
    let (_link, mut spec) = role_spec("stranger");
    spec.program = Program::Path(exe.clone());
    assert!(run(spec).0.contains("told detected false"));

    // With both, and a shell between us.
    let (_link, mut spec) = role_spec("stranger");
    spec.program = Program::Path("/bin/sh".into());
    let script = [
        "-c".into(),
        "\"$@\"; exit 0".into(),
        "sh".into(),
        exe.into(),
    ];
    spec.args.splice(0..0, script);
    spec.env.push(mark());
    assert!(run(spec).0.contains("told detected false"));

    // With all three.
    let (_link, spec) = role_spec("stranger");
    assert!(run(spec).0.contains("told detected true"));
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let (mut link, spec) = role_spec("child");
    let (process, _output) = thread::spawn(|| start(spec)).join().unwrap();
    assert_eq!(link.line(), "entered");
    assert_eq!(link.ask("still there"), "still there");
    process.kill_group().unwrap();
    reap(&process);
}

/// Starts a parent with a child, does something to the child, kills the parent.
fn kill_parent_of(child_role: &str, meanwhile: impl FnOnce(&Process)) {
    let (_link, mut spec) = role_spec("parent");
    let tree = spec.tree.to_string();
    spec.env
        .push(("CHILD_ROLE".into(), Some(child_role.into())));
    let (parent, mut output) = start(spec);
    let pid = told(&mut output).expect("the parent tells");
    let child = Process::open(pid.strip_prefix("pid ").unwrap().parse().unwrap()).unwrap();
    assert_eq!(census::marked_processes(&tree).len(), 2);
    meanwhile(&child);
    parent.signal(Signal::Kill).unwrap();
    reap(&parent);
    assert!(
        child.wait_exited(Some(PATIENCE)).unwrap(),
        "the child lives on"
    );
    assert_eq!(census::marked_processes(&tree), []);
}

#[test]
fn a_child_dies_with_its_parent() {
    kill_parent_of("child", |_| {});
}

#[test]
fn a_stopped_child_dies_with_its_parent() {
    kill_parent_of("child", |child| {
        child.signal(Signal::Stop).unwrap();
        until("it is stopped", || child.state() == Some('T'));
    });
}

#[test]
fn a_child_that_entered_on_a_thread_which_ended_dies_with_its_parent() {
    kill_parent_of("child-on-a-thread", |_| {});
}

#[test]
fn a_child_whose_parent_died_before_it_booted_ends_at_once_and_is_adopted() {
    // In a process of its own: here it would adopt the orphans of other tests.
    let (_link, spec) = role_spec("root");
    let (text, status) = run(spec);
    assert_eq!(status, ExitStatus::Exited(0), "{text}");
}

/// Role: a root whose child dies and leaves a grandchild that has not booted.
pub(super) fn adopt() {
    become_subreaper().unwrap();
    let (_link, mut spec) = role_spec("parent");
    spec.env
        .push(("CHILD_ROLE".into(), Some("late-child".into())));
    let (parent, mut output) = start(spec);
    let mut told_by_both = [told(&mut output).unwrap(), told(&mut output).unwrap()];
    told_by_both.sort();
    let [pid, waiting] = told_by_both;
    assert_eq!(waiting, "waiting");
    let child = Process::open(pid.strip_prefix("pid ").unwrap().parse().unwrap()).unwrap();
    assert_eq!(child.try_reap_adopted().unwrap(), Adoption::NotOurs);

    parent.signal(Signal::Kill).unwrap();
    reap(&parent);
    assert!(child.wait_exited(Some(PATIENCE)).unwrap());
    let killed = ExitStatus::Signaled {
        signal: 9,
        core_dumped: false,
    };
    assert_eq!(child.try_reap_adopted().unwrap(), Adoption::Ended(killed));
    assert_eq!(child.try_reap_adopted().unwrap(), Adoption::NotOurs);
    assert_eq!(told(&mut output), None, "it went on");
}

#[test]
fn a_group_is_killed_as_a_whole_and_before_its_leader_is_reaped() {
    let (leader, mut output) = start(shell("sleep 60 & echo $!; exit 5"));
    let member = Process::open(line(&mut output).parse().unwrap()).unwrap();
    assert!(leader.wait_exited(Some(PATIENCE)).unwrap());
    assert_eq!(leader.peek_exited().unwrap(), Some(ExitStatus::Exited(5)));
    assert_eq!(leader.state(), Some('Z'));
    let zombies = census::zombie_children(&[std::process::id()]);
    assert!(
        zombies.iter().any(|zombie| zombie.pid == leader.pid()),
        "{zombies:?}"
    );
    assert_eq!(
        member.peek_exited().unwrap(),
        Some(ExitStatus::Lost),
        "it is not our child"
    );
    assert!(!member.wait_exited(Some(Duration::ZERO)).unwrap());

    leader.kill_group().unwrap();
    assert!(member.wait_exited(Some(PATIENCE)).unwrap());
    assert_eq!(leader.try_reap().unwrap(), Some(ExitStatus::Exited(5)));
    assert_eq!(leader.state(), None);
}

#[test]
fn a_stopped_process_says_so_goes_on_and_can_be_killed() {
    let (_lines, stdin_link) = UnixStream::pair().unwrap();
    let stdin_link = stdin_link.into();
    let (process, mut output) = start(SpawnSpec {
        stdin_link,
        ..shell("echo up; read line")
    });
    assert_eq!(line(&mut output), "up");
    process.signal_group(Signal::Stop).unwrap();
    until("it is stopped", || process.state() == Some('T'));
    process.signal_group(Signal::Continue).unwrap();
    until("it goes on", || process.state() != Some('T'));
    process.signal_group(Signal::Stop).unwrap();
    assert_eq!(process.try_reap().unwrap(), None);
    process.kill_group().unwrap();
    assert!(!reap(&process).is_success());
}

#[test]
fn what_a_tree_started_is_found_by_its_mark() {
    let spec = shell("sleep 60 & echo up; wait");
    let tree = spec.tree.to_string();
    let (process, mut output) = start(spec);
    assert_eq!(line(&mut output), "up");
    until("sleep runs", || {
        let found = census::marked_processes(&tree);
        found
            .iter()
            .any(|found| found.name == "sleep" && found.ppid == process.pid())
    });
    assert_eq!(census::marked_processes(&tree).len(), 2);
    process.kill_group().unwrap();
    reap(&process);
    until("both are gone", || {
        census::marked_processes(&tree).is_empty()
    });
}
