//! Who waits for whom in a tree, as its journals say it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::journal::Journal;

/// The terminal, of which there is one.
const TERMINAL: &str = "the terminal";

/// One waits for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    pub(super) who: String,
    pub(super) whom: String,
    pub(super) why: String,
}

/// Who waits for whom, and what is known of those who wait for nobody.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) all: Vec<Wait>,
    /// Who is waited for, or has ended although it waited, and how it stands.
    pub(super) ends: Vec<(String, String)>,
}

/// Puts it together. `state` tells how the process of this pid stands, if it is there.
pub(super) fn waits(journals: &[Journal], state: impl Fn(u32) -> Option<String>) -> Waits {
    let reaped: BTreeSet<_> = journals
        .iter()
        .flat_map(|journal| &journal.over)
        .filter_map(|key| key.strip_prefix("child "))
        .collect();
    // When all is over for a test that has failed, nobody is there any more: only those count as
    // ended whose parents have seen it.
    let anybody = journals.iter().any(|journal| state(journal.pid).is_some());
    let is_gone = |journal: &Journal| {
        reaped.contains(&*journal.actor) || anybody && state(journal.pid).is_none()
    };
    let mut all: Vec<_> = journals
        .iter()
        .filter(|journal| !is_gone(journal))
        .flat_map(of_one)
        .collect();
    all.sort();
    all.dedup();
    let mut ends = Vec::new();
    for journal in journals {
        let actor = &journal.actor;
        let is_awaited = all.iter().any(|wait| wait.whom == *actor);
        let awaits = all.iter().any(|wait| wait.who == *actor);
        if is_gone(journal) {
            let unfinished = unfinished(journal);
            if is_awaited || !unfinished.is_empty() {
                let text = format!("pid {} is gone{unfinished}", journal.pid);
                ends.push((actor.clone(), text));
            }
        } else if is_awaited && !awaits {
            let state = state(journal.pid);
            let state = state.map_or_else(String::new, |state| format!(" is {state}"));
            let text = format!("pid {}{state}, waits for nobody", journal.pid);
            ends.push((actor.clone(), text));
        }
    }
    Waits { all, ends }
}

/// What one process waits for, and in the root, whom the terminal waits for.
fn of_one(journal: &Journal) -> Vec<Wait> {
    let wait = |who: &str, whom: &str, why: &str| Wait {
        who: who.to_owned(),
        whom: whom.to_owned(),
        why: why.to_owned(),
    };
    let actor = &*journal.actor;
    let waits = journal.states.iter().filter_map(|(key, text)| {
        let (kind, rest) = key.split_once(' ').unwrap_or((key, ""));
        match kind {
            // Of the terminal its own line tells, and requests are passed on to the root.
            "call" if text == TERMINAL || text == "a request to the root" => None,
            "call" => {
                let (whom, _) = rest.rsplit_once(' ')?;
                Some(wait(actor, whom, text))
            }
            "child" if text.starts_with("Running") => None,
            "child" => Some(wait(actor, rest, &format!("its end ({text})"))),
            "prompt" if text == "waits" => Some(wait(actor, TERMINAL, "a prompt")),
            "prompt" => Some(wait(actor, "the user", &format!("a line; {text}"))),
            "terminal" => {
                let (whom, why) = text.split_once(" has it").unwrap_or(("its owner", text));
                let why = why.trim_start_matches(", ");
                Some(wait(TERMINAL, whom, why))
            }
            _ => None,
        }
    });
    waits.collect()
}

/// What the process was doing when it ended.
fn unfinished(journal: &Journal) -> String {
    let mut text = String::new();
    for (key, state) in &journal.states {
        if key.starts_with("prompt") {
            let comma = if text.is_empty() {
                "; at its end: "
            } else {
                ", "
            };
            let _ = write!(text, "{comma}{key} {state}");
        }
    }
    text
}

impl Waits {
    /// In lines.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("who waits for whom:\n");
        for Wait { who, whom, why } in &self.all {
            let _ = writeln!(text, "  {who} waits for {whom}: {why}");
        }
        for (who, state) in &self.ends {
            let _ = writeln!(text, "  {who}: {state}");
        }
        text
    }

    /// In Graphviz: edges, and what the nodes are called.
    pub(super) fn graph(&self) -> String {
        let mut text = String::new();
        for Wait { who, whom, why } in &self.all {
            let _ = writeln!(text, "  {who:?} -> {whom:?} [color=red, label={why:?}];");
        }
        for (who, state) in &self.ends {
            let label = format!("{who}\n{state}");
            let _ = writeln!(text, "  {who:?} [color=red, label={label:?}];");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(pid: u32, actor: &str, states: &[(&str, &str)]) -> Journal {
        Journal {
            pid,
            actor: actor.to_owned(),
            states: (states.iter())
                .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
                .collect(),
            ..Journal::default()
        }
    }

    /// The root calls two actors, of which the one with the terminal is gone.
    fn stuck() -> Vec<Journal> {
        let root = [
            ("call 'ada'#1 2.1", "pauses"),
            ("child 'ada'#1", "Running, 1 holds, pid 2"),
            ("child 'bob'#2", "Grace, 1 holds, pid 3"),
            ("terminal", "'ada'#1 has it, by its request 1, lease 1"),
        ];
        let bob = [("call 'root'#0 1.1", TERMINAL), ("prompt 1", "waits")];
        vec![
            journal(1, "'root'#0", &root),
            journal(2, "'ada'#1", &[("prompt 1", "has it, lease 1")]),
            journal(3, "'bob'#2", &bob),
        ]
    }

    #[test]
    fn a_wait_leads_to_who_is_gone() {
        let waits = waits(&stuck(), |pid| (pid != 2).then(|| "S".to_owned()));
        assert_eq!(
            waits.text(),
            "who waits for whom:\n  \
               'bob'#2 waits for the terminal: a prompt\n  \
               'root'#0 waits for 'ada'#1: pauses\n  \
               'root'#0 waits for 'bob'#2: its end (Grace, 1 holds, pid 3)\n  \
               the terminal waits for 'ada'#1: by its request 1, lease 1\n  \
               'ada'#1: pid 2 is gone; at its end: prompt 1 has it, lease 1\n"
        );
    }

    #[test]
    fn after_all_are_gone_only_the_reaped_count_as_ended() {
        let mut journals = stuck();
        journals[0].over.insert("child 'ada'#1".to_owned());
        let waits = waits(&journals, |_| None);
        assert_eq!(waits.ends.len(), 1, "{waits:?}");
        assert!(waits.all.iter().any(|wait| wait.who == "'bob'#2"));
    }
}
