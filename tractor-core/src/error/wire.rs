//! An error as bytes, bounded: a failure's report must always fit, whatever it has to tell.

use tractor_ipc::{DecodeError, codec};

use super::{Error, Report};
use crate::ending::{Encoded, Ending, Refusal, UserError};

impl Error {
    /// Encodes it, with long texts cut (`… (N bytes more)`), the user's own value left out if it
    /// takes more than 1 MiB, and groups cut in depth and number, to about 4 MiB at most.
    pub fn encode(&self) -> Vec<u8> {
        let mut limit = Limit {
            errors_left: ERRORS_MAX,
        };
        let report = limit.report(&self.0.report, BYTES_MAX, NESTING_MAX);
        codec::encode(&report).expect("a bounded report of texts and numbers is encodable")
    }

    /// Decodes what [`encode`](Self::encode) gave.
    ///
    /// # Errors
    ///
    /// `tractor_ipc::DecodeError`, always the fault of who encoded: other software, or malice.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}

/// Cuts a report down. Each part gets a share of its whole's bytes, so that of many members
/// each keeps something, instead of the first one all.
struct Limit {
    errors_left: usize,
}

impl Limit {
    fn report(&mut self, report: &Report, bytes: usize, levels: usize) -> Report {
        let name = |text: &String| shortened(text, NAME_BYTES_MAX.min(bytes / 16));
        let kept = RELAYS_MAX.min(report.relay_path.len());
        let calls = &report.calls_in_flight[..CALLS_MAX.min(report.calls_in_flight.len())];
        Report {
            id: report.id,
            origin: report.origin.clone(),
            pid: report.pid,
            relay_path: report.relay_path[..kept].to_vec(),
            call: report.call.as_ref().map(name),
            calls_in_flight: calls.iter().map(name).collect(),
            ending: self.ending(&report.ending, bytes, levels),
            out_of_memory: report.out_of_memory,
            of_callers_deadline: report.of_callers_deadline,
        }
    }

    fn ending(&mut self, ending: &Ending, bytes: usize, levels: usize) -> Ending {
        let text = |text: &String| shortened(text, TEXT_BYTES_MAX.min(bytes / 8));
        match ending {
            Ending::Failed(user) => Ending::Failed(Box::new(self.user(user, bytes, levels))),
            Ending::Panicked { message, location } => Ending::Panicked {
                message: text(message),
                location: location.as_ref().map(text),
            },
            Ending::LinkLost { reason } => Ending::LinkLost {
                reason: text(reason),
            },
            Ending::NotSpawned { reason } => Ending::NotSpawned {
                reason: text(reason),
            },
            Ending::DiedBeforeReady { status } => match levels.checked_sub(1) {
                Some(levels) => Ending::DiedBeforeReady {
                    status: Box::new(self.ending(status, bytes, levels)),
                },
                None => Ending::StatusLost,
            },
            Ending::Several(errors) => match levels.checked_sub(1) {
                Some(levels) => Ending::Several(self.group(errors, bytes, levels)),
                None => summary(format!("{} failures", errors.len())),
            },
            Ending::Refused(refusal) => Ending::Refused(self.refusal(refusal, bytes)),
            Ending::Exited { .. }
            | Ending::Signaled { .. }
            | Ending::StatusLost
            | Ending::Cancelled { .. } => ending.clone(),
        }
    }

    fn user(&mut self, user: &UserError, bytes: usize, levels: usize) -> UserError {
        let text = |text: &String| shortened(text, TEXT_BYTES_MAX.min(bytes / 8));
        let source = |text: &String| shortened(text, TEXT_BYTES_MAX.min(bytes / 256));
        let whole = |value: &&_| value_fits(value, bytes);
        let cause = match (&user.cause, levels.checked_sub(1)) {
            (Some(cause), Some(levels)) => self.member(cause, bytes / 4, levels),
            _ => None,
        };
        UserError {
            type_name: shortened(&user.type_name, NAME_BYTES_MAX.min(bytes / 16)),
            message: text(&user.message),
            chain: user.chain.iter().take(SOURCES_MAX).map(source).collect(),
            debug: text(&user.debug),
            cause,
            encoded: user.encoded.as_ref().filter(whole).cloned(),
        }
    }

    fn refusal(&mut self, refusal: &Refusal, bytes: usize) -> Refusal {
        let text = |text: &String| shortened(text, TEXT_BYTES_MAX.min(bytes / 8));
        match refusal {
            Refusal::BadArguments(reason) => Refusal::BadArguments(text(reason)),
            Refusal::ArgumentsNotSent { callee, reason } => Refusal::ArgumentsNotSent {
                callee: callee.clone(),
                reason: text(reason),
            },
            Refusal::BadResult(reason) => Refusal::BadResult(text(reason)),
            Refusal::BadName { name, reason } => Refusal::BadName {
                name: text(name),
                reason: text(reason),
            },
            Refusal::BadItem(reason) => Refusal::BadItem(text(reason)),
            Refusal::OtherSignature { ours, theirs } => Refusal::OtherSignature {
                ours: text(ours),
                theirs: text(theirs),
            },
            refusal => refusal.clone(),
        }
    }

    fn group(&mut self, errors: &[Error], bytes: usize, levels: usize) -> Vec<Error> {
        let share = bytes / errors.len().clamp(1, self.errors_left.max(1));
        let mut members = Vec::new();
        for (index, error) in errors.iter().enumerate() {
            let Some(member) = self.member(error, share, levels) else {
                let left_out = format!("… ({} failures more)", errors.len() - index);
                members.push(Error::new(error.origin().clone(), summary(left_out)));
                break;
            };
            members.push(member);
        }
        members
    }

    fn member(&mut self, error: &Error, bytes: usize, levels: usize) -> Option<Error> {
        self.errors_left = self.errors_left.checked_sub(1)?;
        Some(Error::of(self.report(&error.0.report, bytes, levels)))
    }
}

fn value_fits(encoded: &Encoded, bytes: usize) -> bool {
    encoded.bytes.len() <= VALUE_BYTES_MAX.min(bytes / 4)
}

/// What stands for failures that are left out.
fn summary(message: String) -> Ending {
    Ending::Failed(Box::new(UserError {
        type_name: "tractor::Error".to_owned(),
        message,
        chain: Vec::new(),
        debug: String::new(),
        cause: None,
        encoded: None,
    }))
}

/// The text, or as much of it as fits `bytes_max`, and how much is missing.
fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes more)", &text[..end], text.len() - end)
}

/// What the parts of one encoded error share.
const BYTES_MAX: usize = 4 << 20;
/// The value of a user's error; the texts say the rest.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// One message: a screenful is a hundredth of it.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// The name of a type or function; names of nested generic types are long.
const NAME_BYTES_MAX: usize = 1 << 10;
/// Failures in one error, over all levels: the actors of a large tree, all of them failing.
const ERRORS_MAX: usize = 1024;
/// Groups, causes and statuses inside one another; each takes up to five of the decoder's levels.
const NESTING_MAX: usize = 8;
/// Actors on the way up: deeper trees than this lose the far end of the path.
const RELAYS_MAX: usize = 32;
/// Calls that are named when an actor dies.
const CALLS_MAX: usize = 16;
/// Sources of a user's error.
const SOURCES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use tractor_ipc::ActorId;

    use super::*;

    fn error(ending: Ending) -> Error {
        Error::new(ActorId::fresh("a"), ending)
    }

    fn sent(error: &Error) -> Error {
        let bytes = error.encode();
        assert!(
            bytes.len() <= BYTES_MAX + (1 << 20),
            "{} bytes",
            bytes.len()
        );
        Error::decode(&bytes).unwrap()
    }

    #[test]
    fn nothing_of_a_small_error_is_lost() {
        let member = error(Ending::Signaled {
            signal: 9,
            core_dumped: true,
        })
        .with_pid(7)
        .in_call("f")
        .with_calls_in_flight(vec!["f".into(), "g".into()]);
        let group = error(Ending::Several(vec![member, error(summary("m".into()))]))
            .relayed_by(&ActorId::fresh("root"));
        let arrived = sent(&group);
        assert_eq!(arrived.to_string(), group.to_string());
        assert_eq!(arrived.id(), group.id());
        assert_eq!(arrived.relay_path(), group.relay_path());
        assert_eq!(
            arrived.group()[0].calls_in_flight(),
            group.group()[0].calls_in_flight()
        );
    }

    #[test]
    fn texts_are_cut_on_a_character() {
        assert_eq!(shortened("wörk", 2), "w… (4 bytes more)");
        assert_eq!(shortened("wörk", 5), "wörk");
        let huge = Ending::Panicked {
            message: "ö".repeat(1 << 20),
            location: None,
        };
        let text = sent(&error(huge)).to_string();
        assert!(
            text.ends_with(" bytes more)"),
            "{}",
            &text[text.len() - 40..]
        );
        assert!(text.len() < 2 * TEXT_BYTES_MAX);
    }

    #[test]
    fn each_of_many_members_keeps_a_share() {
        let huge = || Ending::Panicked {
            message: "x".repeat(1 << 16),
            location: None,
        };
        let members = |count| (0..count).map(|_| error(huge())).collect::<Vec<_>>();
        let arrived = sent(&error(Ending::Several(members(500))));
        assert_eq!(arrived.group().len(), 500);
        assert!(
            arrived
                .group()
                .iter()
                .all(|member| member.to_string().len() > 500)
        );

        let arrived = sent(&error(Ending::Several(members(ERRORS_MAX + 5))));
        assert_eq!(arrived.group().len(), ERRORS_MAX + 1);
        let last = arrived.group().last().unwrap().to_string();
        assert!(last.ends_with("… (5 failures more)"), "{last}");
    }

    #[test]
    fn nesting_is_cut_before_the_decoder_refuses_it() {
        let leaf = || error(Ending::Exited { code: 1 });
        let deep = (0..50).fold(leaf(), |inner, _| {
            error(Ending::Several(vec![leaf(), inner]))
        });
        assert!(sent(&deep).to_string().contains("2 failures"));

        let caused = (0..50).fold(leaf(), |inner, level| {
            let Ending::Failed(mut user) = summary(level.to_string()) else {
                unreachable!()
            };
            user.cause = Some(inner);
            error(Ending::Failed(user))
        });
        assert!(sent(&caused).to_string().contains("caused by"));

        let status = (0..50).fold(Ending::Exited { code: 1 }, |status, _| {
            Ending::DiedBeforeReady {
                status: Box::new(status),
            }
        });
        sent(&error(status));
    }

    #[test]
    fn garbage_is_no_error() {
        assert!(Error::decode(&[]).is_err());
        assert!(Error::decode(&[0xff; 100]).is_err());
    }
}
