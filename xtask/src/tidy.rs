//! `cargo xtask tidy`: the rules of the source tree that no compiler checks.
//!
//! Each rule is a function from the files to findings, with its own tests; this file only runs
//! them all. The same run is a test of this crate, so `cargo test` finds what tidy would.

mod dependencies;
mod documents;
mod files;
mod habits;
mod layers;
mod platform;
mod source;
mod workspace;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use self::workspace::Workspace;

/// Something that a rule objects to.
#[derive(Debug)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    severity: Severity,
}

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Warn,
    Fail,
}

type Rule = fn(&Workspace, &mut Vec<Finding>);

const RULES: [Rule; 15] = [
    files::header,
    files::budget,
    dependencies::used,
    layers::direction,
    layers::doors,
    layers::pure_files,
    platform::one_os_module,
    habits::one_unsafe_file,
    habits::crate_wide_allow,
    habits::ignored_tests,
    habits::dropped_words,
    habits::unfinished,
    documents::architecture,
    documents::readme_blocks,
    documents::example_output,
];

impl Finding {
    pub(crate) fn fail(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
            severity: Severity::Fail,
        }
    }

    pub(crate) fn warn(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warn,
            ..Self::fail(path, line, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warn => "warning",
            Severity::Fail => "error",
        };
        write!(
            f,
            "{}:{}: {severity}: {}",
            self.path, self.line, self.message
        )
    }
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let workspace = Workspace::read(root)?;
    let findings = check(&workspace);
    for finding in &findings {
        println!("{finding}");
    }
    let failures = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Fail)
        .count();
    println!("tidy: {} files, {failures} errors", workspace.files.len());
    if failures > 0 {
        bail!("the source tree breaks its own rules");
    }
    Ok(())
}

fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        rule(workspace, &mut findings);
    }
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one rule over a few files and gives what it printed, one finding a line.
    pub(super) fn findings(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_string()));
        let workspace = Workspace::from_files(files.collect()).unwrap();
        let mut findings = Vec::new();
        rule(&workspace, &mut findings);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_project_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let findings = check(&Workspace::read(root).unwrap());
        let failures: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Fail)
            .map(Finding::to_string)
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
