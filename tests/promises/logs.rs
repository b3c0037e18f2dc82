//! The log: whole lines of one form from all of the tree, at one level, or a child's own.

use tractor::{Ending, open_nursery};

use crate::support::{Ended, Program, program, signal};
use tractor_core::process::Signal;

/// What a line of the log says, but for its text.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    level: &'a str,
    actor: &'a str,
    pid: u32,
    target: &'a str,
    task: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Takes apart `12:03:04.123 INFO  worker[4711] demo::load (load 12): text`.
    fn parse(line: &'a str) -> Option<(Self, &'a str)> {
        let (time, rest) = line.split_at_checked(13)?;
        let is_digit = |at: usize| time.as_bytes()[at].is_ascii_digit();
        let form = "dd:dd:dd.ddd ".bytes().enumerate();
        let fits = form.clone().all(|(at, byte)| match byte {
            b'd' => is_digit(at),
            other => time.as_bytes()[at] == other,
        });
        let (level, rest) = rest.split_at_checked(6).filter(|_| fits)?;
        let (actor, rest) = rest.split_once('[')?;
        let (pid, rest) = rest.split_once("] ")?;
        let (place, text) = rest.split_once(": ")?;
        let (target, task) = match place.split_once(" (") {
            Some((target, task)) => (target, Some(task.strip_suffix(')')?)),
            None => (place, None),
        };
        let level = level.trim_end();
        Some((
            Self {
                level,
                actor,
                pid: pid.parse().ok()?,
                target,
                task,
            },
            text,
        ))
    }
}

fn lines(ended: &Ended) -> Vec<(Line<'_>, &str)> {
    assert!(ended.status.success(), "{}", ended.output);
    let parsed = ended
        .output
        .lines()
        .map(|line| Line::parse(line).unwrap_or_else(|| panic!("{line:?} is no line of the log")));
    parsed.collect()
}

/// The levels at which the actor has logged, in order.
fn levels(lines: &[(Line<'_>, &str)], actor: &str) -> Vec<String> {
    let of_actor = lines.iter().filter(|(line, _)| line.actor == actor);
    of_actor.map(|(line, _)| line.level.to_owned()).collect()
}

fn run(name: &str, filter: Option<&str>) -> Ended {
    let mut command = program("programs");
    command.arg(name).env_remove("TRACTOR_LOG");
    if let Some(filter) = filter {
        command.env("TRACTOR_LOG", filter);
    }
    Program::start(command).end()
}

#[test]
fn the_tree_logs_at_one_level_and_a_child_at_its_own() {
    let ended = run("logs", None);
    let lines = lines(&ended);
    let (all, until_info) = (
        ["ERROR", "WARN", "INFO", "DEBUG"],
        ["ERROR", "WARN", "INFO"],
    );
    assert_eq!(levels(&lines, "root"), until_info, "{}", ended.output);
    assert_eq!(levels(&lines, "plain"), until_info);
    assert_eq!(levels(&lines, "loud"), all);
    assert_eq!(
        levels(&lines, "below"),
        all,
        "a child's level is that of those below it"
    );
    assert_eq!(levels(&lines, "quiet"), ["ERROR"]);
}

#[test]
fn a_line_tells_time_level_actor_pid_target_and_task() {
    let ended = run("logs", None);
    let lines = lines(&ended);
    for (line, text) in &lines {
        assert_eq!((line.target, *text), ("programs::logging", "text"));
    }
    let of = |actor: &str| {
        &lines
            .iter()
            .find(|(line, _)| line.actor == actor)
            .unwrap()
            .0
    };
    let (root, plain, loud) = (of("root"), of("plain"), of("loud"));
    assert!(root.pid != plain.pid && plain.pid != loud.pid);
    assert_eq!(root.task, None, "it is no task of a peer");
    assert!(plain.task.unwrap().starts_with("log_levels "), "{plain:?}");
}

#[test]
fn the_environment_has_the_last_word_on_the_trees_level() {
    let ended = run("logs", Some("off,programs=warn"));
    let lines = lines(&ended);
    assert_eq!(levels(&lines, "root"), ["ERROR", "WARN"]);
    assert_eq!(levels(&lines, "plain"), ["ERROR", "WARN"]);
    assert_eq!(
        levels(&lines, "loud").len(),
        4,
        "what a child is told by name stays"
    );
}

#[test]
fn an_environment_that_is_not_understood_is_told_at_the_start() {
    let ended = run("logs", Some("programs=loud"));
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    let told = "read log filter `programs=loud`: `programs=loud` is not of the form";
    assert!(ended.output.contains(told), "{}", ended.output);
}

#[test]
fn lines_of_several_actors_do_not_mix() {
    let ended = run("logs_much", None);
    let lines = lines(&ended);
    assert_eq!(lines.len(), 600);
    for actor in ["logger0", "logger1", "logger2"] {
        let texts = lines
            .iter()
            .filter(|(line, _)| line.actor == actor)
            .map(|(_, text)| text);
        for (number, text) in texts.enumerate() {
            let whole =
                text.starts_with(&format!("{number} of 200: long ")) && text.ends_with("end");
            assert!(whole, "{text}");
        }
    }
}

#[test]
fn daemons_that_nobody_cancels_are_named_after_five_seconds() {
    let mut command = program("programs");
    command.arg("forgets_daemons").env_remove("TRACTOR_LOG");
    let mut forgetful = Program::start(command);
    forgetful.wait_for("block ended");
    let named = forgetful.wait_for("the nursery's block ended 5s ago, and it waits for ");
    assert_eq!(
        named,
        "'first', 'second': nobody has cancelled them (`Portal::cancel_actor`, `Nursery::cancel` \
         or `OnExit::CancelDaemons` does)"
    );
    let (line, _) =
        Line::parse(forgetful.lines().last().unwrap()).expect("it is a line of the log");
    assert_eq!((line.level, line.actor), ("WARN", "root"));
    signal(forgetful.pid(), Signal::Interrupt);
    let ended = forgetful.end();
    assert_eq!(
        ended.output.matches("block ended").count(),
        2,
        "once is enough: {}",
        ended.output
    );
}

#[tractor::test]
async fn a_level_that_is_not_understood_is_refused_before_a_process_is_started() {
    let result: tractor::Result<()> = open_nursery(async |nursery| {
        nursery
            .start_actor("odd")
            .log_level("programs=loud")
            .await
            .map(drop)
    })
    .await;
    let error = result.unwrap_err();
    assert!(
        matches!(error.ending(), Ending::NotSpawned { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("programs=loud"), "{error}");
}
