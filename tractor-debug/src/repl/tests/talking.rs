//! What values, ways out and questions answer, and what garbage does.

use proptest::prelude::*;

use super::*;

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
    let native = |kind| {
        let commands = Vec::new();
        Step::Native(Native { kind, commands })
    };
    let mut repl = repl(crash());
    for (lines, expected) in [
        (&["continue", "c", "cont", " c\n"][..], Step::Continue),
        (&["quit", "q"], Step::Quit),
        (&["tree", "actor"], Step::Tree),
        (&["queue", "lock"], Step::Queue),
        (&["queue go 2", "lock go 2"], Step::Prefer(2)),
        (&["gdb", "native"], native(NativeKind::Gdb)),
        (&["lldb"], native(NativeKind::Lldb)),
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
                said.contains("needs the native debugger: `gdb -- "),
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
fn what_is_skipped_is_this_breakpoint_or_more() {
    let (mut at_pause, mut at_crash, world) =
        (repl(scene(Vec::new())), repl(crash()), Busy::default());
    let place = |times| Skip::Site {
        file: "src/main.rs".to_owned(),
        line: 12,
        times,
    };
    for (line, skip, said) in [
        ("skip", place(None), "src/main.rs:12 stops no more"),
        ("skip 3", place(Some(3)), "stops after 3 more"),
        ("skip actor", Skip::Actor, "of this actor"),
    ] {
        let step = at_pause.run(line, &world);
        assert!(
            matches!(&step, Step::Show(text) if text.contains(said)),
            "{step:?}"
        );
        assert_eq!(world.skipped.borrow_mut().pop(), Some(skip), "{line}");
    }
    assert_eq!(at_pause.run("skip all", &world), Step::SkipAll);
    assert!(shown(&mut at_crash, "skip").contains("This is no breakpoint"));
    assert!(world.skipped.borrow().is_empty());
}

#[test]
fn the_log_is_shown_without_what_a_terminal_would_obey() {
    let mut repl = repl(scene(Vec::new()));
    assert_eq!(shown(&mut repl, "log 1"), "load begins");
    let log = shown(&mut repl, "log");
    assert!(log.contains("tea") && !log.contains('\x1b'), "{log}");
    assert!(shown(&mut repl, "log 0").contains("Nothing was logged"));
}

#[test]
fn a_task_is_told_of_by_its_number() {
    let mut repl = repl(scene(Vec::new()));
    let task = shown(&mut repl, "where 7");
    for text in ["`demo::load`", "'boss'", "1 min 1 s", "waiting", "its own"] {
        assert!(task.contains(text), "{task}");
    }
    assert!(shown(&mut repl, "where 8").contains("no task 8"));
}

#[test]
fn a_pause_has_no_error() {
    assert!(shown(&mut repl(scene(Vec::new())), "error").contains("Nothing went wrong here"));
    assert!(shown(&mut repl(crash()), "err 1").contains("a single error"));
}

#[test]
fn a_prompt_can_go_to_another_thread() {
    fn goes<T: Send + 'static>(_: T) {}
    goes(repl(crash()));
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

/// Anything, and more often what means something.
const LINE: &str = "(\\PC|[cqklpw!.,\\[\\]0-9 \\t]|[\\x00-\\x1f\\x7f])*";

/// Lines that mean something other than text.
fn is_known(line: &str) -> bool {
    let line = line.trim().trim_start_matches('!').trim_start();
    let name = line.split_whitespace().next().unwrap_or("");
    command::find(name).is_some()
}

proptest! {
    #[test]
    fn garbage_is_answered_with_text(lines in prop::collection::vec(LINE, 1..8)) {
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
