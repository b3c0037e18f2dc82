//! The functions that a peer may start: [`Export`], put together by the linker, and their
//! numbers.
//!
//! Within one build a function's number is its index in the slice, because a path such as
//! `module::name` need not be unique (functions in functions, two versions of a crate). For
//! people and for other builds there are [`Export::path`] and [`digest`].

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;

use tractor_ipc::DecodeError;

pub use crate::dialog::Seat;
use crate::ending::Ending;

/// One function that other actors may start, as `#[tractor::rpc]` writes it down.
pub struct Export {
    /// Its name: `load`, `Counter::add`, `largest::<u64>`.
    pub name: &'static str,
    /// The module that it stands in.
    pub module: &'static str,
    /// Its signature as source text, to tell apart what two builds mean by one path.
    pub signature: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line in that file, from 1.
    pub line: u32,
    /// How it is started.
    pub start: Start,
    /// Decodes the function's own error, if it returns a `Result`.
    pub decode_error: Option<DecodeUserError>,
    /// Whether the body always gets a task of its own, instead of being polled once where its
    /// request was read.
    pub spawn: bool,
}

/// Decodes the arguments and prepares the body; no code of the function itself runs yet.
#[derive(Clone, Copy)]
pub enum Start {
    /// Of a function that is given arguments and answers.
    Call(fn(&[u8]) -> Result<Body, DecodeError>),
    /// Of one that says more to its caller than its answer.
    Dialog(fn(&[u8], Seat<'_>) -> Result<Body, DecodeError>),
}

/// What runs when a peer calls an [`Export`]; `Ok` is the encoded result.
///
/// A panic in it is for the caller of this type to catch.
pub enum Body {
    /// An `async fn`: polled on an executor thread.
    Async(Pin<Box<dyn Future<Output = Result<Vec<u8>, Ending>> + Send>>),
    /// A plain function: called on a thread that may block.
    Blocking(Box<dyn FnOnce() -> Result<Vec<u8>, Ending> + Send>),
}

/// Decodes the error of one function; `None` if the bytes are none, or the error is not serde.
pub type DecodeUserError = fn(&[u8]) -> Option<BoxedError>;

/// An error of a type that only its owner knows.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl Export {
    /// Its number in this build: the same in every process that runs it.
    ///
    /// `None` if the linker did not collect it, which happens to functions in a dynamic library
    /// (a `dylib` crate): such a function runs here only, and calling it remotely is refused.
    pub fn index(&'static self) -> Option<u32> {
        let slice = EXPORTS.static_slice();
        let offset = std::ptr::from_ref(self)
            .addr()
            .checked_sub(slice.as_ptr().addr())?;
        let index = offset / size_of::<Self>();
        slice.get(index).and_then(|_| u32::try_from(index).ok())
    }

    /// `module::name`, for people; it need not be unique.
    pub fn path(&self) -> String {
        format!("{}::{}", self.module, self.name)
    }

    /// Whether it is called `name` or stands in what is.
    pub(crate) fn stands_in(&self, name: &str) -> bool {
        let path = self.path();
        let rest = path.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Export({}::{} at {}:{})",
            self.module, self.name, self.file, self.line
        )
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Body::Async",
            Self::Blocking(_) => "Body::Blocking",
        })
    }
}

/// The function with this number, if there is one in this build.
pub fn by_index(index: u32) -> Option<&'static Export> {
    EXPORTS.static_slice().get(usize::try_from(index).ok()?)
}

/// The first of these names that no function has, nor anything that a function stands in, with the
/// paths of some in which its last part occurs.
#[doc(hidden)]
pub fn first_unknown(names: &[String]) -> Option<(&str, Vec<String>)> {
    let all = EXPORTS.static_slice();
    let is_unknown = |name: &&String| !all.iter().any(|export| export.stands_in(name));
    let unknown = names.iter().find(is_unknown)?;
    let (untyped, _) = unknown.split_once("::<").unwrap_or((unknown, ""));
    let last = untyped.rsplit("::").next().filter(|last| !last.is_empty());
    let like = all.iter().map(Export::path).filter(|path| {
        let mut parts = path.split("::");
        last.is_some_and(|last| parts.any(|part| part == last))
    });
    Some((unknown, like.take(ALIKE_MAX).collect()))
}

/// Paths that are given in place of one that nothing has.
const ALIKE_MAX: usize = 3;

/// A fingerprint of all functions' modules, names and signatures, in the order of their numbers.
///
/// Two processes whose digests are equal mean the same function by the same number.
pub fn digest() -> u64 {
    static DIGEST: OnceLock<u64> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let texts = |export: &'static Export| [export.module, export.name, export.signature];
        fingerprint(EXPORTS.static_slice().iter().flat_map(texts))
    })
}

/// FNV-1a: the standard library promises no hash that stays the same from release to release.
fn fingerprint<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    texts.fold(0xcbf2_9ce4_8422_2325, |hash, text| {
        // No text holds this byte, so that "ab", "c" and "a", "bc" differ.
        step(text.bytes().fold(hash, step), 0xff)
    })
}

/// Every export of this executable, in the linker's order.
///
/// The name becomes a symbol: the version keeps two versions of this crate in one program apart.
#[linkme::distributed_slice]
pub static TRACTOR_EXPORTS_0_1: [Export];

pub(crate) use TRACTOR_EXPORTS_0_1 as EXPORTS;

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &[u8]) -> Result<Body, DecodeError> {
        Err(DecodeError::UnexpectedEnd)
    }

    static OUTSIDE: Export = Export {
        name: "outside",
        module: module_path!(),
        signature: "fn outside()",
        file: file!(),
        line: line!(),
        start: Start::Call(refuse),
        decode_error: None,
        spawn: false,
    };

    #[test]
    fn every_export_is_found_by_its_number() {
        let count = u32::try_from(EXPORTS.static_slice().len()).unwrap();
        assert!(count > 0, "the tests of `rpc` stand in this crate too");
        for index in 0..count {
            assert_eq!(by_index(index).unwrap().index(), Some(index));
        }
        assert!(by_index(count).is_none());
        assert!(by_index(u32::MAX).is_none());
    }

    #[test]
    fn what_the_linker_did_not_collect_has_no_number() {
        assert_eq!(OUTSIDE.index(), None);
    }

    #[test]
    fn a_path_is_for_people() {
        assert!(
            OUTSIDE.path().ends_with("exports::tests::outside"),
            "{}",
            OUTSIDE.path()
        );
        assert!(format!("{OUTSIDE:?}").contains("exports.rs:"));
    }

    #[test]
    fn a_fingerprint_knows_where_a_text_ends() {
        let of = |texts: &[&'static str]| fingerprint(texts.iter().copied());
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_eq!(digest(), digest());
    }
}
