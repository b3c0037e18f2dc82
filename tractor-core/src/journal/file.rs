//! The journal's file.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write as _};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};

/// Where the journals are.
pub(super) const VARIABLE: &str = "TRACTOR_JOURNAL";

/// A file of this size is put aside for a new one, which begins with the states that hold.
const FILE_BYTES_MAX: usize = 256 * 1024;

struct Journal {
    path: PathBuf,
    file: File,
    bytes: usize,
    /// The states that hold, by key.
    states: BTreeMap<String, String>,
    line: String,
}

static JOURNAL: LazyLock<Option<Mutex<Journal>>> = LazyLock::new(|| {
    let path = PathBuf::from(std::env::var_os(VARIABLE)?).join(std::process::id().to_string());
    let file = File::create(&path).ok()?;
    Some(Mutex::new(Journal {
        path,
        file,
        bytes: 0,
        states: BTreeMap::new(),
        line: String::new(),
    }))
});

/// Notes what holds from now on; an empty text says that it is over.
pub fn state(key: Arguments<'_>, text: Arguments<'_>) {
    write(|journal| {
        let (key, text) = (key.to_string(), text.to_string());
        journal.append('=', format_args!("{key} | {text}"));
        match text.is_empty() {
            true => journal.states.remove(&key),
            false => journal.states.insert(key, text),
        };
    });
}

/// Notes what has happened.
pub fn event(text: Arguments<'_>) {
    write(|journal| journal.append('.', text));
}

fn write(entry: impl FnOnce(&mut Journal)) {
    let Some(journal) = &*JOURNAL else { return };
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    entry(&mut journal);
    // Whoever reads journals takes what is there: a full disk is no reason to fail.
    let _ = journal.bound();
}

impl Journal {
    fn append(&mut self, kind: char, text: Arguments<'_>) {
        let now = clock_gettime(ClockId::Monotonic);
        self.line.clear();
        let micros = now.tv_nsec / 1000;
        // A text never fails to take more.
        let _ = writeln!(self.line, "{}.{micros:06} {kind} {text}", now.tv_sec);
        self.bytes += self.line.len();
        // As above.
        let _ = self.file.write_all(self.line.as_bytes());
    }

    /// Begins a new file if this one is long.
    fn bound(&mut self) -> io::Result<()> {
        if self.bytes < FILE_BYTES_MAX {
            return Ok(());
        }
        self.bytes = 0;
        fs::rename(&self.path, self.path.with_extension("old"))?;
        self.file = File::create(&self.path)?;
        for (key, text) in std::mem::take(&mut self.states) {
            self.append('=', format_args!("{key} | {text}"));
            self.states.insert(key, text);
        }
        Ok(())
    }
}
