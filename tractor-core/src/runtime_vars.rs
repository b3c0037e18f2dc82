//! [`RuntimeVars`]: named values that a parent hands to its children when it starts them.
//!
//! They are written once, before an actor runs, and read anywhere in it by type. What a value's
//! bytes mean is known only to its type, so the name of the type is kept beside them: asking for
//! another number type is an error and not another number.

use std::any::type_name;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tractor_ipc::{DecodeError, EncodeError, codec};

/// Whether breakpoints and crashes stop for a debugger: a `bool`.
pub const DEBUG_MODE: &str = "tractor.debug_mode";
/// Whether the actor is the root of its tree: a `bool`.
pub const IS_ROOT: &str = "tractor.is_root";
/// Where the root listens: an [`Address`](tractor_ipc::Address).
pub const ROOT_ADDRESS: &str = "tractor.root_address";
/// Where the registrar listens: an [`Address`](tractor_ipc::Address).
pub const REGISTRAR: &str = "tractor.registrar";
/// What is logged, in the filter syntax of `TRACTOR_LOG`: a `String`.
pub const LOG_LEVEL: &str = "tractor.log_level";

/// A map from names to values of any serde type.
///
/// Names that begin with `tractor.` belong to the runtime.
///
/// # Examples
///
/// ```
/// use tractor_core::runtime_vars::RuntimeVars; // `tractor::RuntimeVars`
///
/// let mut vars = RuntimeVars::new();
/// vars.insert("retries", &3_u32)?;
/// vars.insert("table", "prices")?;
///
/// let mut overrides = RuntimeVars::new();
/// overrides.insert("retries", &0_u32)?;
/// let child = vars.merged_with(&overrides);
///
/// assert_eq!(child.get::<u32>("retries")?, Some(0));
/// assert_eq!(child.get::<String>("table")?.as_deref(), Some("prices"));
/// assert_eq!(child.get::<String>("colour")?, None);
/// assert!(child.get::<i64>("retries").is_err());
/// # Ok::<(), tractor_core::runtime_vars::VarError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeVars {
    values: BTreeMap<String, Value>,
}

impl RuntimeVars {
    /// A map without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`, whatever it was before.
    ///
    /// # Errors
    ///
    /// [`VarError::Reserved`] if the key begins with `tractor.`: choose another.
    /// [`VarError::NotEncoded`] if the value cannot be serialized.
    pub fn insert<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), VarError> {
        if key.starts_with(RESERVED) {
            return Err(VarError::Reserved {
                key: key.to_owned(),
            });
        }
        self.insert_own(key, value)
    }

    /// As [`insert`](Self::insert), for the keys of the runtime.
    #[doc(hidden)]
    pub fn insert_own<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), VarError> {
        let encoded = codec::encode(value).map_err(|source| VarError::NotEncoded {
            key: key.to_owned(),
            type_name: type_name::<T>(),
            source,
        })?;
        let type_name = type_name::<T>().to_owned();
        let value = Value { type_name, encoded };
        self.values.insert(key.to_owned(), value);
        Ok(())
    }

    /// The value of `key`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`VarError::OtherType`] if the value is no `T`: ask for the type that was inserted.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, VarError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        let other_type = |source| VarError::OtherType {
            key: key.to_owned(),
            wanted: type_name::<T>(),
            held: value.type_name.clone(),
            source,
        };
        if is_other_number(&value.type_name, type_name::<T>()) {
            return Err(other_type(None));
        }
        let value = codec::decode(&value.encoded).map_err(|error| other_type(Some(error)))?;
        Ok(Some(value))
    }

    /// These values, with those of `overrides` in place of their namesakes.
    #[must_use]
    pub fn merged_with(&self, overrides: &Self) -> Self {
        let mut merged = self.clone();
        merged.values.extend(overrides.values.clone());
        merged
    }

    /// The names that have a value, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The value of `key` in this actor, `None` if it was started without.
///
/// # Errors
///
/// As [`RuntimeVars::get`].
pub fn runtime_var<T: DeserializeOwned>(key: &str) -> Result<Option<T>, VarError> {
    current().get(key)
}

/// All values of this actor; none before the runtime has started.
pub fn current() -> Arc<RuntimeVars> {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    installed.clone().unwrap_or_default()
}

/// Makes `vars` those of this process.
#[doc(hidden)]
pub fn install(vars: RuntimeVars) {
    let vars = Some(Arc::new(vars));
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    let former = std::mem::replace(&mut *installed, vars);
    drop(installed);
    drop(former);
}

static INSTALLED: RwLock<Option<Arc<RuntimeVars>>> = RwLock::new(None);

const RESERVED: &str = "tractor.";

/// A value, and what it was when it was inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    type_name: String,
    encoded: Vec<u8>,
}

/// Why a value cannot be put in or taken out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VarError {
    /// The key belongs to the runtime.
    #[error("set runtime var `{key}`: names that begin with `{RESERVED}` belong to the runtime")]
    Reserved {
        /// The key.
        key: String,
    },
    /// The value cannot be serialized.
    #[error("set runtime var `{key}` to a `{type_name}`")]
    NotEncoded {
        /// The key.
        key: String,
        /// The type of the value.
        type_name: &'static str,
        /// Why.
        source: EncodeError,
    },
    /// The value is of another type.
    #[error("read runtime var `{key}` as `{wanted}`, it was set as `{held}`")]
    OtherType {
        /// The key.
        key: String,
        /// The type that was asked for.
        wanted: &'static str,
        /// The type that was inserted.
        held: String,
        /// What the bytes say, unless the names of the types say it already.
        source: Option<DecodeError>,
    },
}

/// Whether two types are known to hold different numbers. Their bytes would often do for each
/// other and mean another value: a plain `5` is an `i32`, and as a `u32` it would be 10.
fn is_other_number(held: &str, wanted: &str) -> bool {
    let (mut held, mut wanted) = (numbers(held).peekable(), numbers(wanted).peekable());
    // A type that names none, such as a struct, may well hold any.
    let both_tell = held.peek().is_some() && wanted.peek().is_some();
    both_tell && !held.eq(wanted)
}

/// The numbers, truth values and characters in the name of a type, in order.
fn numbers(type_name: &str) -> impl Iterator<Item = &str> {
    let words = type_name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| NUMBERS.contains(word))
}

const NUMBERS: [&str; 16] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tractor_ipc::Address;

    use super::*;

    fn vars<T: Serialize + ?Sized>(key: &str, value: &T) -> RuntimeVars {
        let mut vars = RuntimeVars::new();
        vars.insert(key, value).unwrap();
        vars
    }

    #[test]
    fn values_come_back_by_type() {
        let address: Address = "unix:/run/a".parse().unwrap();
        let table = vars("table", &(vec![1_u8, 2], "two", Some(&address)));
        let table = table.get::<(Vec<u8>, String, Option<Address>)>("table");
        assert_eq!(
            table.unwrap(),
            Some((vec![1, 2], "two".into(), Some(address)))
        );
        assert_eq!(vars("a", &1_u8).get::<u8>("b"), Ok(None));
    }

    #[test]
    fn numbers_are_not_mixed_up() {
        let five = vars("five", &5);
        assert_eq!(five.get::<i32>("five"), Ok(Some(5)));
        let error = five.get::<u32>("five").unwrap_err();
        assert_eq!(
            error.to_string(),
            "read runtime var `five` as `u32`, it was set as `i32`"
        );
        assert!(vars("list", &[1_u16][..]).get::<Vec<u16>>("list").is_ok());
        assert!(vars("list", &[1_u16][..]).get::<Vec<u32>>("list").is_err());
        assert!(vars("flag", &true).get::<u8>("flag").is_err());
    }

    #[test]
    fn an_error_names_key_and_types() {
        let error = vars("name", "x").get::<Option<String>>("name").unwrap_err();
        let text = error.to_string();
        for part in [
            "`name`",
            "`core::option::Option<alloc::string::String>`",
            "`str`",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(error.source().is_some());
    }

    #[test]
    fn a_struct_reads_what_it_is_made_of() {
        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        struct Port(u16);
        assert_eq!(vars("port", &80_u16).get("port"), Ok(Some(Port(80))));
        assert_eq!(vars("port", &Port(80)).get("port"), Ok(Some(80_u16)));
    }

    #[test]
    fn names_of_the_runtime_are_refused() {
        let mut vars = RuntimeVars::new();
        for key in [DEBUG_MODE, IS_ROOT, ROOT_ADDRESS, REGISTRAR, LOG_LEVEL] {
            let key = key.to_owned();
            let refused = vars.insert(&key, &true);
            assert_eq!(refused, Err(VarError::Reserved { key }));
        }
        vars.insert_own(DEBUG_MODE, &true).unwrap();
        vars.insert("tractors", &2_u8).unwrap();
        assert_eq!(vars.keys().collect::<Vec<_>>(), [DEBUG_MODE, "tractors"]);
    }

    #[test]
    fn overrides_win_and_the_rest_stays() {
        let mut base = vars("a", &1_u8);
        base.insert("b", &2_u8).unwrap();
        let merged = base.merged_with(&vars("b", "other"));
        assert_eq!(merged.get("a"), Ok(Some(1_u8)));
        assert_eq!(merged.get("b"), Ok(Some("other".to_owned())));
        assert_eq!(base.get("b"), Ok(Some(2_u8)));
    }

    #[test]
    fn vars_survive_the_wire() {
        let mut vars = vars("a", &1_u8);
        vars.insert_own(LOG_LEVEL, "info").unwrap();
        assert_eq!(codec::decode(&codec::encode(&vars).unwrap()), Ok(vars));
    }

    #[test]
    fn installed_vars_are_read_anywhere() {
        assert_eq!(runtime_var::<u8>("installed.here"), Ok(None));
        install(vars("installed.here", &7_u8));
        assert_eq!(runtime_var::<u8>("installed.here"), Ok(Some(7)));
        let key = std::thread::spawn(|| current().keys().next().map(str::to_owned));
        assert_eq!(key.join().unwrap().as_deref(), Some("installed.here"));
    }
}
