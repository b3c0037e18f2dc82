//! Programs of the cases that no example shows.

#![expect(clippy::print_stdout, reason = "the tests wait for what they print")]

mod closing;
mod far;
mod levels;
mod sharing;

use crate::debugging::moments::moment;

type Main = fn() -> tractor::Result<()>;

/// All of them.
pub(crate) const PROGRAMS: &[(&str, Main)] = &[
    ("holder_and_waiter", sharing::holder_and_waiter),
    ("several_wait", sharing::several_wait),
    ("lonely_holder", sharing::lonely_holder),
    ("pause_beside_a_pause", sharing::pause_beside_a_pause),
    (
        "root_serves_while_paused",
        sharing::root_serves_while_paused,
    ),
    (
        "async_pause_two_levels_down",
        levels::async_pause_two_levels_down,
    ),
    ("pause_two_levels_down", levels::pause_two_levels_down),
    (
        "pause_after_the_end_has_begun",
        closing::pause_after_the_end_has_begun,
    ),
    ("far_actors", far::far_actors),
    ("far_holder_and_waiter", far::far_holder_and_waiter),
    ("far_abort", far::far_abort),
];

/// Pauses.
#[tractor::rpc]
async fn pause() {
    tractor::breakpoint!("here").await;
}
