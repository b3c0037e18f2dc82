//! What is shown of the source, the stack and the error.

use super::*;

#[test]
fn the_opening_of_a_pause_shows_place_source_and_values() {
    let repl = repl(scene(vec![capture("c", &"x"), capture("limit", &3)]));
    let opening = repl.opening();
    let lines: Vec<_> = opening.lines().collect();
    assert_eq!(
        lines[0],
        "Paused actor 'worker' (pid 123), task `load 7`, at src/main.rs:12"
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
        opening.starts_with("Crashed actor 'worker' (pid 123)"),
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
    shown(&mut repl, "list 1,2");
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
