//! [`ActorId`]: the name a user gave and the number that tells namesakes apart.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::NAME_BYTES_MAX;

/// Who an actor is, for ever: its name and its incarnation.
///
/// Names may repeat, in space and in time; the incarnation is random, so two ids are equal only
/// if they mean the same process. Cloning counts a reference.
///
/// `Display` shows `'name'`, `Debug` shows `'name'#1a2b` with the incarnation in hexadecimal.
///
/// # Examples
///
/// ```
/// use tractor_ipc::ActorId; // `tractor::ActorId`
///
/// let aid = ActorId::new("worker", 0x1a2b);
/// assert_eq!(aid.to_string(), "'worker'");
/// assert_eq!(format!("{aid:?}"), "'worker'#1a2b");
/// assert_ne!(aid, ActorId::fresh("worker"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ActorId {
    #[serde(serialize_with = "as_text")]
    name: Arc<str>,
    incarnation: u64,
}

impl ActorId {
    /// Names the actor `name` in its incarnation `incarnation`.
    ///
    /// # Panics
    ///
    /// If [`check_name`](Self::check_name) refuses the name. A name that comes from outside is
    /// checked first.
    pub fn new(name: impl Into<Arc<str>>, incarnation: u64) -> Self {
        let name = name.into();
        if let Err(error) = Self::check_name(&name) {
            panic!("{error}: {name:?}");
        }
        Self { name, incarnation }
    }

    /// Names a new actor `name`, with a random incarnation.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new), and if the operating system has no randomness to give.
    pub fn fresh(name: impl Into<Arc<str>>) -> Self {
        Self::new(
            name,
            getrandom::u64().expect("the system gives random bytes"),
        )
    }

    /// Tells whether an actor may be called `name`.
    ///
    /// # Errors
    ///
    /// `NameError` if it is empty, longer than 128 bytes, or holds a control character, which would
    /// garble terminals and logs. The caller chooses another.
    pub fn check_name(name: &str) -> Result<(), NameError> {
        if name.is_empty() {
            Err(NameError::Empty)
        } else if name.len() > NAME_BYTES_MAX {
            Err(NameError::TooLong { len: name.len() })
        } else if name.chars().any(char::is_control) {
            Err(NameError::Control)
        } else {
            Ok(())
        }
    }

    /// The name, without quotes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that tells this actor from others of its name.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }
}

// Serde's own way is a feature with which users' types could be shared and then arrive as copies.
fn as_text<S: Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.name)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'#{:x}", self.name, self.incarnation)
    }
}

impl<'de> Deserialize<'de> for ActorId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "ActorId")]
        struct Unchecked<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
            incarnation: u64,
        }
        let Unchecked { name, incarnation } = Unchecked::deserialize(deserializer)?;
        Self::check_name(&name).map_err(serde::de::Error::custom)?;
        let name = name.into();
        Ok(Self { name, incarnation })
    }
}

/// Why a name cannot be an actor's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no character in it.
    #[error("an actor's name is empty")]
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    #[error("an actor's name has {len} bytes, more than {NAME_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It holds a control character.
    #[error("an actor's name holds a control character")]
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn names_are_bounded() {
        assert_eq!(ActorId::check_name(""), Err(NameError::Empty));
        assert_eq!(ActorId::check_name("a\u{1b}[2J"), Err(NameError::Control));
        assert_eq!(ActorId::check_name(&"n".repeat(NAME_BYTES_MAX)), Ok(()));
        let len = NAME_BYTES_MAX + 1;
        assert_eq!(
            ActorId::check_name(&"n".repeat(len)),
            Err(NameError::TooLong { len })
        );
    }

    #[test]
    fn a_bad_name_does_not_decode() {
        let bytes = encode(&("two\nlines", 7_u64)).unwrap();
        assert!(
            decode::<ActorId>(&bytes)
                .unwrap_err()
                .to_string()
                .contains("control")
        );
    }

    #[test]
    fn ids_survive_the_wire() {
        let aid = ActorId::fresh("wörker");
        assert_eq!(decode::<ActorId>(&encode(&aid).unwrap()).unwrap(), aid);
    }

    #[test]
    fn order_is_by_name_first() {
        assert!(ActorId::new("a", 9) < ActorId::new("b", 1));
        assert!(ActorId::new("a", 1) < ActorId::new("a", 9));
    }
}
