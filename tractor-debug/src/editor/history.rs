//! The file of what was typed before, which all trees of a user share.
//!
//! It is only ever appended to, a line at a time and in one write, so that trees which use it at
//! the same time do not lose each other's lines.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where the history is kept if nobody says otherwise: `tractor/history` below the directory for
/// the state of programs, which is `$XDG_STATE_HOME` or else `~/.local/state`. `None` if neither
/// variable holds an absolute path.
pub(crate) fn usual_place() -> Option<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("tractor/history"))
}

/// The file, opened.
#[derive(Debug)]
pub(crate) struct History {
    file: File,
    last: Option<String>,
}

impl History {
    /// Opens the file and gives what stands in it, oldest first. What is missing is made: the
    /// directories for their owner alone, and so is the file, whatever it was before. A device in
    /// its place is left as it is.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<String>)> {
        if let Some(directory) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Ok((Self { file, last: None }, Vec::new()));
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        let length = file.seek(SeekFrom::End(0))?;
        let start = length.saturating_sub(READ_BYTES_MAX);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        (&file).take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            // A disk that was full has cut it off.
            file.write_all(b"\n")?;
        }
        let text = String::from_utf8_lossy(&bytes);
        let entries: Vec<_> = text
            .lines()
            // The first one is cut if it does not begin the file.
            .skip(usize::from(start > 0))
            .map(unescape)
            .collect();
        let last = entries.last().cloned();
        Ok((Self { file, last }, entries))
    }

    /// Appends a line, unless it repeats the one before or is blank. Whether it was.
    ///
    /// # Errors
    ///
    /// What the file system says; a full disk may have kept a part of the line.
    pub(crate) fn append(&mut self, line: &str) -> io::Result<bool> {
        if line.trim().is_empty() || self.last.as_deref() == Some(line) {
            return Ok(false);
        }
        let entry = format!("{}\n", line.replace('\\', r"\\").replace('\n', r"\n"));
        self.file.write_all(entry.as_bytes())?;
        self.last = Some(line.to_owned());
        Ok(true)
    }
}

fn unescape(entry: &str) -> String {
    let mut line = String::with_capacity(entry.len());
    let mut rest = entry.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n') => line.push('\n'),
                Some(other) => line.push(other),
                None => line.push('\\'),
            },
            c => line.push(c),
        }
    }
    line
}

/// How much of a long file is read: some ten thousand lines.
const READ_BYTES_MAX: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let name = format!("tractor-history-{}-{name}", std::process::id());
        std::env::temp_dir().join(name)
    }

    #[test]
    fn lines_come_back_as_they_were_and_in_order() {
        let dir = scratch("order");
        let path = dir.join("a/history");
        let lines = ["p order", r"p \n", "two\nlines", "é"];
        let (mut history, before) = History::open(&path).unwrap();
        assert!(before.is_empty());
        for line in lines {
            assert!(history.append(line).unwrap());
        }
        let (_, after) = History::open(&path).unwrap();
        assert_eq!(after, lines);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn repeated_and_blank_lines_are_left_out() {
        let dir = scratch("repeated");
        let path = dir.join("history");
        let (mut history, _) = History::open(&path).unwrap();
        let kept: Vec<_> = ["w", "w", "", "  ", "c", "w"]
            .into_iter()
            .filter(|line| history.append(line).unwrap())
            .collect();
        assert_eq!(kept, ["w", "c", "w"]);
        // The last one of an earlier run counts.
        let (mut history, _) = History::open(&path).unwrap();
        assert!(!history.append("w").unwrap());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn two_trees_keep_each_others_lines_and_only_the_owner_reads_them() {
        let dir = scratch("shared");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("history");
        std::fs::write(&path, "cut of").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let (mut first, _) = History::open(&path).unwrap();
        let (mut second, _) = History::open(&path).unwrap();
        first.append("a").unwrap();
        second.append("b").unwrap();
        first.append("c").unwrap();
        assert_eq!(History::open(&path).unwrap().1, ["cut of", "a", "b", "c"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_device_takes_what_is_typed_and_stays_as_it_is() {
        let dir = scratch("device");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("history");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let mode = || std::fs::metadata("/dev/null").unwrap().permissions().mode();
        let before = mode();
        let (mut history, entries) = History::open(&path).unwrap();
        assert!(entries.is_empty() && history.append("c").unwrap());
        assert_eq!(mode(), before);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_long_file_is_read_from_the_first_whole_line_of_its_end() {
        let dir = scratch("long");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("history");
        let line = "x".repeat(1000);
        let text: String = (0..400).map(|n| format!("{n} {line}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let (_, entries) = History::open(&path).unwrap();
        assert_eq!(entries.last(), Some(&format!("399 {line}")));
        assert!(entries.len() > 200 && entries.iter().all(|entry| entry.len() > 1000));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
