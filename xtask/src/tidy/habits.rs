//! Habits that spread when they are let in once.

use std::collections::BTreeMap;

use super::Finding;
use super::workspace::{Workspace, library_crate};

/// Words of other systems, and the one word that this project uses for the thing.
const DROPPED_WORDS: [(&str, &str); 6] = [
    ("arbiter", "registrar"),
    ("supervisor", "nursery"),
    ("cancellationtoken", "CancelScope"),
    ("cancellation token", "cancel scope"),
    ("cancel token", "cancel scope"),
    ("task group", "nursery"),
];

/// Marks of work left undone: it is finished, or it is an issue.
const UNFINISHED: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// This file has to spell out what it refuses.
const THIS_FILE: &str = "xtask/src/tidy/habits.rs";

/// A crate keeps its `unsafe` in one file, where it can be reviewed as a whole.
pub(super) fn one_unsafe_file(workspace: &Workspace, findings: &mut Vec<Finding>) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for source in workspace.library_sources() {
        let (Some(name), Some(line)) = (
            library_crate(&source.path),
            source.find(&["unsafe"]).first().copied(),
        ) else {
            continue;
        };
        let home = *first.entry(name).or_insert(&source.path);
        if home != source.path {
            let message = format!("{name} has its unsafe code in {home}; move this there");
            findings.push(Finding::fail(&source.path, line, message));
        }
    }
}

/// A lint is silenced where it errs, with a reason, never for a whole crate or module.
pub(super) fn crate_wide_allow(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in &workspace.sources {
        for line in source.find(&["#", "!", "[", "allow"]) {
            let message = "no allow for a whole file: #[expect(.., reason = \"..\")] at the place";
            findings.push(Finding::fail(&source.path, line, message));
        }
    }
}

/// A test runs, or it goes.
pub(super) fn ignored_tests(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in &workspace.sources {
        for line in source.find(&["#", "[", "ignore"]) {
            findings.push(Finding::fail(
                &source.path,
                line,
                "an ignored test protects nothing",
            ));
        }
    }
}

/// One word for one thing, in comments too.
pub(super) fn dropped_words(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for (path, line, text) in lines(workspace) {
        let lowered = text.to_lowercase();
        for (word, instead) in DROPPED_WORDS
            .iter()
            .filter(|(word, _)| lowered.contains(word))
        {
            let message = format!("`{word}` is called {instead} here");
            findings.push(Finding::fail(path, line, message));
        }
    }
}

/// Nothing unfinished is left behind in a comment.
pub(super) fn unfinished(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for (path, line, text) in lines(workspace) {
        let words = || text.split(|c: char| !c.is_alphanumeric());
        for mark in UNFINISHED
            .iter()
            .filter(|mark| words().any(|word| word == **mark))
        {
            let message = format!("{mark}: finish it, or file an issue and say nothing here");
            findings.push(Finding::fail(path, line, message));
        }
    }
}

/// Every line of the sources and the manifests, numbered.
fn lines(workspace: &Workspace) -> impl Iterator<Item = (&str, usize, &str)> {
    let files = workspace.files.iter().filter(|(path, _)| {
        *path != THIS_FILE && (path.ends_with(".rs") || path.ends_with(".toml"))
    });
    files.flat_map(|(path, text)| {
        text.lines()
            .enumerate()
            .map(move |(index, line)| (path.as_str(), index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::findings;
    use super::*;

    #[test]
    fn a_second_file_with_unsafe_code_is_refused() {
        let unsafe_code = "fn f() { unsafe { g() } }";
        let files = [
            ("tractor-core/src/os/unix.rs", unsafe_code),
            ("tractor-core/src/rt.rs", "#![forbid(unsafe_code)]"),
            ("tractor-core/src/timer.rs", unsafe_code),
            ("tractor-debug/src/terminal.rs", unsafe_code),
        ];
        assert_eq!(
            findings(one_unsafe_file, &files),
            ["tractor-core/src/timer.rs:1: error: \
              tractor-core has its unsafe code in tractor-core/src/os/unix.rs; move this there"]
        );
    }

    #[test]
    fn silencing_a_lint_for_a_whole_file_is_refused() {
        let files = [
            ("a.rs", "#![allow(dead_code)]"),
            (
                "b.rs",
                "#![expect(dead_code, reason = \"r\")]\n#[allow(dead_code)]\nfn f() {}",
            ),
        ];
        let found = findings(crate_wide_allow, &files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a.rs:1: error:"), "{found:?}");
    }

    #[test]
    fn ignored_tests_are_refused_with_and_without_a_reason() {
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[test]\n#[ignore = \"slow\"]\nfn b() {}\n";
        assert_eq!(findings(ignored_tests, &[("a.rs", text)]).len(), 2);
    }

    #[test]
    fn dropped_words_are_refused_in_comments_and_names() {
        let text = "// asks the Arbiter\nstruct CancellationToken;\nfn registrar() {}\n";
        assert_eq!(
            findings(dropped_words, &[("a.rs", text)]),
            [
                "a.rs:1: error: `arbiter` is called registrar here",
                "a.rs:2: error: `cancellationtoken` is called CancelScope here",
            ]
        );
    }

    #[test]
    fn unfinished_work_is_refused_as_a_whole_word() {
        let files = [("a.rs", "// TODO: later\nconst XXXL: u8 = 1; // FIXME(me)\n")];
        assert_eq!(findings(unfinished, &files).len(), 2);
    }
}
