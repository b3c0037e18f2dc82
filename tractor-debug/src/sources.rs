//! [`Sources`]: where a prompt reads the source from, and [`Disk`], which reads it there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest source file that is read, in bytes: larger ones are generated, and nobody wants to
/// wait for them at a prompt.
pub const SOURCE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where the source is read from. It is all that a prompt ever reads by itself.
pub trait Sources: fmt::Debug + Send + Sync {
    /// The text of the file at `path`.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being read; the prompt goes on to the next place where the file may
    /// be, and shows the error if there is none.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The file system of this process. Relative paths begin in its working directory; bytes that are
/// no UTF-8 are replaced.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use tractor_debug::{Disk, Sources};
///
/// let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
/// assert!(Disk.read(&manifest)?.contains("[package]"));
/// assert!(Disk.read(Path::new("no/such/file.rs")).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Sources for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        // Before it is opened: that could wait for ever, if it is a pipe.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?
            .take(SOURCE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > SOURCE_BYTES_MAX {
            return Err(io::Error::other("it is larger than 4 MiB"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        for path in ["/", "/dev/null", "/dev/zero"] {
            let error = Disk.read(Path::new(path)).expect_err(path);
            assert_eq!(error.to_string(), "it is not a file");
        }
    }

    #[test]
    fn this_file_can_be_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources.rs");
        let text = Disk.read(&path).expect("it is there");
        assert!(text.starts_with("//! [`Sources`]"));
    }
}
