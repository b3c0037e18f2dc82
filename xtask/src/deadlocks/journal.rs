//! Journals, which the processes of a tree have kept: what each waits for, and what it last said
//! and heard. How one is written stands in `tractor-core/src/journal.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How much of what has happened is kept.
const LAST_MAX: usize = 12;

/// What one process has written.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) pid: u32,
    /// The actor, with the first digits of its incarnation; empty if it was none yet.
    pub(super) actor: String,
    /// What held at last, by key.
    pub(super) states: BTreeMap<String, String>,
    /// The keys of what is over.
    pub(super) over: BTreeSet<String>,
    /// What has happened last, with its time in seconds, the oldest first.
    pub(super) last: Vec<String>,
}

/// All journals of a directory, by pid.
pub(super) fn read(dir: &Path) -> Vec<Journal> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let journals = entries.filter_map(|entry| {
        // What was put aside has another name.
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read(entry.path()).ok()?;
        Some(parse(pid, &String::from_utf8_lossy(&text)))
    });
    let mut journals: Vec<_> = journals.collect();
    journals.sort_by_key(|journal| journal.pid);
    journals
}

fn parse(pid: u32, text: &str) -> Journal {
    let mut journal = Journal {
        pid,
        ..Journal::default()
    };
    for line in text.lines() {
        let Some((time, rest)) = line.split_once(' ') else {
            continue;
        };
        match rest.split_at_checked(2) {
            Some((". ", text)) => journal.last.push(format!("{time} {}", shortened(text))),
            Some(("= ", state)) => journal.take(&shortened(state)),
            // The last line of a process that was killed may be cut off.
            _ => {}
        }
    }
    let old = journal.last.len().saturating_sub(LAST_MAX);
    journal.last.drain(..old);
    journal
}

impl Journal {
    fn take(&mut self, state: &str) {
        let Some((key, text)) = state.split_once(" |") else {
            return;
        };
        let text = text.trim();
        if key == "actor" {
            text.clone_into(&mut self.actor);
        } else if text.is_empty() {
            self.states.remove(key);
            self.over.insert(key.to_owned());
        } else {
            self.states.insert(key.to_owned(), text.to_owned());
        }
    }
}

/// A text in which actors have four digits of their incarnations: `'ada'#1f2e`.
fn shortened(text: &str) -> String {
    let mut parts = text.split("'#");
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(part.len());
        short += "'#";
        short += &part[..digits.min(4)];
        short += &part[digits..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_holds_until_it_is_over() {
        let text = "1.000001 = actor | 'ada'#1f2e3d4c\n\
                    1.000002 = call 'bob'#aabbccdd 2.1 | double\n\
                    1.000003 . to 'bob'#aabbccdd: Start 1\n\
                    1.000004 = call 'cyd'#1 2.2 | double\n\
                    1.000005 = call 'cyd'#1 2.2 | \n\
                    1.0000";
        let journal = parse(7, text);
        assert_eq!(journal.actor, "'ada'#1f2e");
        let states: Vec<_> = journal.states.iter().collect();
        assert_eq!(
            states,
            [(&"call 'bob'#aabb 2.1".to_owned(), &"double".to_owned())]
        );
        assert!(journal.over.contains("call 'cyd'#1 2.2"));
        assert_eq!(journal.last, ["1.000003 to 'bob'#aabb: Start 1"]);
    }
}
