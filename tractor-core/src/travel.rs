//! What may cross a process border: [`Travel`], for values, with the compile errors that say why
//! one may not.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that can be sent to another actor: serde on both ends, owned, and [`Send`].
///
/// Every type that is all of this is `Travel`; nobody implements it by hand. The arguments of a
/// function of `#[tractor::rpc]` and what it returns are checked for it.
///
/// # Examples
///
/// A function over any value that an actor may be given:
///
/// ```
/// fn bytes_of<T: tractor_core::Travel>(value: &T) -> usize {
///     tractor_ipc::codec::encode(value).map_or(0, |bytes| bytes.len())
/// }
/// assert_eq!(bytes_of(&"tea".to_owned()), 4);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between actors",
    label = "cannot be sent to another process",
    note = "arguments and results are owned values that implement `serde::Serialize`, \
            `serde::Deserialize` and `Send`: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Travel: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Travel for T {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn owned_serde_values_travel() {
        fn check<T: Travel>() {}
        check::<()>();
        check::<BTreeMap<String, Vec<Option<u8>>>>();
        check::<std::borrow::Cow<'static, str>>();
        check::<crate::Error>();
    }
}
