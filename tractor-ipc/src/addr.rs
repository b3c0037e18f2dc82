//! [`Address`]: where an actor listens, as data and as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an actor listens.
///
/// Its text form is `unix:/path` or `tcp:127.0.0.1:80`. It parses back as long as the path is
/// UTF-8; the serialized form keeps any path.
///
/// # Examples
///
/// ```
/// use tractor_ipc::Address; // `tractor::Address`
///
/// let address: Address = "tcp:127.0.0.1:80".parse()?;
/// assert_eq!(address, Address::Tcp(([127, 0, 0, 1], 80).into()));
/// assert_eq!("unix:/run/a".parse::<Address>()?.to_string(), "unix:/run/a");
/// # Ok::<(), tractor_ipc::ParseAddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Address {
    /// The absolute path of a Unix socket.
    Unix(#[serde(with = "path_bytes")] PathBuf),
    /// A TCP port of the loopback interface.
    Tcp(SocketAddr),
}

impl Address {
    /// A free port of the loopback interface, to listen at.
    pub const LOOPBACK: Self = Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseAddressError {
            text: text.to_owned(),
        };
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => address.parse().map(Self::Tcp).map_err(|_| error()),
            _ => Err(error()),
        }
    }
}

/// A text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address such as `unix:/path` or `tcp:127.0.0.1:80`")]
pub struct ParseAddressError {
    text: String,
}

/// A path as the bytes that it is, because serde's own form refuses what is not UTF-8.
mod path_bytes {
    use std::ffi::OsString;
    use std::fmt;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(path.as_os_str().as_bytes())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<PathBuf, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = PathBuf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a path")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<PathBuf, E> {
                Ok(OsString::from_vec(bytes.to_vec()).into())
            }
        }
        source.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn text_parses_back() {
        for text in [
            "unix:/run/user/1/tractor/a b:c",
            "tcp:127.0.0.1:80",
            "tcp:[::1]:0",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "unix:",
            "unix:relative",
            "tcp:",
            "tcp:localhost:80",
            "udp:[::1]:1",
            "/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
    #[test]
    fn any_path_survives_the_wire() {
        let path = OsStr::from_bytes(b"/run/\xff\xfe/sock");
        for address in [
            Address::Unix(path.into()),
            Address::Tcp(([127, 0, 0, 1], 80).into()),
        ] {
            assert_eq!(
                decode::<Address>(&encode(&address).unwrap()).unwrap(),
                address
            );
        }
    }
}
