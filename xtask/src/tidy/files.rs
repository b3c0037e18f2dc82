//! What every file needs: a header that says what it is, and a size that one can read at once.

use super::Finding;
use super::workspace::Workspace;

/// A file longer than this probably holds two ideas.
const CODE_LINES_WARN: usize = 400;
/// A file longer than this certainly does.
const CODE_LINES_MAX: usize = 600;

/// Every Rust file begins with a `//!` header.
pub(super) fn header(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in &workspace.sources {
        if !source.text.starts_with("//!") {
            findings.push(Finding::fail(
                &source.path,
                1,
                "a file begins with a //! header",
            ));
        }
    }
}

/// The lines before the inline tests are bounded.
pub(super) fn budget(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in &workspace.sources {
        let lines = source.code_lines();
        let message = format!("{lines} lines of code: split it where its second idea begins");
        if lines > CODE_LINES_MAX {
            findings.push(Finding::fail(&source.path, 1, message));
        } else if lines > CODE_LINES_WARN {
            findings.push(Finding::warn(&source.path, 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::findings;
    use super::*;

    #[test]
    fn a_file_without_a_header_is_refused() {
        let files = [("a.rs", "//! Good.\n"), ("b.rs", "fn f() {}\n")];
        assert_eq!(
            findings(header, &files),
            ["b.rs:1: error: a file begins with a //! header"]
        );
    }

    #[test]
    fn long_files_are_named_and_inline_tests_are_free() {
        let lines = |count: usize| "fn f() {}\n".repeat(count);
        let with_tests = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            lines(100),
            lines(900)
        );
        let files = [
            ("a.rs", lines(400)),
            ("b.rs", lines(401)),
            ("c.rs", lines(601)),
            ("d.rs", with_tests),
        ];
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        let found = findings(budget, &files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("b.rs:1: warning: 401 lines"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("c.rs:1: error: 601 lines"),
            "{found:?}"
        );
    }
}
