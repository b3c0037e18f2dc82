//! The plan of faults as text; pure.

use std::time::Duration;

use rustix::io::Errno;

/// One rule of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) point: String,
    pub(super) hit: Hit,
    /// Of this actor only.
    pub(super) actor: Option<String>,
    pub(super) action: Action,
}

/// Which of the times that a point is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// The first is 1.
    Nth(u64),
    Every,
}

impl Hit {
    /// Whether it is the time, the first being 1.
    pub(super) fn is_due(self, time: u64) -> bool {
        match self {
            Self::Nth(nth) => nth == time,
            Self::Every => true,
        }
    }
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Kill,
    Stop,
    Abort,
    Exit(i32),
    Delay(Duration),
    Error(Errno),
    Short(usize),
}

/// Reads a plan. An empty one has no rules.
pub(super) fn parse(plan: &str) -> Result<Vec<Rule>, PlanError> {
    let rules = plan
        .split(';')
        .map(str::trim)
        .filter(|rule| !rule.is_empty());
    rules
        .map(|rule| {
            parse_rule(rule).map_err(|reason| PlanError {
                rule: rule.to_owned(),
                reason,
            })
        })
        .collect()
}

/// A rule that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule `{rule}` of TRACTOR_FAULTS {reason}")]
pub(super) struct PlanError {
    rule: String,
    reason: &'static str,
}

fn parse_rule(rule: &str) -> Result<Rule, &'static str> {
    let (place, action) = rule.split_once('=').ok_or("has no `=`")?;
    let (place, actor) = match place.split_once('#') {
        Some((place, actor)) => (place, Some(actor.trim())),
        None => (place, None),
    };
    let (point, hit) = match place.split_once('@') {
        Some((point, hit)) => (point, parse_hit(hit.trim())?),
        None => (place, Hit::Nth(1)),
    };
    let point = point.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    if point.is_empty() || !point.chars().all(is_name) {
        return Err("does not begin with the name of a point");
    }
    if actor == Some("") {
        return Err("has no name after `#`");
    }
    let (point, actor) = (point.to_owned(), actor.map(str::to_owned));
    Ok(Rule {
        point,
        hit,
        actor,
        action: parse_action(action.trim())?,
    })
}

fn parse_hit(text: &str) -> Result<Hit, &'static str> {
    match text.parse() {
        _ if text == "*" => Ok(Hit::Every),
        Ok(nth) if nth > 0 => Ok(Hit::Nth(nth)),
        _ => Err("has neither a number from 1 nor `*` after `@`"),
    }
}

fn parse_action(text: &str) -> Result<Action, &'static str> {
    let (word, value) = match text.split_once(':') {
        Some((word, value)) => (word, Some(value)),
        None => (text, None),
    };
    match (word, value) {
        ("kill", None) => Ok(Action::Kill),
        ("stop", None) => Ok(Action::Stop),
        ("abort", None) => Ok(Action::Abort),
        ("exit", Some(code)) => code
            .parse()
            .map(Action::Exit)
            .or(Err("has no exit code after `exit:`")),
        ("delay", Some(time)) => parse_time(time).map(Action::Delay),
        ("error", Some(error)) => parse_error(error).map(Action::Error),
        ("short", Some(bytes)) => bytes
            .parse()
            .map(Action::Short)
            .or(Err("has no number of bytes after `short:`")),
        _ => Err("has none of kill, stop, abort, exit:CODE, delay:TIME, error:ERRNO, short:BYTES"),
    }
}

fn parse_time(text: &str) -> Result<Duration, &'static str> {
    let ms = text
        .strip_suffix("ms")
        .map(|ms| ms.parse().map(Duration::from_millis));
    let time = ms.or_else(|| Some(text.strip_suffix('s')?.parse().map(Duration::from_secs)));
    time.and_then(Result::ok)
        .ok_or("has no time such as 200ms or 2s after `delay:`")
}

fn parse_error(text: &str) -> Result<Errno, &'static str> {
    let named = ERRORS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, error)| *error);
    let raw = || text.parse().ok().filter(|raw| (1..4096).contains(raw));
    named
        .or_else(|| raw().map(Errno::from_raw_os_error))
        .ok_or("has no known error after `error:`; its number can be given")
}

/// Those that a test has a use for.
const ERRORS: [(&str, Errno); 20] = [
    ("E2BIG", Errno::TOOBIG),
    ("EACCES", Errno::ACCESS),
    ("EADDRINUSE", Errno::ADDRINUSE),
    ("EAGAIN", Errno::AGAIN),
    ("ECHILD", Errno::CHILD),
    ("ECONNABORTED", Errno::CONNABORTED),
    ("ECONNREFUSED", Errno::CONNREFUSED),
    ("ECONNRESET", Errno::CONNRESET),
    ("EINTR", Errno::INTR),
    ("EIO", Errno::IO),
    ("EMFILE", Errno::MFILE),
    ("ENFILE", Errno::NFILE),
    ("ENOENT", Errno::NOENT),
    ("ENOMEM", Errno::NOMEM),
    ("ENOSPC", Errno::NOSPC),
    ("EPERM", Errno::PERM),
    ("EPIPE", Errno::PIPE),
    ("EROFS", Errno::ROFS),
    ("ESRCH", Errno::SRCH),
    ("ETIMEDOUT", Errno::TIMEDOUT),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn one(rule: &str) -> Rule {
        let [rule] = parse(rule).unwrap().try_into().unwrap();
        rule
    }

    #[test]
    fn every_part_of_a_rule_is_read() {
        let rule = Rule {
            point: "link.write".into(),
            hit: Hit::Nth(3),
            actor: Some("worker 7".into()),
            action: Action::Short(5),
        };
        assert_eq!(one("link.write@3#worker 7=short:5"), rule);
        assert_eq!(one(" link.write @ 3 # worker 7 = short:5 ;"), rule);
    }

    #[test]
    fn the_first_time_and_any_actor_are_meant_unless_said_otherwise() {
        let rule = one("boot_1.ready=kill");
        assert_eq!((rule.hit, rule.actor), (Hit::Nth(1), None));
        assert_eq!(one("a@*=stop").hit, Hit::Every);
    }

    #[test]
    fn every_action_is_read() {
        let ms = Duration::from_millis;
        for (text, action) in [
            ("kill", Action::Kill),
            ("stop", Action::Stop),
            ("abort", Action::Abort),
            ("exit:0", Action::Exit(0)),
            ("exit:-3", Action::Exit(-3)),
            ("delay:200ms", Action::Delay(ms(200))),
            ("delay:2s", Action::Delay(ms(2000))),
            ("error:EMFILE", Action::Error(Errno::MFILE)),
            ("error:24", Action::Error(Errno::MFILE)),
            ("short:0", Action::Short(0)),
        ] {
            assert_eq!(one(&format!("a={text}")).action, action, "{text}");
        }
    }

    #[test]
    fn a_plan_has_any_number_of_rules() {
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse(" ; ;"), Ok(vec![]));
        let points: Vec<_> = parse("a=kill;b=stop; c=abort;").unwrap();
        assert_eq!(
            points.iter().map(|rule| &*rule.point).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (plan, reason) in [
            ("a", "has no `=`"),
            ("=kill", "does not begin with the name of a point"),
            ("a b=kill", "does not begin with the name of a point"),
            ("a@0=kill", "has neither a number from 1 nor `*` after `@`"),
            ("a@x=kill", "has neither a number from 1 nor `*` after `@`"),
            ("a#=kill", "has no name after `#`"),
            ("a=exit:", "has no exit code after `exit:`"),
            (
                "a=delay:200",
                "has no time such as 200ms or 2s after `delay:`",
            ),
            (
                "a=error:EWHAT",
                "has no known error after `error:`; its number can be given",
            ),
            (
                "a=error:0",
                "has no known error after `error:`; its number can be given",
            ),
            ("a=short:-1", "has no number of bytes after `short:`"),
        ] {
            let error = parse(&format!("ok=kill;{plan}")).unwrap_err();
            assert_eq!(
                error,
                PlanError {
                    rule: plan.into(),
                    reason
                }
            );
        }
        assert!(
            parse("a=panic")
                .unwrap_err()
                .to_string()
                .contains("`a=panic` of TRACTOR_FAULTS")
        );
    }

    #[test]
    fn a_rule_is_due_at_its_time_only() {
        assert_eq!(
            [1, 2, 3].map(|time| Hit::Nth(2).is_due(time)),
            [false, true, false]
        );
        assert_eq!([1, 2, 3].map(|time| Hit::Every.is_due(time)), [true; 3]);
    }
}
