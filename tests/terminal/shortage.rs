//! Fault 35: what cannot be written is said once, and the prompt goes on.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::screen::Screen;
use crate::support::{self, program};

const NO_HISTORY: &str = "the history of the prompt is not kept";

/// Goes on three times, with answers, and gives all that appears but for the first prompt.
fn converse(screen: &mut Screen) -> String {
    let mut seen = String::new();
    for round in 0..3 {
        let asked = format!("round = {round}");
        seen += &screen.prompt_after(&["Paused actor", &asked]);
        screen.line("tree");
        seen += &screen.prompt_after(&["breakpoint_forever"]);
        screen.line("c");
    }
    screen.prompt_after(&["round = 3"]);
    screen.line("q");
    screen.prompt_after(&["Crashed actor 'root'"]);
    screen.line("c");
    seen
}

fn check(screen: Screen, reason: &str) {
    let mut screen = screen.without_history();
    let seen = converse(&mut screen);
    assert_eq!(seen.matches(NO_HISTORY).count(), 1, "{seen}");
    assert!(seen.contains(reason), "no {reason:?} in:\n{seen}");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn a_directory_in_place_of_the_history_is_told_once() {
    let screen = Screen::with("subactor_breakpoint", |_, place| {
        fs::create_dir_all(place.join("tractor/history")).expect("it is writable");
    });
    check(screen, "Is a directory");
}

#[test]
fn a_full_device_in_place_of_the_history_is_told_once() {
    let screen = Screen::with("subactor_breakpoint", |_, place| {
        fs::create_dir_all(place.join("tractor")).expect("it is writable");
        symlink("/dev/full", place.join("tractor/history")).expect("it is writable");
    });
    check(screen, "No space left on device");
}

/// The signal that comes with the error ends neither the editor nor anybody else.
#[test]
fn a_limit_of_the_sizes_of_files_is_told_once() {
    let screen = Screen::with("subactor_breakpoint", |command, _| {
        wrap(command, "ulimit -f 0; exec \"$@\"");
    });
    check(screen, "File too large");
}

#[test]
fn a_full_disk_is_told_once() {
    let mount = "mount -t tmpfs -o nr_inodes=2 tmpfs";
    let mut probe = support::command("unshare");
    probe.args(["-m", "sh", "-c", &format!("{mount} /mnt")]);
    let probed = probe.stderr(Stdio::null()).status();
    if !probed.is_ok_and(|status| status.success()) {
        let _ = writeln!(io::stderr(), "skipped: this user may not mount anything");
        return;
    }
    let screen = Screen::with("subactor_breakpoint", |command, place| {
        fs::create_dir(place.join("state")).expect("it is writable");
        let script = "exec unshare -m sh -c 'MOUNT \"$XDG_STATE_HOME\" && exec \"$@\"' sh \"$@\"";
        command.env("XDG_STATE_HOME", place.join("state"));
        wrap(command, &script.replace("MOUNT", mount));
    });
    check(screen, "No space left on device");
}

/// Another place is found; where there is none, fault 36 has its own tests.
#[test]
fn without_its_directory_for_sockets_the_tree_goes_on() {
    let mut screen = Screen::with("subactor_breakpoint", |command, _| {
        command.env("XDG_RUNTIME_DIR", "/dev/null/nowhere");
    });
    converse(&mut screen);
    assert_eq!(screen.end().code(), Some(1));
}

/// Log and reports go there too, and are lost.
#[test]
fn a_full_disk_for_standard_error_ends_nobody() {
    for (name, code) in [("root_actor_breakpoint", 0), ("subactor_error", 1)] {
        let full = fs::File::options().write(true).open("/dev/full");
        let status = program("debugged")
            .arg(name)
            .stdin(Stdio::null())
            .stderr(full.expect("the system has it"))
            .status();
        assert_eq!(
            status.expect("it can be started").code(),
            Some(code),
            "{name}"
        );
    }
}

/// Has a shell do something before it becomes the program.
pub(crate) fn wrap(command: &mut Command, script: &str) {
    let inner = std::mem::replace(command, support::command("sh"));
    command
        .args(["-c", script, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}
