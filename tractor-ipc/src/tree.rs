//! What all actors of one tree share: [`TreeId`], [`BuildId`] and [`TreeSecret`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which tree an actor belongs to: a random number, not secret, 32 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TreeId(pub u128);

impl TreeId {
    /// A number that no other tree has.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn fresh() -> Self {
        Self(u128::from_le_bytes(random()))
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeId({self})")
    }
}

/// Which build of the program an actor runs, 16 hexadecimal digits as text.
///
/// Only actors of one build agree on what their functions are and how values are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BuildId(pub u64);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

/// What proves that an actor belongs to a tree.
///
/// It travels only over links that were inherited from the parent, never through arguments or
/// the environment, and `Debug` does not show it.
///
/// # Examples
///
/// ```
/// let secret = tractor_ipc::TreeSecret::fresh();
/// assert_eq!(format!("{secret:?}"), "TreeSecret(..)");
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct TreeSecret([u8; 32]);

impl TreeSecret {
    /// The secret that these bytes are.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A secret that nobody can guess.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn fresh() -> Self {
        Self(random())
    }

    /// The bytes, for a key or a key file.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TreeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TreeSecret(..)")
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
