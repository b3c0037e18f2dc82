//! The names in a child's environment by which it knows itself, and by which others find it.
//!
//! They are no secret and prove nothing: a program that is started by an actor inherits them too.
//! Who acts on one checks it against what cannot be inherited (see [`detect`](super::detect)).

use std::ffi::OsStr;

use crate::os;

/// The pid of the parent, in decimal: set for a child that runs this executable.
pub const CHILD_OF: &str = "TRACTOR_CHILD_OF";

/// The id of the tree, 32 hexadecimal digits: set for all that a tree starts, and inherited by
/// what these start, so that a leak check finds them.
pub const TREE: &str = "TRACTOR_TREE";

/// The signal that every actor catches, and does nothing about: a real-time signal that nobody
/// sends. It is a mark that the kernel shows of the dead too, whose environment is gone, and that
/// programs which an actor starts do not inherit.
pub const SIGNAL: i32 = os::MARK;

/// Variables that a child needs under a cleared environment too: without the loader's path a
/// dynamically linked test does not start, and merged doctests find their part by rustdoc's.
pub(super) fn is_kept(name: &OsStr) -> bool {
    name == "LD_LIBRARY_PATH"
        || name.as_encoded_bytes().starts_with(b"RUSTDOC_")
        || crate::fault::VARIABLES.iter().any(|kept| name == *kept)
        || crate::journal::VARIABLES.iter().any(|kept| name == *kept)
}

/// The pid that a mark holds, written exactly as we write it.
pub(super) fn parse_pid(mark: &OsStr) -> Option<u32> {
    let text = mark.to_str()?;
    let pid: u32 = text.parse().ok()?;
    // This refuses zero, signs, leading zeros, and what no kernel would give.
    (i32::try_from(pid).is_ok() && pid != 0 && pid.to_string() == text).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_read_only_as_it_is_written() {
        let parse = |text: &str| parse_pid(OsStr::new(text));
        assert_eq!(parse("1"), Some(1));
        assert_eq!(parse("4194304"), Some(4_194_304));
        for text in [
            "",
            "0",
            "+7",
            "-7",
            "07",
            " 7",
            "7\n",
            "0x7",
            "7.0",
            "2147483648",
            "seven",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_the_loader_and_rustdoc_need_is_kept() {
        assert!(is_kept(OsStr::new("LD_LIBRARY_PATH")));
        assert!(is_kept(OsStr::new("RUSTDOC_DOCTEST_BIN_PATH")));
        assert!(!is_kept(OsStr::new("PATH")));
        assert!(!is_kept(OsStr::new("LD_PRELOAD")));
    }
}
