//! Documents that name files, and examples that show their output.

use super::Finding;
use super::workspace::Workspace;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const README: &str = "README.md";

/// What a word in backticks ends with when it names a file or a folder.
const FILE_ENDINGS: [&str; 6] = [".rs", ".md", ".toml", ".out", ".snap", "/"];

/// An example's header line that says why no output is stored beside it.
const NO_OUTPUT: &str = "//! No stored output:";

/// ARCHITECTURE.md names every crate, and only files that exist.
pub(super) fn architecture(workspace: &Workspace, findings: &mut Vec<Finding>) {
    let Some(text) = workspace.files.get(ARCHITECTURE) else {
        findings.push(Finding::fail(ARCHITECTURE, 1, "the document is missing"));
        return;
    };
    for manifest in workspace.manifests.values() {
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name")?.as_str());
        if let Some(name) = name.filter(|name| !text.contains(&format!("`{name}`"))) {
            findings.push(Finding::fail(
                ARCHITECTURE,
                1,
                format!("does not name crate `{name}`"),
            ));
        }
    }
    for (index, line) in text.lines().enumerate() {
        for name in file_names(line).filter(|name| !workspace.contains(name)) {
            let message = format!("`{name}` does not exist");
            findings.push(Finding::fail(ARCHITECTURE, index + 1, message));
        }
    }
}

/// The words in backticks that name one file or folder of the project.
fn file_names(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| {
        let pattern = |c: char| c.is_whitespace() || "*<>{}$:".contains(c);
        let is_path = FILE_ENDINGS.iter().any(|ending| word.ends_with(ending));
        is_path && !word.starts_with(['/', '.']) && !word.contains(pattern) && word.len() > 1
    })
}

/// Each Rust block of README.md is a part of an example, so that it compiles and stays true.
pub(super) fn readme_blocks(workspace: &Workspace, findings: &mut Vec<Finding>) {
    let Some(text) = workspace.files.get(README) else {
        findings.push(Finding::fail(README, 1, "the document is missing"));
        return;
    };
    let mut before = 0;
    for (index, part) in text.split("```").enumerate() {
        let is_example = |block: &str| {
            let mut sources = workspace.sources.iter();
            sources
                .any(|source| source.path.starts_with("examples/") && source.text.contains(block))
        };
        // Every second part lies between two fences.
        let block = (index % 2 == 1)
            .then(|| part.strip_prefix("rust\n"))
            .flatten();
        if block.is_some_and(|block| !is_example(block)) {
            let message = "the block is no part of an example";
            findings.push(Finding::fail(README, before + 1, message));
        }
        before += part.matches('\n').count();
    }
}

/// Each example has its output beside it, or says why not. Of one in a folder its `main.rs` is
/// the example, and the others are parts of it.
pub(super) fn example_output(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in &workspace.sources {
        let Some(name) = source
            .path
            .strip_prefix("examples/")
            .and_then(|name| name.strip_suffix(".rs"))
        else {
            continue;
        };
        if name.contains('/') && !name.ends_with("/main") {
            continue;
        }
        let has_output = workspace
            .files
            .contains_key(&format!("examples/{name}.out"));
        let reason = source
            .text
            .lines()
            .find_map(|line| line.strip_prefix(NO_OUTPUT));
        let message = match (has_output, reason.map(str::trim)) {
            (true, None) => continue,
            (false, Some(reason)) if !reason.is_empty() => continue,
            (true, Some(_)) => format!("examples/{name}.out exists: drop `{NO_OUTPUT}`"),
            (false, _) => format!("write examples/{name}.out, or `{NO_OUTPUT} REASON` above"),
        };
        findings.push(Finding::fail(&source.path, 1, message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::findings;
    use super::*;

    #[test]
    fn architecture_names_every_crate_and_only_what_exists() {
        let text = "`tractor-ipc` has `codec.rs` and `gone.rs`; see `docs/adr/`.\n\
                    `/proc/self/exe`, `a/*.rs` and `NAME.out x.rs` are no files of ours.\n";
        let files = [
            ("ARCHITECTURE.md", text),
            ("tractor-ipc/Cargo.toml", "[package]\nname = 'tractor-ipc'"),
            ("tractor-ipc/src/codec.rs", ""),
            ("docs/adr/0001-x.md", ""),
            ("xtask/Cargo.toml", "[package]\nname = 'xtask'"),
        ];
        assert_eq!(
            findings(architecture, &files),
            [
                "ARCHITECTURE.md:1: error: does not name crate `xtask`",
                "ARCHITECTURE.md:1: error: `gone.rs` does not exist",
            ]
        );
    }

    #[test]
    fn a_block_of_the_readme_is_a_part_of_an_example() {
        let text =
            "# a\n\n```sh\ncargo test\n```\n\n```rust\nfn a() {}\n```\n\n```rust\nfn b() {}\n```\n";
        let files = [
            ("README.md", text),
            ("examples/a.rs", "//! One.\n\nfn a() {}\n"),
            ("src/lib.rs", "//! No example.\nfn b() {}\n"),
        ];
        assert_eq!(
            findings(readme_blocks, &files),
            ["README.md:11: error: the block is no part of an example"]
        );
    }

    #[test]
    fn an_example_has_its_output_or_a_reason() {
        let files = [
            ("examples/a.rs", "//! One.\n"),
            ("examples/a.out", ""),
            (
                "examples/b.rs",
                "//! Two.\n//!\n//! No stored output: it needs a terminal.\n",
            ),
            ("examples/c.rs", "//! Three.\n"),
            (
                "examples/debugging/main.rs",
                "//! Four.\n//! No stored output:\n",
            ),
            ("examples/debugging/part.rs", "//! Five.\n"),
        ];
        let found = findings(example_output, &files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("examples/c.rs:1: error: write examples/c.out"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("examples/debugging/main.rs:1:"),
            "{found:?}"
        );
    }
}
