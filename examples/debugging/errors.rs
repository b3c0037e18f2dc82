//! What goes wrong in several of these programs.

/// As Python says it.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("name '{0}' is not defined")]
pub(crate) struct NameError(String);

/// As Python says it.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("RuntimeError")]
pub(crate) struct RuntimeError;

/// Fails.
#[tractor::rpc]
pub(crate) async fn name_error() -> Result<(), NameError> {
    Err(NameError("doggypants".to_owned()))
}
