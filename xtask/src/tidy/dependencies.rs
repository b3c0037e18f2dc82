//! What a manifest asks for and nothing uses.

use std::iter;

use super::Finding;
use super::workspace::Workspace;

/// Asked for by the root's manifest for the crate outside of the workspace that tests make.
const FOR_OTHERS: [(&str, &str); 1] = [("Cargo.toml", "tokio")];

/// Every dependency is named in the code that it is for: in `src`, or for tests anywhere in its
/// crate, in the examples of its documentation too.
pub(super) fn used(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for (path, manifest) in &workspace.manifests {
        // The fuzzers, a workspace of their own, run code that lies with the tests of other crates.
        if path != "Cargo.toml" && manifest.contains_key("workspace") {
            continue;
        }
        let folder = path.trim_end_matches("Cargo.toml");
        for section in ["dependencies", "dev-dependencies"] {
            let asked = manifest.get(section).and_then(toml::Value::as_table);
            let names = asked.into_iter().flat_map(toml::Table::keys);
            for name in names.filter(|name| !FOR_OTHERS.contains(&(path, name))) {
                let is_for_tests = section == "dev-dependencies";
                if !is_named(workspace, folder, &name.replace('-', "_"), is_for_tests) {
                    let message = format!("`{name}` is named by no code that it is for");
                    findings.push(Finding::fail(path, 0, message));
                }
            }
        }
    }
}

fn is_named(workspace: &Workspace, folder: &str, name: &str, is_for_tests: bool) -> bool {
    let mut of_crate = workspace.sources.iter().filter_map(|source| {
        let inner = source.path.strip_prefix(folder)?;
        is_of_crate(workspace, folder, inner).then_some((inner, source))
    });
    of_crate.any(|(inner, source)| {
        if is_for_tests {
            has_word(&source.text, name)
        } else {
            inner.starts_with("src/") && !source.find(&[name]).is_empty()
        }
    })
}

/// Whether no other crate's manifest is nearer to it.
fn is_of_crate(workspace: &Workspace, folder: &str, inner: &str) -> bool {
    let mut above = iter::successors(inner.rsplit_once('/'), |(rest, _)| rest.rsplit_once('/'));
    !above.any(|(rest, _)| {
        let nearer = format!("{folder}{rest}/Cargo.toml");
        workspace.manifests.contains_key(&nearer)
    })
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).any(|(at, _)| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_part(before) && !is_part(bytes.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_string()));
        let workspace = Workspace::from_files(files.collect()).expect("they can be read");
        let mut findings = Vec::new();
        used(&workspace, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_dependency_is_named_by_the_code_that_it_is_for() {
        let found = unused(&[
            (
                "Cargo.toml",
                "[dependencies]\na-b = '1'\nc = '1'\ntokio = '1'\n[dev-dependencies]\nd = '1'\ne = '1'",
            ),
            ("src/lib.rs", "use a_b::X; // c\n//! ```\n//! d::f();\n"),
            ("tests/t.rs", "use c::X; use ee::e_f;"),
            ("x/Cargo.toml", "[dependencies]\nc = '1'"),
            ("x/src/lib.rs", "use c::X; use e::Y;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("`c`") && found[1].contains("`e`"),
            "{found:?}"
        );
    }
}
