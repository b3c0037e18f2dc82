//! The log of a tree: every actor writes lines of one form to its standard error.
//!
//! A line holds the time of day (UTC), the level, the actor, the target, the task and the text,
//! as in `12:03:04.123 INFO  worker[4711] demo::load (task 12): text`. It is one write, so lines
//! of several processes do not mix. A standard error that is closed loses lines and does nothing
//! else: no panic, no retry.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::{Logger, Target, WriteStyle};
use log::{Level, LevelFilter, Log, Metadata, Record};
use tractor_ipc::ActorId;

/// The environment variable that says what is logged, such as `info` or
/// `warn,my_crate::load=debug`. It wins over what the program asks for.
pub const FILTER_VARIABLE: &str = "TRACTOR_LOG";

/// What is logged if nobody says: warnings and errors.
pub const FILTER_DEFAULT: &str = "warn";

/// How an actor logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// What is logged, in the syntax of [`FILTER_VARIABLE`], as [`tree_filter`] gave it in the
    /// root or as the parent wants it for this child. `None` is what [`tree_filter`] gives for
    /// no option.
    pub filter: Option<String>,
    /// Who logs.
    pub actor: ActorId,
}

/// Starts the log of this process. A logger that the program has set already stays, unchanged.
///
/// # Errors
///
/// [`FilterError`] if the filter is not understood; nothing is set then. Whoever wrote it, the
/// program or the user, corrects it.
pub fn init(settings: LogSettings) -> Result<(), FilterError> {
    let filter = settings.filter.unwrap_or_else(|| tree_filter(None));
    check_filter(&filter)?;
    let logger = build(&filter, settings.actor);
    let level = logger.filter();
    match log::set_boxed_logger(Box::new(Paced(logger))) {
        Ok(()) => log::set_max_level(level),
        Err(_) => log::debug!("the logger that is set already stays, `{filter}` is not used"),
    }
    Ok(())
}

/// What a tree logs whose program asks for `option`: [`FILTER_VARIABLE`] if it is set and not
/// empty, else the option, else [`FILTER_DEFAULT`]. The root hands it down as text.
pub fn tree_filter(option: Option<&str>) -> String {
    let variable = std::env::var(FILTER_VARIABLE).ok();
    choose_filter(variable.as_deref(), option).to_owned()
}

/// Checks a filter before it is used or handed to a child.
///
/// # Errors
///
/// [`FilterError`] naming the part that is not understood.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    // The logger itself would write its complaint to a standard error that may be closed.
    let error = |part: &str| FilterError {
        filter: filter.to_owned(),
        part: part.to_owned(),
    };
    let (directives, text) = filter.split_once('/').unwrap_or((filter, ""));
    if text.contains('/') {
        return Err(error(text));
    }
    for directive in directives.split(',').map(str::trim) {
        let Some((_, level)) = directive.split_once('=') else {
            continue;
        };
        let level = level.trim();
        if !level.is_empty() && level.parse::<LevelFilter>().is_err() {
            return Err(error(directive));
        }
    }
    Ok(())
}

/// Has the lines of this process go to `sink` instead of its standard error, without their ends.
///
/// It is called on the thread that logs, while others that log wait, so it must not wait itself.
/// `pace` is called after it, and may.
pub fn divert(
    sink: impl Fn(&str) + Send + Sync + 'static,
    pace: impl Fn() + Send + Sync + 'static,
) {
    let (line, pace) = (Box::new(sink), Box::new(pace));
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Sink { line, pace }));
}

/// Has the lines of this process go to its standard error again. Those that were given to the sink
/// are there when this returns.
pub fn restore() {
    let sink = SINK.write().unwrap_or_else(PoisonError::into_inner).take();
    drop(sink);
}

/// Has each line name the task that `namer` tells, such as `task 12`. It is asked on the thread
/// that logs, must not log itself, and can be set once.
#[doc(hidden)]
pub fn set_task_namer(namer: fn() -> Option<String>) {
    // A second runtime in this process has the same one.
    let _ = TASK_NAMER.set(namer);
}

/// A text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read log filter `{filter}`: `{part}` is not of the form `level` or `target=level`")]
pub struct FilterError {
    filter: String,
    part: String,
}

/// Where lines go instead of standard error.
struct Sink {
    line: Box<dyn Fn(&str) + Send + Sync>,
    pace: Box<dyn Fn() + Send + Sync>,
}

static SINK: RwLock<Option<Arc<Sink>>> = RwLock::new(None);

static TASK_NAMER: OnceLock<fn() -> Option<String>> = OnceLock::new();

fn choose_filter<'a>(variable: Option<&'a str>, option: Option<&'a str>) -> &'a str {
    let said = |text: &&str| !text.trim().is_empty();
    (variable.filter(said))
        .or_else(|| option.filter(said))
        .unwrap_or(FILTER_DEFAULT)
}

fn build(filter: &str, actor: ActorId) -> Logger {
    let stderr = io::stderr();
    let colour = is_coloured(stderr.is_terminal(), |name| std::env::var(name).ok());
    let style = match colour {
        true => WriteStyle::Always,
        false => WriteStyle::Never,
    };
    let pid = std::process::id();
    let form = move |out: &mut env_logger::fmt::Formatter, record: &Record<'_>| {
        let line = Line {
            time: SystemTime::now(),
            level: record.level(),
            actor: actor.name(),
            pid,
            target: record.target(),
            task: TASK_NAMER.get().and_then(|namer| namer()),
            text: record.args(),
        };
        line.write(out, colour)
    };
    env_logger::Builder::new()
        .parse_filters(filter)
        .format(form)
        .write_style(style)
        .target(Target::Pipe(Box::new(Diverted(WholeLines(stderr)))))
        .build()
}

/// Colour is for people, and only if they have not declined it.
fn is_coloured(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let declined = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    is_terminal && !declined && !dumb
}

/// What one line says.
struct Line<'a> {
    time: SystemTime,
    level: Level,
    actor: &'a str,
    pid: u32,
    target: &'a str,
    task: Option<String>,
    text: &'a Arguments<'a>,
}

impl Line<'_> {
    fn write(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let (on, off) = match colour {
            true => (colour_of(self.level), "\x1b[0m"),
            false => ("", ""),
        };
        // A clock before 1970 shows midnight, which is as good as what it says.
        let time = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (time.as_secs(), time.subsec_millis());
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(out, "{hour:02}:{minute:02}:{second:02}.{millis:03} ")?;
        write!(out, "{on}{:<5}{off} ", self.level)?;
        write!(out, "{}[{}] {}", self.actor, self.pid, self.target)?;
        if let Some(task) = &self.task {
            write!(out, " ({task})")?;
        }
        writeln!(out, ": {}", self.text)
    }
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[36m",
    }
}

/// Logs, and lets whoever logs too fast wait, where nobody else has to wait for it.
struct Paced(Logger);

impl Log for Paced {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.log(record);
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sink) = sink.filter(|_| self.0.matches(record)) {
            (sink.pace)();
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Writes to the sink, if there is one.
struct Diverted<W>(W);

impl<W: Write> Write for Diverted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Kept, so that nobody ends it meanwhile.
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = &*sink else {
            drop(sink);
            return self.0.write(line);
        };
        (sink.line)(String::from_utf8_lossy(line).trim_end_matches('\n'));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what it gets at once, and gives up what cannot be written.
struct WholeLines<W>(W);

impl<W: Write> Write for WholeLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut rest = line;
        while !rest.is_empty() {
            match self.0.write(rest) {
                Ok(0) => break,
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Closed, or not ready: the reader has gone or chose not to wait.
                Err(_) => break,
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::*;

    fn line(task: Option<&str>, colour: bool) -> String {
        let mut out = Vec::new();
        let line = Line {
            time: UNIX_EPOCH + Duration::from_millis(86_400_000 * 20_000 + 43_384_123),
            level: Level::Info,
            actor: "worker",
            pid: 4711,
            target: "demo::load",
            task: task.map(str::to_owned),
            text: &format_args!("{} rows", 7),
        };
        line.write(&mut out, colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_holds_all() {
        assert_eq!(
            line(Some("task 12"), false),
            "12:03:04.123 INFO  worker[4711] demo::load (task 12): 7 rows\n"
        );
        assert_eq!(
            line(None, false),
            "12:03:04.123 INFO  worker[4711] demo::load: 7 rows\n"
        );
    }

    #[test]
    fn only_the_level_is_coloured() {
        assert_eq!(
            line(None, true),
            "12:03:04.123 \x1b[32mINFO \x1b[0m worker[4711] demo::load: 7 rows\n"
        );
    }

    #[test]
    fn colour_needs_a_terminal_and_nobody_against_it() {
        let check = |is_terminal, set: &[(&str, &str)], coloured| {
            let variable = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_coloured(is_terminal, variable), coloured, "{set:?}");
        };
        check(true, &[("TERM", "xterm")], true);
        check(true, &[("NO_COLOR", "")], true);
        check(true, &[("NO_COLOR", "1")], false);
        check(true, &[("TERM", "dumb")], false);
        check(false, &[], false);
    }

    #[test]
    fn the_variable_wins_over_the_option() {
        assert_eq!(choose_filter(Some("trace"), Some("info")), "trace");
        assert_eq!(choose_filter(Some(""), Some("info")), "info");
        assert_eq!(choose_filter(None, None), FILTER_DEFAULT);
    }

    #[test]
    fn filters_are_checked() {
        for filter in [
            "",
            "info",
            "my_crate",
            "a=debug, b::c=TRACE ,off",
            "a=,info/text",
        ] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in ["a=loud", "a=b=info", "info/x/y"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
        assert_eq!(
            check_filter("info,a=loud").unwrap_err().to_string(),
            "read log filter `info,a=loud`: `a=loud` is not of the form `level` or `target=level`"
        );
    }

    #[test]
    fn a_filter_chooses_by_target() {
        let logger = build("warn,demo=debug", ActorId::fresh("worker"));
        let enabled = |target, level| {
            let metadata = log::Metadata::builder().target(target).level(level).build();
            log::Log::enabled(&logger, &metadata)
        };
        assert!(enabled("demo::load", Level::Debug));
        assert!(!enabled("demo::load", Level::Trace));
        assert!(enabled("other", Level::Warn));
        assert!(!enabled("other", Level::Info));
        assert_eq!(logger.filter(), LevelFilter::Debug);
    }

    /// Takes so many bytes of each write, or fails.
    struct Script {
        steps: VecDeque<Result<usize, ErrorKind>>,
        taken: Vec<u8>,
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let step = self.steps.pop_front().expect("one write too many");
            let len = step.map_err(io::Error::from)?.min(bytes.len());
            self.taken.extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write_and_a_closed_output_ends_it() {
        let check = |steps: &[Result<usize, ErrorKind>], taken: &str| {
            let script = Script {
                steps: steps.iter().copied().collect(),
                taken: Vec::new(),
            };
            let mut lines = WholeLines(script);
            lines.write_all(b"a line\n").unwrap();
            assert_eq!(lines.0.taken, taken.as_bytes());
            assert!(lines.0.steps.is_empty());
        };
        check(&[Ok(99)], "a line\n");
        check(&[Ok(2), Err(ErrorKind::Interrupted), Ok(99)], "a line\n");
        check(&[Err(ErrorKind::BrokenPipe)], "");
        check(&[Ok(2), Err(ErrorKind::WouldBlock)], "a ");
        check(&[Ok(0)], "");
    }
}
