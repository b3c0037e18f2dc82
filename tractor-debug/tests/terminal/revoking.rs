//! Taking the terminal away: by its owner, by the death of the editor or of the root, by a shell.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;
use tractor_core::process::Process;

use super::session::{PATIENCE, Scratch, Session, command};

/// The editor of this session's root.
fn editor(session: &mut Session) -> Process {
    session.root.say("pid");
    let root: u32 = session.root.hear().parse().unwrap();
    let name = format!("/proc/{root}/task/");
    let children: Vec<u32> = std::fs::read_dir(name)
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|children| {
            let pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
            pids.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(children.len(), 1, "a root has an editor and no other child");
    Process::open(children[0]).unwrap()
}

fn pid(process: &Process) -> Pid {
    Pid::from_raw(process.pid().cast_signed()).unwrap()
}

fn is_raw(session: &Session) -> bool {
    !session.settings().local_modes.contains(LocalModes::ICANON)
}

#[test]
fn reclaiming_ends_a_read_at_once_and_drops_what_was_typed_ahead() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.keys("half a line");
    session.wait_for(mark, "half a line");
    assert!(is_raw(&session));
    session.root.say("prompting");
    assert_eq!(session.root.hear(), "true");
    session.root.say("reclaim 1");
    assert_eq!(session.root.hear(), "1 Revoked");
    assert_eq!(session.root.hear(), "reclaimed");
    session.assert_sane();
    session.root.say("prompting");
    assert_eq!(session.root.hear(), "false");

    // Nothing of it reaches the next holder, who types its own.
    session.prompt(2, "(b)");
    session.keys("another\r");
    assert_eq!(session.root.hear(), r#"2 Line("another")"#);
    session.quit();
    session.assert_sane();
}

#[test]
fn what_is_typed_between_two_leases_is_dropped() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.keys("one\r");
    assert_eq!(session.root.hear(), r#"1 Line("one")"#);
    // Nobody reads now: the terminal keeps it, and shows that it does.
    session.keys("rm everything\r");
    session.wait_for(mark, "rm everything");
    session.root.say("reclaim 1");
    assert_eq!(session.root.hear(), "reclaimed");
    session.prompt(2, "(b)");
    session.keys("two\r");
    assert_eq!(session.root.hear(), r#"2 Line("two")"#);
    session.quit();
}

#[test]
fn an_old_lease_neither_reads_nor_shows() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.root.say("read 1 (queued)");
    session.root.say("read 2 (next)");
    session.root.say("reclaim 1");
    assert_eq!(session.root.hear(), "1 Revoked");
    assert_eq!(session.root.hear(), "1 Revoked");
    assert_eq!(session.root.hear(), "reclaimed");
    session.wait_for(mark, "(next)");
    session.root.say("read 1 (late)");
    assert_eq!(session.root.hear(), "1 Revoked");
    session.root.say("show 1 too late");
    session.root.say("show 2 in time");
    session.wait_for(mark, "in time");
    session.keys("x\r");
    assert_eq!(session.root.hear(), r#"2 Line("x")"#);
    session.quit();
    let seen = session.since(mark);
    assert!(
        !seen.contains("late") && !seen.contains("(queued)"),
        "{seen:?}"
    );
}

#[test]
fn a_killed_editor_loses_its_read_and_the_next_has_another() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    assert!(is_raw(&session));
    let first = editor(&mut session);
    kill_process(pid(&first), Signal::KILL).unwrap();
    assert_eq!(session.root.hear(), "1 EditorLost");
    session.assert_sane();
    session.prompt(1, "(b)");
    session.keys("on\r");
    assert_eq!(session.root.hear(), r#"1 Line("on")"#);
    assert_ne!(editor(&mut session).pid(), first.pid());
    session.quit();
}

#[test]
fn a_stopped_editor_is_taken_away_and_loses_no_line_of_the_runtime() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    let stopped = editor(&mut session);
    kill_process(pid(&stopped), Signal::STOP).unwrap();
    // It is no child of this process, which could be told.
    while stopped.state() != Some('T') {
        std::thread::yield_now();
    }
    for number in 0..100 {
        session.root.say(&format!("say 0 worker {number} is ready"));
    }
    session.root.say("reclaim 1");
    assert_eq!(session.root.hear(), "1 Revoked");
    assert_eq!(session.root.hear(), "reclaimed");
    session.wait_for(mark, "worker 99 is ready");
    session.assert_sane();
    let rows = session.rows();
    let said: Vec<_> = rows.iter().filter(|row| row.contains("ready")).collect();
    let expected: Vec<_> = (0..100).map(|n| format!("worker {n} is ready")).collect();
    assert_eq!(said, expected.iter().collect::<Vec<_>>());
    session.quit();
}

#[test]
fn a_killed_root_leaves_a_sane_terminal_and_no_editor() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.keys("half");
    session.wait_for(mark, "half");
    assert!(is_raw(&session));
    let editor = editor(&mut session);
    session.root.say("pid");
    let root: i32 = session.root.hear().parse().unwrap();
    kill_process(Pid::from_raw(root).unwrap(), Signal::KILL).unwrap();
    assert_eq!(session.jobs.hear(), "killed 9");
    assert!(editor.wait_exited(Some(PATIENCE)).unwrap());
    session.assert_sane();
    session.run_again();
    session.quit();
}

#[test]
fn ctrl_backslash_at_a_prompt_ends_the_root_and_leaves_the_terminal_sane() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    let editor = editor(&mut session);
    session.keys("abc\x1c");
    assert_eq!(session.jobs.hear(), "killed 3");
    assert!(editor.wait_exited(Some(PATIENCE)).unwrap());
    session.assert_sane();
}

#[test]
fn a_root_that_ends_during_a_read_takes_its_editor_along() {
    let mut session = Session::open();
    session.prompt(1, "(a)");
    let editor = editor(&mut session);
    session.root.say("quit");
    assert_eq!(session.root.hear(), "1 Revoked");
    assert_eq!(session.jobs.hear(), "exited 0");
    assert!(editor.has_exited());
    session.assert_sane();
}

#[test]
fn ctrl_z_and_fg_stop_and_resume_the_prompt() {
    let mut session = Session::open();
    let mark = session.prompt(1, "(a)");
    session.keys("be");
    session.wait_for(mark, "be");
    session.keys("\x1a");
    assert_eq!(session.jobs.hear(), "stopped");
    session.assert_sane();
    let mark = session.mark();
    session.jobs.say("fg");
    session.wait_for(mark, "(a)be");
    session.keys("gin\r");
    assert_eq!(session.root.hear(), r#"1 Line("begin")"#);
    session.quit();
    session.assert_sane();
}

#[test]
fn two_trees_on_one_terminal_exclude_each_other() {
    let mut session = Session::open();
    let mut other = session.start_beside();
    assert_eq!(other.hear(), "another tree has the terminal");
    session.quit();
    session.run_again();
    session.quit();
}

#[test]
fn without_a_terminal_there_is_a_reason() {
    let dir = Scratch::new();
    let socket = dir.path().join("control");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut root = command(&[], "root", &socket)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut talk = super::session::Talk::accept(&listener, "root");
    assert_eq!(talk.hear(), "standard input is no terminal");
    assert!(root.wait().unwrap().success());
}
