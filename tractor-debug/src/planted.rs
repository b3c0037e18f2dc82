//! Bugs that can be planted in a running tree, to see that `cargo xtask test-deadlocks` finds them
//! there: `TRACTOR_PLANTED` names one, for all processes of the tree.
//!
//! They exist only under the feature `__mutants`; without it `planted!` is `false`, and nothing of
//! them is in the program.

#[cfg(feature = "__mutants")]
use std::sync::LazyLock;

/// A bug that somebody could make.
#[cfg(feature = "__mutants")]
pub(crate) enum Planted {
    /// The lock stays with whoever dies or is cut off.
    LossReleasesNothing,
    /// Parents do not count who below them wants the terminal.
    LadderForgetsWaiters,
    /// A cancel of who waits for the terminal is put off until the terminal is given.
    CancelWaitsForTheTerminal,
}

/// Whether this bug is planted.
#[cfg(feature = "__mutants")]
pub(crate) fn is_planted(bug: Planted) -> bool {
    static NAME: LazyLock<String> =
        LazyLock::new(|| std::env::var("TRACTOR_PLANTED").unwrap_or_default());
    let name = match bug {
        Planted::LossReleasesNothing => "loss-releases-nothing",
        Planted::LadderForgetsWaiters => "ladder-forgets-waiters",
        Planted::CancelWaitsForTheTerminal => "cancel-waits-for-the-terminal",
    };
    *NAME == name
}

/// Whether this bug is planted.
#[cfg(feature = "__mutants")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Planted::$bug)
    };
}

/// Whether this bug is planted: not in this build.
#[cfg(not(feature = "__mutants"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub(crate) use planted;
