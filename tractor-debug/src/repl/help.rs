//! What is said about commands: all of them, one of them, and what was probably meant.

use super::command::{COMMANDS, Entry, find};
use super::text::{one_line, table};

/// How many characters of what was typed are said back.
const ECHO_CHARS_MAX: usize = 40;

/// `help`, and `help COMMAND`.
pub(super) fn help(topic: Option<&str>) -> String {
    let Some(topic) = topic else {
        return all();
    };
    match find(topic) {
        Some(entry) => format!("{}\n  {}", entry.usage(), entry.summary),
        None => format!("{} `help` shows all.", unknown(topic, &[])),
    }
}

fn all() -> String {
    let row = |entry: &Entry| vec![entry.usage(), entry.summary.to_owned()];
    let rows: Vec<_> = COMMANDS.iter().map(row).collect();
    format!(
        "{}\n\n\
         A name that was captured is shown when it is typed alone; if it is also the name of a\n\
         command of one letter, `!` before it means the command. An empty line repeats `list` and\n\
         `where`, and nothing else.",
        table(&rows)
    )
}

/// What to say when the arguments of a command are not understood.
pub(super) fn usage(entry: &Entry) -> String {
    format!(
        "That is not how `{}` is used: {}",
        entry.names[0],
        entry.usage()
    )
}

/// What to say of a line that is neither a command nor a value; `values` are what it could have
/// been besides commands.
pub(super) fn unknown(line: &str, values: &[&str]) -> String {
    let echo = one_line(line, ECHO_CHARS_MAX);
    let name = line.split_whitespace().next().unwrap_or("");
    match nearest(name, values) {
        Some(nearest) => format!(
            "There is no `{echo}`; did you mean `{}`?",
            one_line(nearest, 80)
        ),
        None => format!("There is no `{echo}`."),
    }
}

/// The command or value whose name differs least, if it differs by little.
pub(super) fn nearest<'a>(typed: &str, values: &[&'a str]) -> Option<&'a str> {
    // One in three letters may be wrong: `qiut`, `contnue`, not `cat` for `env`.
    let errors_max = match typed.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=24 => 2,
        _ => return None,
    };
    let commands = COMMANDS.iter().flat_map(|entry| entry.names).copied();
    let names = values.iter().copied().chain(commands);
    let of_length = names.filter(|name| (3..=26).contains(&name.chars().count()));
    let near = of_length.map(|name| (distance(typed, name), name));
    let nearest = near.min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= errors_max).then_some(nearest.1)
}

/// How many letters to insert, remove, replace or swap with their neighbour, to make one of the
/// other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let is_swap = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if is_swap {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_shows_every_command() {
        let all = help(None);
        for entry in &COMMANDS {
            assert!(all.contains(entry.names[0]), "{all}");
            assert!(help(Some(entry.names[0])).contains(entry.summary));
        }
        assert!(all.lines().all(|line| line.chars().count() <= 120), "{all}");
    }

    #[test]
    fn help_for_what_is_no_command_says_so() {
        assert_eq!(
            help(Some("contineu")),
            "There is no `contineu`; did you mean `continue`? `help` shows all."
        );
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        for (typed, meant) in [
            ("qiut", Some("quit")),
            ("lsit", Some("list")),
            ("contnue", Some("continue")),
            ("whre", Some("where")),
            ("ordr", Some("order")),
            ("xyzzy", None),
            ("constant", None),
            ("qq", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &["order"]), meant, "{typed}");
        }
    }

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance("qiut", "quit"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("list", "list"), 0);
    }

    #[test]
    fn a_long_line_is_not_said_back_as_a_whole() {
        let said = unknown(&"x".repeat(5000), &[]);
        assert!(said.len() < 120, "{said}");
    }
}
