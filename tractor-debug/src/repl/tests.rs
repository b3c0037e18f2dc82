//! Conversations.

use std::cell::RefCell;
use std::time::Duration;

use proptest::prelude::*;
use tractor_core::{Ending, Error, TaskState};
use tractor_ipc::ActorId;

use super::frames::tests::BACKTRACE;
use super::locate::tests::Memory;
use super::values::tests::capture;
use super::*;
use crate::scene::{Capture, Place, Why};

const SOURCE: &str = "\
use demo::Order;

struct Loader;

impl Loader {
    fn note(&self) {}

    fn load(&self, c: Order) {
        let limit = 3;

        // The place.
        breakpoint!(c, limit);
        for n in 0..limit {
            self.note();
        }
    }
}
";

/// An actor in which two calls run.
#[derive(Default)]
struct Busy {
    cancelled: RefCell<Vec<u64>>,
}

impl World for Busy {
    fn tasks(&self) -> Vec<TaskLine> {
        vec![TaskLine {
            number: 7,
            function: "demo::load".to_owned(),
            caller: Some(ActorId::new("boss", 1)),
            age: Duration::from_secs(61),
            state: TaskState::Waiting,
        }]
    }
    fn links(&self) -> Vec<LinkLine> {
        vec![LinkLine {
            peer: ActorId::new("boss", 1),
            age: Duration::from_secs(2),
            bytes_in: 10,
            bytes_out: 20,
            bytes_queued: 5,
            calls: 0,
            tasks: 1,
        }]
    }
    fn cancel_task(&self, number: u64) -> bool {
        self.cancelled.borrow_mut().push(number);
        number == 7
    }
    fn runtime_vars(&self) -> Vec<(String, String)> {
        vec![("debug_mode".to_owned(), "true".to_owned())]
    }
    fn facts(&self) -> Vec<(String, String)> {
        vec![("build".to_owned(), "4f2a".to_owned())]
    }
}

fn scene(captures: Vec<Capture>) -> Scene {
    Scene {
        actor: ActorId::new("worker", 1),
        pid: 123,
        task: Some("load 7".to_owned()),
        why: Why::Pause,
        place: Some(Place {
            file: "src/main.rs".to_owned(),
            line: 12,
            module: "demo".to_owned(),
            manifest_dir: Some("/w/demo".to_owned()),
        }),
        captures,
        error: None,
        backtrace: Some(BACKTRACE.to_owned()),
    }
}

fn crash() -> Scene {
    let panicked = Ending::Panicked {
        message: "index out of \x1b[5mrange".to_owned(),
        location: Some("src/main.rs:12:5".to_owned()),
    };
    Scene {
        why: Why::Crash,
        error: Some(Error::new(ActorId::new("worker", 1), panicked).with_pid(123)),
        ..scene(vec![capture("limit", &3)])
    }
}

fn repl(scene: Scene) -> Repl {
    Repl::with_sources(scene, Memory::with("/w/demo/src/main.rs", SOURCE))
}

/// What is shown in answer to a line.
#[track_caller]
fn shown(repl: &mut Repl, line: &str) -> String {
    match repl.run(line, &Busy::default()) {
        Step::Show(text) => text,
        step => panic!("`{line}` gave {step:?}"),
    }
}

/// The numbers of the lines of source that are shown.
fn numbers(shown: &str) -> Vec<usize> {
    let number = |line: &str| line.get(3..)?.split_whitespace().next()?.parse().ok();
    shown.lines().filter_map(number).collect()
}

fn step(repl: &mut Repl, line: &str) -> Step {
    repl.run(line, &Busy::default())
}

#[test]
fn the_opening_of_a_pause_shows_place_source_and_values() {
    let repl = repl(scene(vec![capture("c", &"x"), capture("limit", &3)]));
    let opening = repl.opening();
    let lines: Vec<_> = opening.lines().collect();
    assert_eq!(
        lines[0],
        "Paused in actor 'worker' (pid 123), task `load 7`, at src/main.rs:12"
    );
    assert_eq!(lines[1], "    7");
    assert_eq!(lines[6], "-> 12         breakpoint!(c, limit);");
    assert_eq!(lines[12..], ["  c = \"x\"", "  limit = 3"]);
    assert_eq!(repl.prompt(), "(tdb@worker) ");
}

#[test]
fn the_opening_of_a_crash_ends_with_the_error() {
    let opening = repl(crash()).opening();
    assert!(
        opening.starts_with("Crashed in actor 'worker' (pid 123)"),
        "{opening}"
    );
    let last = opening.lines().last().expect("it has lines");
    assert!(
        last.starts_with("actor 'worker' (pid 123) panicked at src/main.rs:12:5"),
        "{last}"
    );
    assert!(last.ends_with("index out of \\u{1b}[5mrange"), "{last}");
}

#[test]
fn a_crash_of_which_nothing_is_known_has_an_opening_too() {
    let bare = Scene {
        task: None,
        place: None,
        backtrace: None,
        captures: Vec::new(),
        ..crash()
    };
    let mut repl = repl(bare);
    assert_eq!(repl.opening().lines().count(), 2);
    for line in ["list", "ll", "up", "down", "frame", "w", "lo", "info"] {
        assert!(!shown(&mut repl, line).is_empty(), "{line}");
    }
}

#[test]
fn an_error_of_many_lines_leaves_room_for_the_rest() {
    let at = ActorId::new("root", 1);
    let died = |n: i32| Error::new(ActorId::new(format!("w{n}"), 1), Ending::Exited { code: n });
    let mut repl = repl(Scene {
        error: Some(Error::several(&at, (1..=50).map(died).collect())),
        ..crash()
    });
    assert!(
        repl.opening().ends_with("more: `error`"),
        "{}",
        repl.opening()
    );
    assert!(shown(&mut repl, "error").contains("'w50'"));
    assert!(shown(&mut repl, "err 50").starts_with("actor 'w50'"));
    assert!(shown(&mut repl, "exc 51").contains("there are 1 to 50"));
    assert!(shown(&mut repl, "error 0").contains("There is no error 0"));
}

#[test]
fn colours_are_only_there_if_wanted() {
    assert!(
        !repl(scene(vec![capture("c", &1)]))
            .opening()
            .contains('\x1b')
    );
    let coloured = repl(crash()).coloured(true);
    assert!(coloured.opening().contains("\x1b[1;31m->\x1b[0m"));
    assert!(!coloured.prompt().contains('\x1b'));
}

#[test]
fn list_goes_on_and_an_empty_line_repeats_it() {
    let mut repl = repl(scene(Vec::new()));
    assert_eq!(shown(&mut repl, ""), "", "nothing to repeat");
    assert_eq!(numbers(&shown(&mut repl, "l 1")), [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(&shown(&mut repl, "")), (7..=17).collect::<Vec<_>>());
    assert_eq!(shown(&mut repl, ""), "src/main.rs ends here.");
    assert_eq!(
        numbers(&shown(&mut repl, "l .")),
        (7..=17).collect::<Vec<_>>()
    );
    assert_eq!(numbers(&shown(&mut repl, "l 3,4")), [3, 4]);
    assert_eq!(numbers(&shown(&mut repl, "list note"))[0], 6);
    assert_eq!(shown(&mut repl, "l 99"), "src/main.rs has only 17 lines.");
    assert_eq!(
        shown(&mut repl, "l nowhere"),
        "There is no function `nowhere` in src/main.rs."
    );
}

#[test]
fn an_empty_line_repeats_where_but_no_other_command() {
    let mut repl = repl(scene(vec![capture("limit", &3)]));
    let stack = shown(&mut repl, "where full");
    assert_eq!(shown(&mut repl, ""), stack);
    assert_eq!(shown(&mut repl, ""), stack);
    shown(&mut repl, "p limit");
    assert_eq!(shown(&mut repl, ""), "");
    let up = shown(&mut repl, "up");
    assert!(up.contains("demo::main"), "{up}");
    assert_eq!(shown(&mut repl, ""), "");
}

#[test]
fn longlist_shows_the_whole_function() {
    let lines = numbers(&shown(&mut repl(scene(Vec::new())), "ll"));
    assert_eq!(lines, (8..=16).collect::<Vec<_>>());
}

#[test]
fn where_folds_the_runtime_and_marks_the_place() {
    let mut repl = repl(scene(Vec::new()));
    let folded = shown(&mut repl, "w");
    assert!(
        folded.contains("-> 2  <demo::Loader as demo::Load>::load"),
        "{folded}"
    );
    assert!(folded.contains("3 frames of the runtime"), "{folded}");
    assert!(shown(&mut repl, "bt full").contains("__rust_try"));
}

#[test]
fn up_and_down_move_along_the_users_frames() {
    let file = SOURCE.repeat(3);
    let mut repl = Repl::with_sources(scene(Vec::new()), Memory::with("/w/src/main.rs", &file));
    let up = shown(&mut repl, "up");
    assert!(
        up.starts_with("frame 6: demo::main at src/main.rs:30\n"),
        "{up}"
    );
    assert_eq!(numbers(&up), [28, 29, 30, 31, 32]);
    assert_eq!(numbers(&shown(&mut repl, "list"))[0], 25, "list follows");
    assert_eq!(
        shown(&mut repl, "u"),
        "This is the outermost frame whose source is known."
    );
    let down = shown(&mut repl, "down 9");
    assert!(
        down.starts_with("frame 2: ") && down.contains("-> 12"),
        "{down}"
    );
    assert_eq!(
        shown(&mut repl, "d"),
        "This is the innermost frame whose source is known."
    );
    let inner = shown(&mut repl, "frame 1");
    assert!(inner.starts_with("frame 1: demo::inner::leaf"), "{inner}");
    assert!(
        inner.contains("The source of src/inner.rs is not here"),
        "{inner}"
    );
    assert!(shown(&mut repl, "u").starts_with("frame 2: "));
    assert!(shown(&mut repl, "f 5").contains("of which the source is not known"));
    assert!(shown(&mut repl, "f 77").contains("There is no frame 77"));
    assert!(shown(&mut repl, "f").starts_with("frame 2: "), "it stayed");
}

#[test]
fn a_place_without_a_frame_is_below_all_frames() {
    let mut scene = scene(Vec::new());
    scene.place = scene.place.map(|place| Place { line: 13, ..place });
    let mut repl = repl(scene);
    assert!(shown(&mut repl, "up").starts_with("frame 1: "));
    assert!(shown(&mut repl, "up").starts_with("frame 2: "));
    assert!(shown(&mut repl, "down 2").starts_with("at src/main.rs:13\n"));
}

#[test]
fn a_source_that_is_not_there_is_told_with_the_places() {
    let repl = Repl::with_sources(scene(Vec::new()), Memory::default());
    let opening = repl.opening();
    assert!(
        opening.contains("The source of src/main.rs is not here."),
        "{opening}"
    );
    assert!(
        opening.contains("\n  /w/demo/src/main.rs\n  /w/src/main.rs\n"),
        "{opening}"
    );
}

#[test]
fn a_source_that_is_shorter_than_it_was_is_told() {
    let memory = Memory::with("src/main.rs", "fn main() {}\n");
    let mut repl = Repl::with_sources(scene(Vec::new()), memory);
    let said = "src/main.rs has only 1 line. Line 12 was in the one that was compiled.";
    for line in ["list", "list .", "ll"] {
        assert_eq!(shown(&mut repl, line), said, "{line}");
    }
}

#[test]
fn a_value_wins_over_a_command_of_one_letter_only() {
    let captures = ["c", "list", "q"].map(|name| capture(name, &[1, 2]));
    let mut repl = repl(scene(captures.to_vec()));
    assert_eq!(
        shown(&mut repl, "c"),
        "c = [1, 2]\n  (`!c` is the command `continue`)"
    );
    assert_eq!(shown(&mut repl, "q[1]"), "q[1] = 2");
    assert!(
        !numbers(&shown(&mut repl, "list")).is_empty(),
        "the command"
    );
    assert_eq!(shown(&mut repl, "list[0]"), "list[0] = 1");
    assert_eq!(shown(&mut repl, "p list"), "list = [1, 2]");
    assert_eq!(step(&mut repl, "!c"), Step::Continue);
    assert_eq!(step(&mut repl, "! q"), Step::Quit);
    assert_eq!(step(&mut repl, "cont"), Step::Continue);
}

#[test]
fn values_are_printed_with_and_without_p() {
    let mut repl = repl(scene(vec![capture("limit", &Some(3))]));
    assert_eq!(shown(&mut repl, "limit"), "limit = Some(3)");
    assert_eq!(shown(&mut repl, "limit.0"), "limit.0 = 3");
    assert_eq!(shown(&mut repl, "pp limit"), "limit = Some(\n    3,\n)");
    assert!(shown(&mut repl, "p limt").contains("`limt` was not captured"));
    assert!(shown(&mut repl, "limt").contains("did you mean `limit`?"));
    assert!(shown(&mut repl, "limit.x").contains("has no `x`"));
    assert!(shown(&mut repl, "args").contains("limit: Vec<u8> = Some(3)"));
}

#[test]
fn what_leaves_the_prompt_leaves_it_by_each_of_its_names() {
    let mut repl = repl(crash());
    for (lines, expected) in [
        (&["continue", "c", "cont", " c\n"][..], Step::Continue),
        (&["quit", "q"], Step::Quit),
        (&["tree", "actor"], Step::Tree),
        (&["queue", "lock"], Step::Queue),
        (&["gdb", "native"], Step::Native(NativeKind::Gdb)),
        (&["lldb"], Step::Native(NativeKind::Lldb)),
    ] {
        for line in lines {
            assert_eq!(step(&mut repl, line), expected, "{line}");
        }
    }
}

#[test]
fn kill_is_asked_once_and_forgotten_by_any_other_line() {
    let mut repl = repl(scene(Vec::new()));
    for between in ["", "info", "nonsense", "kill me"] {
        assert!(shown(&mut repl, "kill").contains("once more"), "{between}");
        shown(&mut repl, between);
    }
    assert!(shown(&mut repl, "q!").contains("once more"));
    assert_eq!(step(&mut repl, "abort"), Step::Kill);
    assert!(shown(&mut repl, "kill").contains("once more"));
}

#[test]
fn steps_offer_the_native_debugger_and_end_nothing() {
    for scene in [scene(Vec::new()), crash()] {
        let mut repl = repl(scene);
        for line in [
            "n", "next", "s", "step", "finish", "fin", "until", "until 20",
        ] {
            let said = shown(&mut repl, line);
            assert!(
                said.contains("needs the native debugger: type `gdb`"),
                "{line}: {said}"
            );
        }
    }
}

#[test]
fn the_actor_is_asked_for_what_only_it_knows() {
    let (mut repl, world) = (repl(scene(Vec::new())), Busy::default());
    let tasks = shown(&mut repl, "ps");
    let row = "  7       waiting  1 min 1 s  boss    demo::load";
    assert_eq!(tasks.lines().last(), Some(row), "{tasks}");
    assert!(shown(&mut repl, "chans").contains("boss  2.000 s  10  20   5       0      1"));
    assert_eq!(shown(&mut repl, "env"), "  debug_mode  true");
    assert!(shown(&mut repl, "info").contains("build     4f2a"));
    let cancelled = |repl: &mut Repl, line| match repl.run(line, &world) {
        Step::Show(text) => text,
        step => panic!("{step:?}"),
    };
    assert!(cancelled(&mut repl, "cancel 7").contains("is being cancelled"));
    assert!(cancelled(&mut repl, "cancel 8").contains("There is no task 8"));
    assert!(cancelled(&mut repl, "cancel -1").contains("cancel N"));
    assert_eq!(*world.cancelled.borrow(), [7, 8]);
}

#[test]
fn a_pause_has_no_error() {
    assert!(shown(&mut repl(scene(Vec::new())), "error").contains("Nothing went wrong here"));
    assert!(shown(&mut repl(crash()), "err 1").contains("a single error"));
}

#[test]
fn words_are_commands_values_and_fields() {
    let words = repl(scene(vec![capture("limit", &3)])).words();
    for word in ["continue", "q!", "limit", "where"] {
        assert!(words.contains(&word.to_owned()), "{word}");
    }
    assert!(words.is_sorted());
}

#[test]
fn what_nobody_types_gets_a_message() {
    let mut repl = repl(crash());
    for line in [
        "x".repeat(5000),
        " ".repeat(3) + &"c ".repeat(2500),
        "\0\x1b[2J\u{7f}".into(),
    ] {
        let said = shown(&mut repl, &line);
        assert!(
            !said.is_empty() && said.len() < 200 && !said.contains('\x1b'),
            "{said}"
        );
    }
    for line in [
        "!",
        "!!",
        "! ",
        "!limit",
        "p limit..",
        "limit[",
        "help nonsense",
        "c c",
    ] {
        assert!(!shown(&mut repl, line).is_empty(), "{line}");
    }
}

/// Lines that mean something other than text.
fn is_known(line: &str) -> bool {
    let line = line.trim().trim_start_matches('!').trim_start();
    let name = line.split_whitespace().next().unwrap_or("");
    command::find(name).is_some()
}

proptest! {
    #[test]
    fn garbage_is_answered_with_text(lines in prop::collection::vec(any::<String>(), 1..8)) {
        let mut repl = repl(crash()).coloured(true);
        for line in lines.iter().filter(|line| !is_known(line)) {
            let step = step(&mut repl, line);
            prop_assert!(matches!(step, Step::Show(_)), "{line:?} gave {step:?}");
        }
    }

    #[test]
    fn commands_with_garbage_behind_them_end_nothing(
        command in prop::sample::select(command::COMMANDS.iter().flat_map(|c| c.names).collect::<Vec<_>>()),
        garbage in "[ \t](\\PC|[0-9,.!\\[ ])*",
    ) {
        prop_assume!(!garbage.trim().is_empty());
        let mut repl = repl(scene(vec![capture("limit", &3)]));
        for _ in 0..2 {
            let step = step(&mut repl, &format!("{command}{garbage}"));
            prop_assert!(matches!(step, Step::Show(_)), "{step:?}");
        }
    }
}
