//! lldb, typed at a prompt: the real one, attached to the paused actor.

use std::env;
use std::fs::{self, Permissions};
use std::iter;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

use crate::debuggers::{
    SECRET, end_as_ever, end_by_sigterm, end_with_the_secret, is_here, is_told_why, kill, leave,
    without_right,
};
use crate::screen::Screen;
use crate::support::{program, scratch};

/// Has a command find a lldb whose Python does not work.
fn take_python(program: &mut Command, place: &Path) {
    let path = env::var_os("PATH").expect("it is set");
    let is_there = |it: &PathBuf| it.join("lldb").exists();
    let real = env::split_paths(&path).find(is_there).expect("it is here");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *script*) exit 1;; esac\nexec '{}' \"$@\"\n",
        real.join("lldb").display()
    );
    let fake = place.join("lldb");
    fs::write(&fake, script).expect("the place is ours");
    fs::set_permissions(&fake, Permissions::from_mode(0o755)).expect("it is ours");
    let places = iter::once(place.to_owned()).chain(env::split_paths(&path));
    program.env("PATH", env::join_paths(places).expect("they were joined"));
}

/// A program and a lldb, whose Python may be taken.
fn start(name: &str, mut program: Command, has_python: bool) -> Screen {
    let place = scratch();
    if !has_python {
        take_python(&mut program, place.as_ref());
    }
    program.arg(name);
    Screen::start(program, place)
}

/// Types `lldb` at a prompt and waits for the other. Gives whether its Python works.
fn open_lldb(screen: &mut Screen) -> bool {
    screen.line("lldb");
    screen.text("lldb gets the terminal");
    let begun = screen.text("(lldb) ");
    let has_python = !begun.contains("this lldb has no Python");
    // It looks for its modules before it is told to use none.
    let tracebacks_max = usize::from(!has_python);
    assert!(
        begun.matches("Traceback").count() <= tracebacks_max,
        "{begun}"
    );
    assert!(begun.contains("uncaptured.rs:"), "{begun}");
    assert!(has_python || begun.contains("Process "), "{begun}");
    has_python
}

/// Leaves lldb, and waits for the prompt that was there before.
fn quit_lldb(screen: &mut Screen) {
    leave(screen, "[Y/n]");
    screen.prompt_after(&["back from lldb"]);
}

/// Goes on at the prompt.
fn go_on(mut screen: Screen) {
    screen.line("c");
    end_with_the_secret(screen);
}

#[rstest]
#[case::of_a_task("uncaptured_in_task")]
#[case::of_plain_code("uncaptured_in_plain_code")]
#[case::of_the_root("uncaptured_in_root")]
fn lldb_is_attached_in_the_frame_of_the_pause_and_the_prompt_comes_back(#[case] name: &str) {
    if !is_here("lldb") {
        return;
    }
    let mut screen = Screen::of(name);
    screen.prompt();
    for _ in 0..2 {
        if open_lldb(&mut screen) {
            screen.line_elsewhere("p secret");
            screen.text(SECRET);
        }
        quit_lldb(&mut screen);
    }
    go_on(screen);
}

#[test]
fn without_python_lldb_is_attached_and_says_what_it_lacks() {
    if !is_here("lldb") {
        return;
    }
    let mut screen = start("uncaptured_in_task", program("debugged"), false);
    screen.prompt();
    assert!(!open_lldb(&mut screen));
    screen.line_elsewhere("process status");
    screen.text("stopped");
    quit_lldb(&mut screen);
    go_on(screen);
}

/// The pause is over then, and so is the prompt.
#[rstest]
#[case::in_a_task("uncaptured_in_task", "next")]
#[case::in_the_root("uncaptured_in_root", "n")]
fn steps_of_lldb_begin_where_the_task_goes_on(#[case] name: &str, #[case] step: &str) {
    if !is_here("lldb") {
        return;
    }
    let mut screen = Screen::of(name);
    screen.prompt();
    if open_lldb(&mut screen) {
        screen.line_elsewhere(step);
        screen.text("the pause is over");
        screen.text("uncaptured.rs:");
        screen.text("(lldb) ");
        screen.line_elsewhere("p secret");
        screen.text(SECRET);
        leave(&mut screen, "[Y/n]");
        end_with_the_secret(screen);
    } else {
        quit_lldb(&mut screen);
        go_on(screen);
    }
}

#[rstest]
#[case::with_python(true)]
#[case::without(false)]
fn ctrl_c_and_a_kill_of_lldb_bring_the_prompt_back(#[case] has_python: bool) {
    if !is_here("lldb") {
        return;
    }
    let mut screen = start("uncaptured_in_panic", program("debugged"), has_python);
    screen.prompt();
    open_lldb(&mut screen);
    screen.line_elsewhere("continue");
    screen.text("resuming");
    // The tree goes on as if nothing had been. One is enough: at another one, while it deals with
    // the first, lldb ends itself. Its answer begins with a new line: the key has stopped the
    // process, or came before its prompt was put away; it shows its prompt, or not.
    screen.control('c');
    screen.text("\n");
    // What is typed ahead is gone with who would have read it.
    kill(&mut screen, "lldb");
    end_as_ever(screen, 1);
}

/// Fault 10. What a signal has struck is there to be seen, in the frame that it struck.
#[test]
fn lldb_shows_where_a_fatal_signal_struck() {
    if !is_here("lldb") {
        return;
    }
    let mut screen = Screen::of("segfault_in_subactor");
    screen.prompt_after(&["Crashed actor 'native'"]);
    screen.line("lldb");
    screen.text("lldb gets the terminal");
    let begun = screen.text("(lldb) ");
    let is_struck = begun.contains("read_volatile") || begun.contains("has no Python");
    assert!(is_struck, "{begun}");
    quit_lldb(&mut screen);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "signal 11 (SIGSEGV)"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn sigterm_ends_the_tree_although_lldb_has_the_terminal() {
    if !is_here("lldb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_panic");
    screen.prompt();
    open_lldb(&mut screen);
    end_by_sigterm(screen);
}

/// Fault 52: the system refuses.
#[rstest]
#[case::with_python(true)]
#[case::without(false)]
fn where_lldb_cannot_attach_it_is_told_why(#[case] has_python: bool) {
    if !is_here("lldb") {
        return;
    }
    let screen = start("uncaptured_in_hidden_task", without_right(), has_python);
    is_told_why(screen, "lldb");
}
