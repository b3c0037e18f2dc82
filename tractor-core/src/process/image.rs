//! [`build_id`]: which build of the program this process runs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use tractor_ipc::BuildId;

use crate::os;

/// Gives the id of the file that this process runs, together with what it exports.
///
/// It is taken from the file's device, inode, size and time of modification, not from its
/// content, which would cost a read of hundreds of megabytes at each start. Two processes that
/// were started from one file agree even if the file was replaced meanwhile; a rebuild differs.
///
/// # Errors
///
/// NotFound if /proc is not there.
pub fn build_id(exports_digest: u64) -> io::Result<BuildId> {
    let file = fs::metadata(os::own_program())?;
    Ok(BuildId(digest(&[
        file.dev().to_le_bytes(),
        file.ino().to_le_bytes(),
        file.size().to_le_bytes(),
        file.mtime().to_le_bytes(),
        file.mtime_nsec().to_le_bytes(),
        exports_digest.to_le_bytes(),
    ])))
}

/// FNV-1a: the same in every process and every release of the compiler.
fn digest(words: &[[u8; 8]]) -> u64 {
    words
        .as_flattened()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stable_within_a_build_and_differs_by_exports() {
        assert_eq!(build_id(1).unwrap(), build_id(1).unwrap());
        assert_ne!(build_id(1).unwrap(), build_id(2).unwrap());
    }

    #[test]
    fn every_word_counts_in_its_place() {
        let of = |words: [u64; 2]| digest(&words.map(u64::to_le_bytes));
        assert_ne!(of([1, 2]), of([2, 1]));
        assert_ne!(of([0, 1]), of([1, 0]));
        assert_eq!(digest(&[]), 0xcbf2_9ce4_8422_2325);
    }
}
