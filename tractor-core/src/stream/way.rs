//! [`Way`]: what an end of a stream is joined to its other end by.

use std::fmt;
use std::sync::Arc;

use super::home::HomeEnd;
use crate::dialog::Dialog;

/// What leads to the other end.
pub(crate) enum Way {
    /// A dialog with another actor.
    Dialog(Arc<Dialog>),
    /// Memory of this actor, in which the stream was made; it may be told of a dialog.
    Home(HomeEnd),
}

impl Way {
    pub(super) fn dialog(&self) -> Option<&Arc<Dialog>> {
        match self {
            Self::Dialog(dialog) => Some(dialog),
            Self::Home(_) => None,
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialog(dialog) => dialog.fmt(f),
            Self::Home(end) => end.fmt(f),
        }
    }
}
