//! [`Mutant`]: bugs that can be planted in the lock, to see that the models find them.
//!
//! They exist only under the feature `__mutants`; without it `seeded!` is `false`, and nothing of
//! them is in the program.

/// A bug that somebody could make, or has made.
#[cfg(feature = "__mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name says what goes wrong")]
pub enum Mutant {
    NoReleaseOnDeath,
    DeadKeepWaiting,
    ReleaseByActorOnly,
    ClosingForgetsTheQueue,
    ClosingStillGrants,
    Lifo,
    PreferredGoesLast,
    NoPromotion,
    GrantBeforeHold,
    WithdrawnHoldCounts,
    LeaseIgnored,
    NoReclaim,
    ReclaimNeverTimesOut,
    DropForgetsTheHolder,
    ShutLeavesTheHolder,
}

/// Whether the lock has this bug.
#[cfg(feature = "__mutants")]
macro_rules! seeded {
    ($lock:ident, $mutant:ident) => {
        $lock.mutant == Some($crate::lock::Mutant::$mutant)
    };
}

/// Whether the lock has this bug: not in this build.
#[cfg(not(feature = "__mutants"))]
macro_rules! seeded {
    ($lock:ident, $mutant:ident) => {
        false
    };
}

pub(super) use seeded;
