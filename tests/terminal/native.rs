//! gdb, typed at a prompt: the real one, attached to the paused actor.

use rstest::rstest;
use tractor_core::process::Signal;

use crate::debuggers::{
    SECRET, end_as_ever, end_by_sigterm, end_with_the_secret, is_here, is_told_why, kill, leave,
    without_right,
};
use crate::screen::Screen;
use crate::support::{command, is_alive, program, signal, wait_gone};

/// Types `gdb` at a prompt and waits for the other.
fn open_gdb(screen: &mut Screen) {
    screen.line("gdb");
    screen.text("gdb gets the terminal");
    screen.text("uncaptured.rs:");
    screen.text("(gdb) ");
}

/// Leaves gdb, and waits for the prompt that was there before.
fn quit_gdb(screen: &mut Screen) -> String {
    leave(screen, "(y or n)");
    screen.prompt_after(&["back from gdb"])
}

/// Fault 10. What a signal has struck is there to be seen, in the frame that it struck.
#[test]
fn gdb_shows_where_a_fatal_signal_struck() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("segfault_in_subactor");
    screen.prompt_after(&["Crashed actor 'native'"]);
    screen.line("gdb");
    screen.text("(gdb) ");
    screen.line_elsewhere("up 3");
    screen.text("fatal_signals.rs:");
    screen.text("(gdb) ");
    quit_gdb(&mut screen);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "signal 11 (SIGSEGV)"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[rstest]
#[case::of_a_task("uncaptured_in_task", 0)]
#[case::of_plain_code("uncaptured_in_plain_code", 0)]
#[case::of_a_panic("uncaptured_in_panic", 1)]
#[case::of_the_root("uncaptured_in_root", 0)]
fn gdb_shows_what_was_not_captured_and_the_prompt_comes_back(
    #[case] name: &str,
    #[case] code: i32,
) {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of(name);
    screen.prompt();
    screen.line("p secret");
    screen.prompt_after(&["not captured", "`gdb`"]);
    open_gdb(&mut screen);
    screen.line_elsewhere("p secret");
    screen.text(SECRET);
    screen.line_elsewhere("info locals");
    screen.text("secret = 4712");
    quit_gdb(&mut screen);
    // It can be had again.
    open_gdb(&mut screen);
    quit_gdb(&mut screen);
    screen.line("c");
    if code != 0 {
        screen.prompt_after(&["Crashed actor 'root'"]);
        screen.line("c");
    }
    end_as_ever(screen, code);
}

/// It is attached by pid, however the actor is linked.
#[test]
fn gdb_is_attached_to_a_far_actor() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("far_actors");
    screen.prompt_after(&["Paused actor 'far'"]);
    screen.line("gdb");
    screen.text("gdb gets the terminal");
    screen.text("far.rs:");
    screen.text("(gdb) ");
    quit_gdb(&mut screen);
    screen.line("q");
    screen.prompt_after(&["Crashed actor 'root'", "'far'", "DebuggerQuit"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn when_gdb_is_killed_the_prompt_comes_back_and_what_was_typed_ahead_is_gone() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_panic");
    screen.prompt();
    open_gdb(&mut screen);
    // While the actor runs, nobody reads.
    screen.line_elsewhere("continue");
    screen.text("Continuing.");
    kill(&mut screen, "gdb");
    end_as_ever(screen, 1);
}

/// The pause is over then, and so is the prompt.
#[rstest]
#[case::in_a_task("uncaptured_in_task", "next")]
#[case::in_plain_code("uncaptured_in_plain_code", "step")]
#[case::in_the_root("uncaptured_in_root", "n")]
fn steps_begin_where_the_task_goes_on(#[case] name: &str, #[case] step: &str) {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of(name);
    screen.prompt();
    screen.line("n");
    screen.prompt_after(&["`gdb -- next` begins there with it"]);
    screen.line(&format!("gdb -- info threads; {step}"));
    screen.text("gdb gets the terminal");
    screen.text("uncaptured.rs:");
    screen.text("Target Id");
    screen.text("the pause is over");
    screen.text("(gdb) ");
    screen.line_elsewhere("p secret");
    screen.text(SECRET);
    screen.line_elsewhere("info line");
    screen.text("uncaptured.rs");
    screen.line_elsewhere("finish");
    screen.text("Run till exit");
    screen.text("(gdb) ");
    leave(&mut screen, "(y or n)");
    end_with_the_secret(screen);
}

/// Commands that leave it come back to the prompt by themselves, with what they have shown.
#[test]
fn gdb_does_what_it_is_told_at_the_prompt() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_task");
    screen.prompt();
    screen.line("gdb -- nonsense; printf \"secret; = %d;\", secret; detach; quit");
    screen.prompt_after(&["Undefined command", "secret; = 4712", "back from gdb"]);
    screen.line("gdb bt");
    screen.prompt_after(&["gdb (native) [-- COMMAND; ...]"]);
    screen.line("c");
    end_as_ever(screen, 0);
}

#[test]
fn a_task_that_ends_below_gdb_ends_gdb() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_task");
    screen.prompt();
    open_gdb(&mut screen);
    screen.line_elsewhere("continue");
    end_with_the_secret(screen);
}

#[test]
fn a_task_goes_on_when_the_gdb_above_it_is_terminated() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_task");
    screen.prompt();
    open_gdb(&mut screen);
    screen.line_elsewhere("next");
    screen.text("the pause is over");
    screen.text("(gdb) ");
    signal(screen.process("gdb"), Signal::Terminate);
    end_with_the_secret(screen);
}

#[test]
fn when_the_actor_is_killed_in_gdb_its_death_is_told_and_the_next_has_the_prompt() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_task");
    screen.prompt();
    open_gdb(&mut screen);
    screen.line_elsewhere("kill");
    screen.text("(y or n)");
    screen.line_elsewhere("y");
    screen.prompt_after(&["Crashed actor 'root'", "signal 9"]);
    screen.line("c");
    end_as_ever(screen, 1);
}

#[rstest]
#[case::and_waits("p secret", SECRET)]
#[case::and_does_not("continue", "Continuing.")]
fn sigterm_ends_the_tree_although_gdb_has_the_terminal(#[case] command: &str, #[case] text: &str) {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_panic");
    screen.prompt();
    open_gdb(&mut screen);
    screen.line_elsewhere(command);
    screen.text(text);
    end_by_sigterm(screen);
}

#[test]
fn when_the_root_is_killed_gdb_goes_with_it() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_task");
    screen.prompt();
    open_gdb(&mut screen);
    screen.signal(rexpect::process::Signal::SIGKILL);
    screen.end();
}

#[test]
fn ctrl_c_in_gdb_is_for_gdb_alone() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_in_panic");
    screen.prompt();
    open_gdb(&mut screen);
    for _ in 0..3 {
        screen.control('c');
        screen.text("Quit");
        screen.text("(gdb) ");
    }
    screen.line_elsewhere("continue");
    screen.text("Continuing.");
    screen.control('c');
    screen.text("SIGINT");
    screen.text("(gdb) ");
    quit_gdb(&mut screen);
    screen.line("locals");
    screen.prompt_after(&["Nothing was captured"]);
    screen.line("c");
    // Nothing but the panic is its end, and the root's.
    screen.prompt_after(&["Crashed actor 'root'", "order 1 is not to be had"]);
    screen.line("c");
    let ended = screen.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
}

/// Fault 51: an actor at gdb is not killed for the time that its cancel takes.
#[test]
fn gdb_is_attached_while_its_actor_is_cancelled() {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of("uncaptured_beside_others");
    screen.prompt();
    let (accountant, deaf) = (screen.process("accountant"), screen.process("deaf"));
    open_gdb(&mut screen);
    // All are cancelled because of it. Who hears nothing is killed in the end.
    signal(screen.process("idle"), Signal::Kill);
    wait_gone(deaf);
    assert!(is_alive(accountant));
    screen.line_elsewhere("p secret");
    screen.text(SECRET);
    quit_gdb(&mut screen);
    screen.line("c");
    screen.prompt_after(&["Crashed actor 'root'", "'idle'"]);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(1));
}

#[test]
fn without_gdb_it_is_said_so() {
    let mut command = program("debugged");
    command.env("PATH", "/nonexistent");
    let mut screen = Screen::run("uncaptured_in_task", command);
    screen.prompt();
    for (line, name) in [("gdb", "gdb"), ("lldb", "lldb")] {
        screen.line(line);
        let told = format!("{name} cannot be started: No such file or directory");
        screen.prompt_after(&[&told, &format!("`{name} -p ")]);
    }
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}

/// Fault 52: the system refuses.
#[test]
fn where_gdb_cannot_attach_it_is_told_why() {
    if !is_here("gdb") {
        return;
    }
    let screen = Screen::run("uncaptured_in_hidden_task", without_right());
    is_told_why(screen, "gdb");
}

#[test]
fn ctrl_z_in_gdb_stops_the_root_as_well_until_the_shell_continues_both() {
    if !is_here("gdb") {
        return;
    }
    // A shell that looks after its jobs.
    let program = program("debugged");
    let mut shell = command("bash");
    shell.args(["-m", "-c", r#""$0" "$1"; echo "it has $?"; fg"#]);
    shell.arg(program.get_program());
    let mut screen = Screen::run("uncaptured_in_task", shell);
    screen.prompt();
    open_gdb(&mut screen);
    screen.control('z');
    // SIGTSTP and 128.
    screen.text("it has 148");
    screen.line_elsewhere("p secret");
    screen.text(SECRET);
    quit_gdb(&mut screen);
    screen.line("c");
    screen.end();
}

/// Nobody would continue it.
#[rstest]
#[case::at_a_child("uncaptured_in_task")]
#[case::at_the_root_itself("uncaptured_in_root")]
fn ctrl_z_in_gdb_changes_nothing_where_no_shell_looks_after_the_root(#[case] name: &str) {
    if !is_here("gdb") {
        return;
    }
    let mut screen = Screen::of(name);
    screen.prompt();
    open_gdb(&mut screen);
    screen.control('z');
    screen.line_elsewhere("p secret");
    screen.text(SECRET);
    quit_gdb(&mut screen);
    screen.line("c");
    assert_eq!(screen.end().code(), Some(0));
}
