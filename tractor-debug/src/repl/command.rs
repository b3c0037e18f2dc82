//! The commands of a prompt: their names, and what a line that begins with one means.

use super::{Native, NativeKind};

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Continue,
    Quit,
    Kill,
    List(Lines),
    LongList,
    Where {
        full: bool,
    },
    Up(usize),
    Down(usize),
    Frame(Option<usize>),
    Locals,
    Print {
        what: String,
        pretty: bool,
    },
    Error(Option<usize>),
    Tasks,
    Task(u64),
    Cancel(u64),
    Skip(Skipped),
    Log(usize),
    Tree,
    Queue,
    /// Who is next, by its number in the queue.
    Prefer(usize),
    Links,
    Vars,
    Info,
    Help(Option<String>),
    Native(Native),
    /// What only a native debugger can do.
    Step(&'static Entry),
}

/// Which breakpoints `skip` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    /// This one, for ever or so many times.
    Site(Option<u64>),
    Actor,
    All,
}

/// Which lines `list` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lines {
    /// Those after the last ones shown; at first those around the current line.
    Next,
    /// Those around the current line.
    Current,
    Around(usize),
    /// Both included.
    Between(usize, usize),
    Function(String),
}

/// What a line is, if it is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoCommand {
    /// It begins with no name of a command.
    Unknown,
    /// It does, but the arguments are none that this command takes.
    Usage(&'static Entry),
}

/// A command as `help` shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    verb: Verb,
    /// What one can type, the full name first.
    pub(super) names: &'static [&'static str],
    /// What may follow, as it is shown.
    pub(super) arguments: &'static str,
    /// What it does, after the name and a few spaces.
    pub(super) summary: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Continue,
    Quit,
    Kill,
    List,
    LongList,
    Where,
    Up,
    Down,
    Frame,
    Locals,
    Print,
    Pretty,
    Error,
    Tasks,
    Cancel,
    Skip,
    Log,
    Tree,
    Queue,
    Links,
    Vars,
    Info,
    Help,
    Gdb,
    Lldb,
    Step,
}

const fn entry(
    verb: Verb,
    names: &'static [&'static str],
    arguments: &'static str,
    summary: &'static str,
) -> Entry {
    Entry {
        verb,
        names,
        arguments,
        summary,
    }
}

/// All commands, in the order in which `help` shows them.
#[rustfmt::skip]
pub(super) static COMMANDS: [Entry; 29] = [
    entry(Verb::Continue, &["continue", "c", "cont"], "", "goes on, and passes the terminal on (also Ctrl-D)"),
    entry(Verb::Quit, &["quit", "q"], "", "ends the paused task with the error DebuggerQuit; after a crash as `continue`"),
    entry(Verb::Kill, &["kill", "q!", "abort"], "", "cancels the whole tree; asks once"),
    entry(Verb::List, &["list", "l"], "[. | N | A,B | FUNCTION]", "the source around the current line, then what follows"),
    entry(Verb::LongList, &["longlist", "ll"], "", "the whole function around the current line"),
    entry(Verb::Where, &["where", "w", "bt"], "[full | N]", "the stack, with `full` also the runtime's frames; or what is known of task N"),
    entry(Verb::Up, &["up", "u"], "[N]", "looks at the source of the caller"),
    entry(Verb::Down, &["down", "d"], "[N]", "looks at the source of what was called"),
    entry(Verb::Frame, &["frame", "f"], "[N]", "looks at the source of frame N of `where`"),
    entry(Verb::Locals, &["locals", "lo", "args"], "", "the captured values, one a line"),
    entry(Verb::Print, &["p", "print"], "NAME[.FIELD | [N]]...", "a captured value, or a part of it"),
    entry(Verb::Pretty, &["pp"], "NAME[.FIELD | [N]]...", "the same, on several lines"),
    entry(Verb::Error, &["error", "err", "exc"], "[N]", "what went wrong, with its causes; of several the Nth"),
    entry(Verb::Tasks, &["tasks", "ps"], "", "the calls that run in this actor"),
    entry(Verb::Cancel, &["cancel"], "N", "cancels the task of number N"),
    entry(Verb::Skip, &["skip"], "[N | site | actor | all]", "does not stop here again, or the next N times; `actor`, `all`: at no breakpoint"),
    entry(Verb::Log, &["log"], "[N]", "the last N lines of the actor's log, 20 by default"),
    entry(Verb::Tree, &["tree", "actor"], "", "the actors of the tree"),
    entry(Verb::Queue, &["queue", "lock"], "[go N]", "who has the terminal and who waits for it; the Nth is to be next"),
    entry(Verb::Links, &["chans"], "", "the links to other actors"),
    entry(Verb::Vars, &["env"], "", "the variables handed down to this actor"),
    entry(Verb::Info, &["info"], "", "where this prompt stands"),
    entry(Verb::Gdb, &["gdb", "native"], "[-- COMMAND; ...]", "gives the terminal to gdb, attached to this process; it does these first"),
    entry(Verb::Lldb, &["lldb"], "[-- COMMAND; ...]", "the same with lldb"),
    entry(Verb::Step, &["next", "n"], "", "needs the native debugger: runs to the next line"),
    entry(Verb::Step, &["step", "s"], "", "needs the native debugger: runs into the next call"),
    entry(Verb::Step, &["finish", "fin"], "", "needs the native debugger: runs until this function returns"),
    entry(Verb::Step, &["until", "unt"], "[LINE]", "needs the native debugger: runs to a line further down"),
    entry(Verb::Help, &["help", "h", "?"], "[COMMAND]", "all commands, or one"),
];

/// The command of that name, full or short.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.names.contains(&name))
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Command, NoCommand> {
    let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let entry = find(name).ok_or(NoCommand::Unknown)?;
    entry
        .command(arguments.trim())
        .ok_or(NoCommand::Usage(entry))
}

impl Entry {
    /// What it means with these arguments, `None` if nothing.
    fn command(&'static self, arguments: &str) -> Option<Command> {
        if let Verb::Step = self.verb {
            return Some(Command::Step(self));
        }
        let with_argument = match self.verb {
            Verb::List => Some(Command::List(Lines::parse(arguments)?)),
            Verb::Where => Some(match arguments {
                "" => Command::Where { full: false },
                "full" => Command::Where { full: true },
                number => Command::Task(number.parse().ok()?),
            }),
            Verb::Skip => Some(Command::Skip(match arguments {
                "" | "site" => Skipped::Site(None),
                "actor" => Skipped::Actor,
                "all" => Skipped::All,
                times => Skipped::Site(Some(times.parse().ok()?)),
            })),
            Verb::Queue if !arguments.is_empty() => {
                let place = arguments.strip_prefix("go")?;
                let place = place.strip_prefix(char::is_whitespace)?.trim();
                Some(Command::Prefer(place.parse().ok()?))
            }
            Verb::Log => Some(Command::Log(number_or(LOG_LINES, arguments)?)),
            Verb::Up => Some(Command::Up(number_or(1, arguments)?)),
            Verb::Down => Some(Command::Down(number_or(1, arguments)?)),
            Verb::Frame => Some(Command::Frame(optional_number(arguments)?)),
            Verb::Print | Verb::Pretty => Some(Command::Print {
                what: Some(arguments).filter(|what| !what.is_empty())?.to_owned(),
                pretty: self.verb == Verb::Pretty,
            }),
            Verb::Error => Some(Command::Error(optional_number(arguments)?)),
            Verb::Cancel => Some(Command::Cancel(arguments.parse().ok()?)),
            Verb::Gdb => Some(native(NativeKind::Gdb, arguments)?),
            Verb::Lldb => Some(native(NativeKind::Lldb, arguments)?),
            Verb::Help => {
                let topic = Some(arguments).filter(|topic| !topic.is_empty());
                Some(Command::Help(topic.map(str::to_owned)))
            }
            _ => None,
        };
        with_argument.or_else(|| self.alone().filter(|_| arguments.is_empty()))
    }

    /// What it means if it takes no arguments.
    fn alone(&self) -> Option<Command> {
        Some(match self.verb {
            Verb::Continue => Command::Continue,
            Verb::Quit => Command::Quit,
            Verb::Kill => Command::Kill,
            Verb::LongList => Command::LongList,
            Verb::Locals => Command::Locals,
            Verb::Tasks => Command::Tasks,
            Verb::Tree => Command::Tree,
            Verb::Queue => Command::Queue,
            Verb::Links => Command::Links,
            Verb::Vars => Command::Vars,
            Verb::Info => Command::Info,
            _ => return None,
        })
    }

    /// How to type it: `list (l) [. | N | A,B | FUNCTION]`.
    pub(super) fn usage(&self) -> String {
        let mut usage = self.names[0].to_owned();
        if let [_, short @ ..] = self.names
            && !short.is_empty()
        {
            usage.push_str(&format!(" ({})", short.join(", ")));
        }
        if !self.arguments.is_empty() {
            usage.push(' ');
            usage.push_str(self.arguments);
        }
        usage
    }
}

impl Lines {
    fn parse(arguments: &str) -> Option<Self> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if let Some((first, last)) = arguments.split_once(',') {
            let (first, last) = (line(first)?, line(last)?);
            return (first <= last).then_some(Self::Between(first, last));
        }
        match arguments {
            "" => Some(Self::Next),
            "." => Some(Self::Current),
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                line(number).map(Self::Around)
            }
            name if name.chars().all(is_name) => Some(Self::Function(name.to_owned())),
            _ => None,
        }
    }
}

/// The native debugger, with what follows `--` as its first commands, each up to a `;` that is not
/// quoted.
fn native(kind: NativeKind, arguments: &str) -> Option<Command> {
    let mut commands = Vec::new();
    if !arguments.is_empty() {
        let rest = arguments.strip_prefix("--")?;
        let rest = rest.strip_prefix(char::is_whitespace)?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let pieces = rest.split(|c| {
            is_quoted = (is_quoted ^ (c == '"' && !is_escaped)) && c != '\n';
            is_escaped = c == '\\' && !is_escaped;
            c == '\n' || (c == ';' && !is_quoted)
        });
        let pieces = pieces.map(str::trim).filter(|piece| !piece.is_empty());
        commands.extend(pieces.map(str::to_owned));
        if commands.is_empty() {
            return None;
        }
    }
    Some(Command::Native(Native { kind, commands }))
}

/// How many lines `log` shows.
const LOG_LINES: usize = 20;

/// The number of a line, from 1.
fn line(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|number| *number > 0)
}

fn number_or(default: usize, text: &str) -> Option<usize> {
    optional_number(text).map(|number| number.unwrap_or(default))
}

/// `None` if it is something else than a number or nothing.
fn optional_number(text: &str) -> Option<Option<usize>> {
    match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_commands_share_a_name() {
        let mut names = BTreeSet::new();
        for name in COMMANDS.iter().flat_map(|entry| entry.names) {
            assert!(names.insert(name), "{name}");
        }
    }

    #[test]
    fn every_command_can_be_typed_by_each_of_its_names() {
        for entry in &COMMANDS {
            for name in entry.names {
                let parsed = parse(name).or_else(|_| parse(&format!("{name} 1")));
                assert!(parsed.is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn list_takes_a_line_a_range_or_a_function() {
        let list = |lines| Ok(Command::List(lines));
        assert_eq!(parse("l"), list(Lines::Next));
        assert_eq!(parse("list ."), list(Lines::Current));
        assert_eq!(parse("l\t12"), list(Lines::Around(12)));
        assert_eq!(parse("l 3 , 7"), list(Lines::Between(3, 7)));
        assert_eq!(parse("l load"), list(Lines::Function("load".to_owned())));
        for wrong in [
            "l 7,3",
            "l 0",
            "l 12x",
            "l -1",
            "l 1,2,3",
            "l a b",
            "l 99999999999999999999",
        ] {
            assert!(matches!(parse(wrong), Err(NoCommand::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn arguments_where_none_belong_are_refused() {
        for wrong in [
            "c 5",
            "quit now",
            "kill all",
            "gdb -p 1",
            "where x",
            "skip it",
            "log x",
            "up x",
            "cancel",
            "p",
            "gdb --",
            "gdb -- ;",
            "gdb --bt",
            "lldb bt",
            "queue 2",
            "queue go",
            "queue go x",
            "queue gone 2",
        ] {
            assert!(matches!(parse(wrong), Err(NoCommand::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn names_are_whole_words() {
        for unknown in ["", "continued", "C", "q!!", "cont1", "list,1"] {
            assert_eq!(parse(unknown), Err(NoCommand::Unknown), "{unknown}");
        }
        assert_eq!(parse("q!"), Ok(Command::Kill));
        assert_eq!(parse("bt full"), Ok(Command::Where { full: true }));
        assert_eq!(parse("u 2"), Ok(Command::Up(2)));
        assert_eq!(parse("w 7"), Ok(Command::Task(7)));
        assert_eq!(parse("queue go  2"), Ok(Command::Prefer(2)));
    }

    #[test]
    fn skip_means_here_unless_it_says_more() {
        for (line, skipped) in [
            ("skip", Skipped::Site(None)),
            ("skip site", Skipped::Site(None)),
            ("skip 3", Skipped::Site(Some(3))),
            ("skip actor", Skipped::Actor),
            ("skip all", Skipped::All),
        ] {
            assert_eq!(parse(line), Ok(Command::Skip(skipped)), "{line}");
        }
    }

    #[test]
    fn a_native_debugger_is_told_what_follows_two_dashes() {
        for (line, told) in [
            ("gdb", &[][..]),
            ("gdb -- bt full", &["bt full"]),
            ("gdb --\tup; info locals ;", &["up", "info locals"]),
            (
                r#"gdb -- printf "a;b", 1; p x"#,
                &[r#"printf "a;b", 1"#, "p x"],
            ),
            (r#"gdb -- echo \";\"; up"#, &[r#"echo \""#, r#"\""#, "up"]),
            ("gdb -- \"bt\nup; bt", &["\"bt", "up", "bt"]),
        ] {
            let commands = told.iter().map(|&it| it.to_owned()).collect();
            let kind = NativeKind::Gdb;
            let native = Command::Native(Native { kind, commands });
            assert_eq!(parse(line), Ok(native), "{line}");
        }
    }

    #[test]
    fn usage_shows_names_and_arguments() {
        let usage = |name| find(name).map(Entry::usage);
        assert_eq!(
            usage("l").as_deref(),
            Some("list (l) [. | N | A,B | FUNCTION]")
        );
        assert_eq!(usage("env").as_deref(), Some("env"));
    }
}
