//! Where a source file may be, and what is said if it is not there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::text::one_line;
use crate::sources::Sources;

/// How many places are told where a file is not.
const LOOKED_MAX: usize = 8;

/// Reads the file that the compiler called `file`, first as it is, then from the directory of its
/// manifest and from each one above that: the compiler may have run in any of them.
///
/// `Err` says where it was looked for.
pub(super) fn locate(
    file: &str,
    manifest_dir: Option<&str>,
    sources: &dyn Sources,
) -> Result<String, String> {
    let mut looked = Vec::new();
    for path in candidates(file, manifest_dir) {
        match sources.read(&path) {
            Ok(text) => return Ok(text),
            Err(error) => {
                let path = one_line(&path.display().to_string(), 200);
                looked.push(match error.kind() {
                    ErrorKind::NotFound => format!("  {path}"),
                    _ => format!("  {path}: {}", one_line(&error.to_string(), 200)),
                });
            }
        }
    }
    let more = looked.len().saturating_sub(LOOKED_MAX);
    looked.truncate(LOOKED_MAX);
    if more > 0 {
        looked.push(format!("  … and {more} directories further up"));
    }
    let file = one_line(file, 200);
    Err(format!(
        "The source of {file} is not here. Looked at:\n{}",
        looked.join("\n")
    ))
}

/// Each path once, in the order in which they are tried.
fn candidates(file: &str, manifest_dir: Option<&str>) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(file)];
    // Joined to a directory, an absolute path stays what it is.
    for dir in manifest_dir
        .into_iter()
        .flat_map(|dir| Path::new(dir).ancestors())
    {
        let path = dir.join(file);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use super::*;

    /// Files that are in memory only.
    #[derive(Debug, Default)]
    pub(in crate::repl) struct Memory(pub(in crate::repl) BTreeMap<PathBuf, String>);

    impl Memory {
        pub(in crate::repl) fn with(path: &str, text: &str) -> Self {
            Self(BTreeMap::from([(PathBuf::from(path), text.to_owned())]))
        }
    }

    impl Sources for Memory {
        fn read(&self, path: &Path) -> io::Result<String> {
            match self.0.get(path) {
                Some(text) if text == "locked" => Err(io::Error::other("it is locked")),
                Some(text) => Ok(text.clone()),
                None => Err(ErrorKind::NotFound.into()),
            }
        }
    }

    #[test]
    fn a_file_is_looked_for_in_every_directory_above_its_manifest() {
        for path in ["src/a.rs", "/w/demo/src/a.rs", "/w/src/a.rs", "/src/a.rs"] {
            let found = locate("src/a.rs", Some("/w/demo"), &Memory::with(path, "text"));
            assert_eq!(found.as_deref(), Ok("text"), "{path}");
        }
    }

    #[test]
    fn what_is_not_found_is_told_with_the_places() {
        let memory = Memory::with("/w/src/a.rs", "locked");
        assert_eq!(
            locate("src/a.rs", Some("/w"), &memory),
            Err(
                "The source of src/a.rs is not here. Looked at:\n  src/a.rs\n  \
                 /w/src/a.rs: it is locked\n  /src/a.rs"
                    .to_owned()
            )
        );
    }

    #[test]
    fn an_absolute_path_is_looked_for_once() {
        let said = locate("/x/a.rs", Some("/w"), &Memory::default()).expect_err("it is not there");
        assert!(said.ends_with("Looked at:\n  /x/a.rs"), "{said}");
        assert_eq!(candidates("a.rs", Some("w")).len(), 2);
    }
}
