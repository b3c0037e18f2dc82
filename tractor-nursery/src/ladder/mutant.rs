//! [`Mutant`]: bugs that can be planted in a ladder, to see that the models find them.
//!
//! They exist only under the feature `__mutants`; without it `seeded!` is `false`, and nothing of
//! them is in the program.

/// A bug that somebody could make.
#[cfg(feature = "__mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name says what goes wrong")]
pub enum Mutant {
    ClockIgnoresHolds,
    HoldsOutliveTheLink,
    ExitLeavesHolds,
    LostLinkEndsNobody,
    NeverKills,
    ChildGetsAllTheTime,
}

/// Whether the ladder has this bug.
#[cfg(feature = "__mutants")]
macro_rules! seeded {
    ($ladder:ident, $mutant:ident) => {
        $ladder.mutant == Some($crate::ladder::Mutant::$mutant)
    };
}

/// Whether the ladder has this bug: not in this build.
#[cfg(not(feature = "__mutants"))]
macro_rules! seeded {
    ($ladder:ident, $mutant:ident) => {
        false
    };
}

pub(super) use seeded;
