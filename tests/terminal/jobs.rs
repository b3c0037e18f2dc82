//! What a shell does with a tree: stop it, let it go on, hang up.

use std::fs;
use std::thread;
use std::time::Instant;

use rexpect::process::{Signal as Sent, WaitStatus};
use rstest::rstest;
use tractor_core::process::{Process, Signal};

use crate::output::{flooded, wait_for_all};
use crate::screen::Screen;
use crate::support::{PATIENCE, is_alive, signal};

/// The number that follows `text` in `seen`.
#[track_caller]
fn pid_after(seen: &str, text: &str) -> u32 {
    let rest = seen.split(text).nth(1).expect(text);
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap_or_default().parse().expect(text)
}

/// Waits until a process is stopped, or is not.
#[track_caller]
fn wait_stopped(pid: u32, stopped: bool) {
    let process = Process::open(pid).expect("it is there");
    let begun = Instant::now();
    // Nothing tells of it.
    while (process.state() == Some('T')) != stopped {
        assert!(begun.elapsed() < PATIENCE, "{pid}: {:?}", process.state());
        thread::yield_now();
    }
}

fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let (_, rest) = stat.rsplit_once(") ").expect("it has a name");
    let parent = rest.split(' ').nth(1).expect("it has a parent");
    parent.parse().expect("it is a number")
}

#[derive(Debug, Clone, Copy)]
enum By {
    Key,
    Signal,
}

/// With a line that is half typed.
#[rstest]
#[case::by_the_key(By::Key)]
#[case::by_a_signal(By::Signal)]
fn ctrl_z_at_a_prompt_and_fg(#[case] by: By) {
    let mut screen = Screen::in_shell("subactor_breakpoint");
    let opened = screen.prompt_after(&["Paused actor 'breakpoint_forever'"]);
    let holder = pid_after(&opened, "(pid ");
    let mut line = String::new();
    for typed in ["ro", "un", "d"] {
        screen.keys(typed);
        screen.text(typed);
        line.push_str(typed);
        match by {
            By::Key => screen.control('z'),
            By::Signal => signal(parent(holder), Signal::TerminalStop),
        }
        screen.text("Stopped");
        screen.text("shell$ ");
        wait_stopped(holder, true);
        wait_stopped(parent(holder), true);
        screen.check_settings();
        screen.line("echo the shell reads");
        screen.text("the shell reads");
        screen.line("fg");
        screen.text(&format!(") {line}"));
        wait_stopped(holder, false);
    }
    screen.line("");
    screen.text("round = 0");
    screen.prompt();
    screen.line("q");
    screen.text("Crashed actor 'root'");
    screen.prompt();
    screen.line("c");
    screen.text("shell$ ");
    screen.line("exit");
    screen.end();
}

#[test]
fn ctrl_z_without_a_prompt_stops_everybody_below() {
    let mut screen = Screen::in_shell("waiting");
    let pids = [2, 1, 0].map(|depth| {
        screen.text(&format!("depth {depth} has pid "));
        let seen = screen.text(".");
        seen.parse().expect("it is a number")
    });
    for _ in 0..3 {
        screen.control('z');
        screen.text("Stopped");
        screen.text("shell$ ");
        for pid in pids {
            wait_stopped(pid, true);
        }
        screen.line("fg");
        for pid in pids {
            wait_stopped(pid, false);
        }
    }
    screen.control('c');
    screen.text("shell$ ");
    assert!(!is_alive(pids[1]) && !is_alive(pids[2]));
    screen.line("exit");
    screen.end();
}

/// By the signal: for the key the terminal itself throws away what is on its way.
#[test]
fn a_stop_in_a_flood_loses_nothing() {
    let mut screen = Screen::in_shell("flood_without_end");
    screen.text("it floods");
    screen.text("WARN  root[");
    let root = screen.text("]").parse().expect("it is a number");
    for _ in 0..3 {
        wait_for_all(&mut screen);
        signal(root, Signal::TerminalStop);
        screen.text("Stopped");
        screen.text("shell$ ");
        screen.line("fg");
    }
    wait_for_all(&mut screen);
    signal(root, Signal::Terminate);
    screen.text("shell$ ");
    screen.line("exit");
    let ended = screen.end();
    let (lines, torn) = flooded(&ended.all);
    let missing = lines
        .values()
        .map(|numbers| numbers.iter().max().map_or(0, |last| *last as usize + 1) - numbers.len());
    // Who is stopped while it waits for room writes the rest of its line when it goes on, perhaps
    // behind the beginning of another.
    assert!(missing.sum::<usize>() <= 2 * torn.len(), "{torn:?}");
    assert!(torn.len() <= 3 * 3 * 2, "{torn:?}");
}

/// As in a container: nobody would let it go on.
#[test]
fn where_no_shell_looks_after_it_nobody_is_stopped_for_long() {
    let mut screen = Screen::of("subactor_breakpoint").without_history();
    let opened = screen.prompt_after(&["Paused actor 'breakpoint_forever'"]);
    let holder = pid_after(&opened, "(pid ");
    screen.keys("rou");
    screen.text("rou");
    for _ in 0..5 {
        screen.control('z');
        screen.text(") rou");
        screen.signal(Sent::SIGTSTP);
        screen.text(") rou");
    }
    wait_stopped(holder, false);
    screen.line("nd");
    screen.text("round = 0");
    screen.prompt();
    screen.line("q");
    screen.text("Crashed actor 'root'");
    screen.prompt();
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[rstest]
#[case::at_a_prompt("subactor_breakpoint", "(tdb@")]
#[case::in_a_flood("flood_without_end", "two log ")]
#[case::without_debug_mode("waiting", "depth 0 has")]
fn a_hang_up_ends_the_tree(#[case] program: &str, #[case] begun: &str) {
    // The shell, killed: the terminal has nobody any more.
    let mut screen = Screen::in_shell(program);
    screen.text(begun);
    screen.signal(Sent::SIGKILL);
    screen.end();
    // The signal alone.
    let mut screen = Screen::of(program);
    screen.text(begun);
    screen.signal(Sent::SIGHUP);
    let ended = screen.end();
    assert!(
        matches!(ended.status, WaitStatus::Signaled(_, Sent::SIGHUP, _)),
        "{ended:?}"
    );
}
