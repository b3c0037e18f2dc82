//! What is known of the actor and of what went wrong: the answers that are no source and no value.

use tractor_core::{Error, TaskState};

use super::text::{age, count, one_line, plain, table};
use super::view::show_place;
use super::world::{LinkLine, Skip, TaskLine, World};
use crate::scene::{Scene, Why};

/// How much of one cell of a table is shown, in characters.
const CELL_CHARS_MAX: usize = 100;

/// How many lines of an error stand above the first prompt.
const BRIEF_LINES_MAX: usize = 30;

/// The first line above the first prompt.
pub(super) fn headline(scene: &Scene) -> String {
    let mut line = format!(
        "{} actor '{}' (pid {})",
        happened(scene.why),
        one_line(scene.actor.name(), CELL_CHARS_MAX),
        scene.pid
    );
    if let Some(task) = &scene.task {
        line.push_str(&format!(", task `{}`", one_line(task, CELL_CHARS_MAX)));
    }
    if let Some(place) = &scene.place {
        line.push_str(&format!(", at {}", show_place(place)));
    }
    line
}

fn happened(why: Why) -> &'static str {
    match why {
        Why::Pause => "Paused",
        Why::Crash => "Crashed",
    }
}

/// The error above the first prompt.
pub(super) fn brief_error(error: &Error) -> String {
    let text = error.to_string();
    let text = plain(text.trim_end());
    let lines: Vec<_> = text.lines().collect();
    if lines.len() <= BRIEF_LINES_MAX {
        return text.into_owned();
    }
    let more = lines.len() - BRIEF_LINES_MAX;
    let shown = lines[..BRIEF_LINES_MAX].join("\n");
    format!("{shown}\n… {} more: `error`", count(more, "line"))
}

/// `error`: all of it, or a member of a group, counted from 1 as the report does.
pub(super) fn error(error: Option<&Error>, member: Option<usize>) -> String {
    let Some(error) = error else {
        return "Nothing went wrong here: the code asked for this prompt.".to_owned();
    };
    let Some(number) = member else {
        return plain(&error.to_string()).into_owned();
    };
    let group = error.group();
    match number.checked_sub(1).and_then(|index| group.get(index)) {
        Some(member) => plain(&member.to_string()).into_owned(),
        None if group.is_empty() => "This is a single error: `error` shows it.".to_owned(),
        None => format!(
            "There is no error {number}; there are 1 to {}.",
            group.len()
        ),
    }
}

/// The calls of others that run in an actor, as `tasks` shows them.
pub fn tasks(tasks: &[TaskLine]) -> String {
    if tasks.is_empty() {
        return "No calls of other actors run in this one.".to_owned();
    }
    let heading = ["NUMBER", "STATE", "AGE", "CALLER", "FUNCTION"].map(str::to_owned);
    let rows = tasks.iter().map(|task| {
        let caller = task.caller.as_ref().map_or("-", |caller| caller.name());
        vec![
            task.number.to_string(),
            state(task.state).to_owned(),
            age(task.age),
            cell(caller),
            cell(&task.function),
        ]
    });
    table(
        &std::iter::once(heading.to_vec())
            .chain(rows)
            .collect::<Vec<_>>(),
    )
}

fn state(state: TaskState) -> &'static str {
    match state {
        TaskState::Starting => "starting",
        TaskState::Running => "running",
        TaskState::Waiting => "waiting",
        TaskState::Cancelling => "cancelling",
        TaskState::CancelledRunning => "cancelled, runs on",
    }
}

/// `cancel N`.
pub(super) fn cancel(number: u64, world: &dyn World) -> String {
    match world.cancel_task(number) {
        true => format!("Task {number} is being cancelled; `tasks` shows whether it has ended."),
        false => format!("There is no task {number}; `tasks` shows those that run."),
    }
}

/// `where N`.
pub(super) fn task(scene: &Scene, number: u64, tasks: &[TaskLine]) -> String {
    let Some(task) = tasks.iter().find(|task| task.number == number) else {
        return format!("There is no task {number}; `tasks` shows those that run.");
    };
    let caller = task.caller.as_ref().map_or("nobody", |it| it.name());
    let text = format!(
        "Task {number} is `{}`, called by '{}', for {}, {}.",
        cell(&task.function),
        cell(caller),
        age(task.age),
        state(task.state)
    );
    let is_here = scene
        .task
        .as_ref()
        .is_some_and(|here| here.ends_with(&format!(" {number}")));
    let stack = match is_here {
        true => "This prompt is its own: `where` shows its stack.",
        false => "A task that waits has no stack; that of one that runs shows `gdb`.",
    };
    format!("{text}\n{stack}")
}

/// `skip actor`.
pub(super) fn skip_actor(world: &dyn World) -> String {
    world.skip(Skip::Actor);
    "No breakpoint of this actor stops any more; crashes do.".to_owned()
}

/// `skip`, `skip site` and `skip N`.
pub(super) fn skip_site(scene: &Scene, times: Option<u64>, world: &dyn World) -> String {
    let (Why::Pause, Some(place)) = (scene.why, &scene.place) else {
        return "This is no breakpoint: `skip actor` and `skip all` skip all others.".to_owned();
    };
    world.skip(Skip::Site {
        file: place.file.clone(),
        line: place.line,
        times,
    });
    let place = show_place(place);
    match times {
        None => format!("The breakpoint at {place} stops no more."),
        Some(times) => format!("The breakpoint at {place} stops after {times} more."),
    }
}

/// `log`.
pub(super) fn log(lines: &[String]) -> String {
    match lines {
        [] => "Nothing was logged here; `env` shows the level.".to_owned(),
        lines => {
            let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
            lines.join("\n")
        }
    }
}

/// `chans`.
pub(super) fn links(links: &[LinkLine]) -> String {
    if links.is_empty() {
        return "This actor has no links.".to_owned();
    }
    let heading = ["PEER", "AGE", "IN", "OUT", "QUEUED", "CALLS", "TASKS"].map(str::to_owned);
    let rows = links.iter().map(|link| {
        vec![
            cell(link.peer.name()),
            age(link.age),
            link.bytes_in.to_string(),
            link.bytes_out.to_string(),
            link.bytes_queued.to_string(),
            link.calls.to_string(),
            link.tasks.to_string(),
        ]
    });
    let table = table(
        &std::iter::once(heading.to_vec())
            .chain(rows)
            .collect::<Vec<_>>(),
    );
    format!("{table}\n  IN, OUT and QUEUED in bytes.")
}

/// `env`.
pub(super) fn vars(vars: &[(String, String)]) -> String {
    match vars {
        [] => "No variables were handed down to this actor.".to_owned(),
        vars => pairs(vars),
    }
}

/// `info`.
pub(super) fn info(scene: &Scene, world: &dyn World) -> String {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("actor", format!("{:?}", scene.actor)),
        fact("pid", scene.pid.to_string()),
        fact("task", scene.task.clone().unwrap_or_else(|| "-".to_owned())),
        fact("why", happened(scene.why).to_lowercase()),
    ];
    if let Some(place) = &scene.place {
        facts.push(fact("place", show_place(place)));
        facts.push(fact("module", place.module.clone()));
        facts.extend(place.manifest_dir.clone().map(|dir| fact("crate", dir)));
    }
    let stack = if scene.backtrace.is_some() {
        "recorded"
    } else {
        "not recorded"
    };
    facts.push(fact("captured", count(scene.captures.len(), "value")));
    facts.push(fact("stack", stack.to_owned()));
    facts.extend(world.facts());
    pairs(&facts)
}

fn pairs(pairs: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| vec![cell(name), one_line(value, 400)];
    table(&pairs.iter().map(row).collect::<Vec<_>>())
}

fn cell(text: &str) -> String {
    one_line(text, CELL_CHARS_MAX)
}
