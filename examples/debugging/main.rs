//! Programs to be looked into: breakpoints and crashes in the root and in actors below it.
//!
//! Run one with `cargo run --example debugging NAME`, in a terminal: every prompt opens there, one
//! at a time. `help` tells what it knows, `c` goes on. Without a name it lists them.
//!
//! No stored output: they are conversations, which `tests/terminal` has with them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

// What goes wrong in several of them, and where.
mod branches;
mod errors;

// The programs.
mod crash_handler;
mod multi_nested_subactors_error_up_through_nurseries;
mod multi_subactor_root_errors;
mod multi_subactors;
mod own_screen;
mod reentry;
mod root_actor_breakpoint;
mod root_actor_breakpoint_forever;
mod root_actor_error;
mod root_cancelled_but_child_is_in_tty_lock;
mod skipping;
mod subactor_breakpoint;
mod subactor_error;
mod taking_turns;

type Main = fn() -> tractor::Result<()>;

const PROGRAMS: [(&str, Main); 15] = [
    ("crash_handler", crash_handler::main),
    (
        "multi_nested_subactors_error_up_through_nurseries",
        multi_nested_subactors_error_up_through_nurseries::main,
    ),
    (
        "multi_subactor_root_errors",
        multi_subactor_root_errors::main,
    ),
    ("multi_subactors", multi_subactors::main),
    ("own_screen", own_screen::main),
    ("reentry_queue", reentry::queue),
    ("reentry_refuse", reentry::refuse),
    ("root_actor_breakpoint", root_actor_breakpoint::main),
    (
        "root_actor_breakpoint_forever",
        root_actor_breakpoint_forever::main,
    ),
    ("root_actor_error", root_actor_error::main),
    (
        "root_cancelled_but_child_is_in_tty_lock",
        root_cancelled_but_child_is_in_tty_lock::main,
    ),
    ("skipping", skipping::main),
    ("subactor_breakpoint", subactor_breakpoint::main),
    ("subactor_error", subactor_error::main),
    ("taking_turns", taking_turns::main),
];

pub(crate) fn main() -> tractor::Result<()> {
    let wanted = std::env::args().nth(1);
    let found = PROGRAMS
        .iter()
        .find(|(name, _)| Some(*name) == wanted.as_deref());
    let Some((_, program)) = found else {
        println!("Programs to look into; run one with `cargo run --example debugging NAME`:");
        for (name, _) in PROGRAMS {
            println!("  {name}");
        }
        return tractor::Ok(());
    };
    program()
}
