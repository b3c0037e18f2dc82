//! The files that tidy looks at, read once.
//!
//! A [`Workspace`] is plain data, so that a rule can be tested on a few lines instead of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;

/// Every file by its path from the root, with its text.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) manifests: BTreeMap<String, toml::Table>,
}

/// What was built, found by a fuzzer or belongs to git is not ours to judge.
const SKIPPED: [&str; 4] = ["target", ".git", "corpus", "artifacts"];

impl Workspace {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        read_folder(root, "", &mut files)?;
        Self::from_files(files)
    }

    pub(crate) fn from_files(files: BTreeMap<String, String>) -> Result<Self> {
        let mut sources = Vec::new();
        let mut manifests = BTreeMap::new();
        for (path, text) in &files {
            if path.ends_with(".rs") {
                sources.push(Source::new(path, text)?);
            } else if path == "Cargo.toml" || path.ends_with("/Cargo.toml") {
                let table = text
                    .parse()
                    .with_context(|| format!("{path} is not TOML"))?;
                manifests.insert(path.clone(), table);
            }
        }
        Ok(Self {
            files,
            sources,
            manifests,
        })
    }

    /// The sources that become part of a library: the `src` of every crate but this tool.
    pub(crate) fn library_sources(&self) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(|source| library_crate(&source.path).is_some())
    }

    /// Whether a path, or a file name alone, names something that exists.
    pub(crate) fn contains(&self, name: &str) -> bool {
        let name = name.trim_end_matches('/');
        let inner = format!("/{name}/");
        let start = format!("{name}/");
        self.files.keys().any(|path| {
            path == name
                || path.starts_with(&start)
                || path.contains(&inner)
                || path
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('/'))
        })
    }
}

/// The crate that a library source belongs to: `tractor` is the facade in the root's own `src`.
pub(crate) fn library_crate(path: &str) -> Option<&str> {
    let (folder, rest) = path.split_once('/')?;
    match folder {
        "src" => Some("tractor"),
        _ if folder.starts_with("tractor-") && rest.starts_with("src/") => Some(folder),
        _ => None,
    }
}

fn read_folder(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let path = root.join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let path = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        if entry.file_type()?.is_dir() {
            read_folder(root, &path, files)?;
        } else {
            // A file that is not text is only known to exist.
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            files.insert(path, text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_path_folder_and_name() {
        let files = [("tractor-core/src/io/look.rs".to_owned(), String::new())];
        let workspace = Workspace::from_files(files.into()).unwrap();
        for name in [
            "tractor-core/src/io/look.rs",
            "look.rs",
            "io/look.rs",
            "src/io/",
            "io/",
        ] {
            assert!(workspace.contains(name), "{name}");
        }
        for name in ["ook.rs", "io/loo", "core/", "write.rs"] {
            assert!(!workspace.contains(name), "{name}");
        }
    }

    #[test]
    fn only_crates_have_library_sources() {
        assert_eq!(library_crate("src/lib.rs"), Some("tractor"));
        assert_eq!(
            library_crate("tractor-ipc/src/codec.rs"),
            Some("tractor-ipc")
        );
        for path in [
            "tractor-ipc/tests/frames.rs",
            "xtask/src/main.rs",
            "examples/quickstart.rs",
        ] {
            assert_eq!(library_crate(path), None);
        }
    }
}
