//! An error as text for a terminal: a sentence, and below it what caused it and who passed it on.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::{Error, Report};
use crate::ending::{Ending, Refusal, UserError};
use crate::os::signal_name;
use crate::process::OutOfMemory;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.0.report;
        headline(report, f)?;
        let mut below = Indented(f);
        match &report.ending {
            Ending::Failed(user) => causes(user, &mut below)?,
            Ending::Several(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    write!(below, "\n{}. {error}", index + 1)?;
                }
            }
            _ => {}
        }
        if !report.relay_path.is_empty() {
            below.write_str("\nrelayed by ")?;
            list(&report.relay_path, &mut below)?;
        }
        Ok(())
    }
}

/// The same report: `main` shows the error that it returns by `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who, what and why, as one sentence.
fn headline(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let origin = &report.origin;
    match &report.ending {
        Ending::LinkLost { reason } => {
            write!(f, "the link to actor {origin}")?;
            pid(report, f)?;
            f.write_str(" was lost")?;
            while_running(report, f)?;
            write!(f, ": {reason}")
        }
        Ending::Several(errors) => {
            let count = errors.len();
            let origins: BTreeSet<_> = errors.iter().map(Error::origin).collect();
            match origins.len() {
                1 => write!(f, "{count} failures of actor {}", errors[0].origin()),
                actors if actors == count => write!(f, "{count} actors failed"),
                actors => write!(f, "{count} failures of {actors} actors"),
            }
        }
        ending => {
            write!(f, "actor {origin}")?;
            pid(report, f)?;
            predicate(report, ending, f)
        }
    }
}

/// What the actor did, or what became of it.
fn predicate(report: &Report, ending: &Ending, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match ending {
        Ending::Failed(user) => {
            f.write_str(" failed")?;
            in_call(report, f)?;
            write!(f, ": {}: {}", short_type(&user.type_name), user.message)
        }
        Ending::Panicked { message, location } => {
            f.write_str(" panicked")?;
            in_call(report, f)?;
            if let Some(location) = location {
                write!(f, " at {location}")?;
            }
            write!(f, ": {message}")
        }
        Ending::Cancelled { by, reason } => {
            f.write_str(" was cancelled")?;
            in_call(report, f)?;
            if let Some(by) = by {
                write!(f, " by {by}")?;
            }
            write!(f, ": {reason}")
        }
        Ending::Refused(Refusal::ArgumentsNotSent { callee, reason }) => {
            let call = report.call.as_deref().unwrap_or("a request");
            f.write_str(" could not send")?;
            if let Some(callee) = callee {
                write!(f, " {callee}")?;
            }
            write!(f, " the arguments of {call}: {reason}")
        }
        Ending::Refused(refusal) => {
            let call = report.call.as_deref().unwrap_or("the request");
            write!(f, " refused {call}: {refusal}")
        }
        Ending::NotSpawned { reason } => write!(f, " was not started: {reason}"),
        Ending::DiedBeforeReady { status } => {
            f.write_str(" died before it was ready: it")?;
            death(status, f)?;
            if matches!(**status, Ending::Exited { code: 0 }) {
                f.write_str(", as if its main returned before it reached the actor's entry")?;
            }
            for_memory(report, f)
        }
        ending => {
            death(ending, f)?;
            while_running(report, f)?;
            for_memory(report, f)
        }
    }
}

/// How a process ended.
fn death(ending: &Ending, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match ending {
        Ending::Exited { code } => write!(f, " exited with code {code}"),
        Ending::Signaled {
            signal,
            core_dumped,
        } => {
            write!(f, " was killed by signal {signal}")?;
            match (signal_name(*signal), core_dumped) {
                (Some(name), true) => write!(f, " ({name}, core dumped)"),
                (Some(name), false) => write!(f, " ({name})"),
                (None, true) => f.write_str(" (core dumped)"),
                (None, false) => Ok(()),
            }
        }
        Ending::StatusLost => f.write_str(" ended, and something else took its exit status"),
        Ending::LinkLost { reason } => write!(f, " lost its link: {reason}"),
        // Nothing else is the status of a process, but what a peer sends can say so.
        ending => write!(f, " ended: {ending:?}"),
    }
}

/// What its control group says, if that is anything.
fn for_memory(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match report.out_of_memory {
        None => Ok(()),
        Some(OutOfMemory::Counted) => f.write_str(
            ": most likely the kernel killed it for its memory, as its control group counted an \
             out-of-memory kill",
        ),
        Some(OutOfMemory::Possible) => f.write_str(
            ": perhaps the kernel killed it for its memory, as its control group has counted \
             out-of-memory kills",
        ),
    }
}

fn pid(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    report.pid.map_or(Ok(()), |pid| write!(f, " (pid {pid})"))
}

fn in_call(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    report
        .call
        .as_ref()
        .map_or(Ok(()), |call| write!(f, " in {call}"))
}

fn while_running(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let lost = &report.calls_in_flight;
    let lost = if lost.is_empty() {
        report.call.as_slice()
    } else {
        lost
    };
    if lost.is_empty() {
        return Ok(());
    }
    f.write_str(" while ")?;
    list(&lost[..lost.len().min(CALLS_SHOWN_MAX)], f)?;
    match lost.len() {
        1 => f.write_str(" was running"),
        count if count > CALLS_SHOWN_MAX => {
            write!(f, " and {} more were running", count - CALLS_SHOWN_MAX)
        }
        _ => f.write_str(" were running"),
    }
}

fn list(items: &[impl fmt::Display], f: &mut impl Write) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// What each source says, unless the text above it ends in the same words, as errors do that
/// show their source themselves.
fn causes(user: &UserError, f: &mut impl Write) -> fmt::Result {
    let mut above = &user.message;
    for text in &user.chain {
        if !above.ends_with(text.as_str()) {
            write!(f, "\ncaused by: {text}")?;
        }
        above = text;
    }
    match &user.cause {
        Some(cause) if !above.contains(&cause.to_string()) => write!(f, "\ncaused by: {cause}"),
        _ => Ok(()),
    }
}

/// `LoadError` for `demo::tables::LoadError`; `io::Error` for `std::io::error::Error`, because
/// half of all errors are called so.
fn short_type(full: &str) -> String {
    let mut short = String::with_capacity(full.len());
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for part in full.split_inclusive(|c| !is_path(c)) {
        let (path, end) = match part.char_indices().next_back() {
            Some((index, last)) if !is_path(last) => part.split_at(index),
            _ => (part, ""),
        };
        let mut segments = path.rsplit("::").filter(|segment| *segment != "error");
        match (segments.next().unwrap_or(path), segments.next()) {
            ("Error", Some(module)) if full.len() == path.len() => {
                short.extend([module, "::Error"]);
            }
            (last, _) => short.push_str(last),
        }
        short.push_str(end);
    }
    short
}

/// Writes lines two blanks further in than the first.
struct Indented<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Indented<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            self.0.write_str(line)?;
            if line.ends_with('\n') {
                self.0.write_str("  ")?;
            }
        }
        Ok(())
    }
}

/// Calls that are named when an actor dies; a busy one may have thousands.
const CALLS_SHOWN_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use tractor_ipc::ActorId;

    use super::*;
    use crate::scope::CancelReason;

    fn error(name: &str, ending: Ending) -> Error {
        Error::new(ActorId::fresh(name), ending)
    }

    fn user(message: &str, chain: &[&str]) -> Ending {
        Ending::Failed(Box::new(UserError {
            type_name: "demo::LoadError".into(),
            message: message.into(),
            chain: chain.iter().map(|text| (*text).to_owned()).collect(),
            debug: String::new(),
            cause: None,
            encoded: None,
        }))
    }

    #[test]
    fn a_failure_names_actor_call_type_message_causes_and_relays() {
        let error = error("worker", user("no such table", &["no file", "no disk"]))
            .with_pid(4711)
            .in_call("demo::load")
            .relayed_by(&ActorId::fresh("middle"))
            .relayed_by(&ActorId::fresh("root"));
        let report = "actor 'worker' (pid 4711) failed in demo::load: LoadError: no such table\n  \
                      caused by: no file\n  caused by: no disk\n  relayed by 'middle', 'root'";
        assert_eq!(error.to_string(), report);
        assert_eq!(format!("{error:?}"), report);
    }

    #[test]
    fn a_cause_that_the_message_ends_with_is_not_repeated() {
        let error = error("a", user("cannot load: no file", &["no file"]));
        assert_eq!(
            error.to_string(),
            "actor 'a' failed: LoadError: cannot load: no file"
        );
    }

    fn killed(core_dumped: bool) -> Ending {
        Ending::Signaled {
            signal: 11,
            core_dumped,
        }
    }

    fn check(ending: Ending, expected: &str) {
        assert_eq!(error("a", ending).in_call("f").to_string(), expected);
    }

    #[test]
    fn endings_of_calls_read_as_sentences() {
        check(
            Ending::Panicked {
                message: "index out of bounds".into(),
                location: Some("src/main.rs:10:5".into()),
            },
            "actor 'a' panicked in f at src/main.rs:10:5: index out of bounds",
        );
        let by = Some(ActorId::fresh("root"));
        check(
            Ending::Cancelled {
                by,
                reason: CancelReason::Deadline,
            },
            &format!(
                "actor 'a' was cancelled in f by 'root': {}",
                CancelReason::Deadline
            ),
        );
        check(
            Ending::Refused(Refusal::Closing),
            "actor 'a' refused f: it is closing",
        );
        let not_sent = Refusal::ArgumentsNotSent {
            callee: Some(ActorId::fresh("b")),
            reason: "it stays here".into(),
        };
        check(
            Ending::Refused(not_sent),
            "actor 'a' could not send 'b' the arguments of f: it stays here",
        );
    }

    #[test]
    fn deaths_read_as_sentences() {
        check(
            Ending::Exited { code: 3 },
            "actor 'a' exited with code 3 while f was running",
        );
        check(
            killed(false),
            "actor 'a' was killed by signal 11 (SIGSEGV) while f was running",
        );
        check(
            killed(true),
            "actor 'a' was killed by signal 11 (SIGSEGV, core dumped) while f was running",
        );
        check(
            Ending::StatusLost,
            "actor 'a' ended, and something else took its exit status while f was running",
        );
        check(
            Ending::LinkLost {
                reason: "end of file".into(),
            },
            "the link to actor 'a' was lost while f was running: end of file",
        );
    }

    #[test]
    fn a_kill_for_memory_is_said() {
        let killed = Ending::Signaled {
            signal: 9,
            core_dumped: false,
        };
        let killed = error("a", killed).in_call("f");
        let begin = "actor 'a' was killed by signal 9 (SIGKILL) while f was running";
        assert_eq!(killed.to_string(), begin);
        for (evidence, end) in [
            (
                OutOfMemory::Counted,
                ": most likely the kernel killed it for its memory, as its control group counted an \
                 out-of-memory kill",
            ),
            (
                OutOfMemory::Possible,
                ": perhaps the kernel killed it for its memory, as its control group has counted \
                 out-of-memory kills",
            ),
        ] {
            let told = killed.clone().with_out_of_memory(Some(evidence));
            assert_eq!(told.to_string(), format!("{begin}{end}"));
            assert_eq!(told.out_of_memory(), Some(evidence));
        }
    }

    #[test]
    fn actors_that_never_ran_read_as_sentences() {
        check(
            Ending::NotSpawned {
                reason: "no memory".into(),
            },
            "actor 'a' was not started: no memory",
        );
        let died = |status| Ending::DiedBeforeReady {
            status: Box::new(status),
        };
        let before = "actor 'a' died before it was ready: it";
        let returned = "as if its main returned before it reached the actor's entry";
        check(
            died(killed(false)),
            &format!("{before} was killed by signal 11 (SIGSEGV)"),
        );
        check(
            died(Ending::Exited { code: 0 }),
            &format!("{before} exited with code 0, {returned}"),
        );
        check(
            died(Ending::LinkLost {
                reason: "end of file".into(),
            }),
            &format!("{before} lost its link: end of file"),
        );
    }

    #[test]
    fn calls_lost_with_an_actor_are_named_up_to_three() {
        let lost = |count: usize| {
            let calls = (1..=count).map(|n| format!("f{n}")).collect();
            error("a", Ending::Exited { code: 1 })
                .with_calls_in_flight(calls)
                .to_string()
        };
        assert!(lost(1).ends_with(" while f1 was running"));
        assert!(lost(3).ends_with(" while f1, f2, f3 were running"));
        assert!(lost(9).ends_with(" while f1, f2, f3 and 6 more were running"));
    }

    #[test]
    fn a_group_is_a_numbered_list_and_nests() {
        let below = error(
            "middle",
            Ending::Several(vec![
                error("b", user("two\nlines", &["deep"])),
                error("c", Ending::Exited { code: 1 }),
            ]),
        );
        let group = error(
            "root",
            Ending::Several(vec![error("a", user("x", &[])), below]),
        );
        assert_eq!(
            group.relayed_by(&ActorId::fresh("top")).to_string(),
            "2 actors failed\n  \
             1. actor 'a' failed: LoadError: x\n  \
             2. 2 actors failed\n    \
             1. actor 'b' failed: LoadError: two\n    lines\n      caused by: deep\n    \
             2. actor 'c' exited with code 1\n  \
             relayed by 'top'"
        );
        let aid = ActorId::fresh("a");
        let twice = (0..2)
            .map(|code| Error::new(aid.clone(), Ending::Exited { code }))
            .collect();
        let group = error("root", Ending::Several(twice)).to_string();
        assert!(group.starts_with("2 failures of actor 'a'\n"), "{group}");
    }

    #[test]
    fn a_failure_below_is_shown_whole_once() {
        let below = error("leaf", user("no table", &["no file"])).relayed_by(&ActorId::fresh("m"));
        let caused = |message: &str| {
            let Ending::Failed(mut user) = user(message, &[]) else {
                unreachable!()
            };
            user.cause = Some(below.clone());
            error("m", Ending::Failed(user)).to_string()
        };
        assert_eq!(
            caused("gave up"),
            "actor 'm' failed: LoadError: gave up\n  \
             caused by: actor 'leaf' failed: LoadError: no table\n    \
             caused by: no file\n    relayed by 'm'"
        );
        let shown = caused(&format!("gave up: {below}"));
        assert_eq!(shown.matches("no table").count(), 1, "{shown}");
    }

    #[test]
    fn types_are_shown_short() {
        let cases = [
            ("demo::tables::LoadError", "LoadError"),
            ("alloc::string::String", "String"),
            ("std::io::error::Error", "io::Error"),
            ("anyhow::Error", "anyhow::Error"),
            ("demo::Wrapped<demo::Inner, u8>", "Wrapped<Inner, u8>"),
            (
                "alloc::boxed::Box<dyn core::error::Error + core::marker::Send>",
                "Box<dyn Error + Send>",
            ),
            ("&str", "&str"),
        ];
        for (full, short) in cases {
            assert_eq!(short_type(full), short);
        }
    }
}
