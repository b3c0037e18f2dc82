//! Programs to be looked into: breakpoints and crashes in the root and in actors below it.
//!
//! Run one with `cargo run --example debugging NAME`, in a terminal: every prompt opens there, one
//! at a time. `help` tells what it knows, `c` goes on. Without a name it lists them.
//!
//! No stored output: they are conversations, which `tests/terminal` has with them.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

// What several of them use: who fails, who breaks, where, and when.
mod branches;
mod breaks;
mod errors;
mod links;
pub(crate) mod moments;

type Main = fn() -> tractor::Result<()>;

/// Makes a module of each program, of each that has several, and the list.
macro_rules! programs {
    ($($name:ident)*; $($module:ident)*; $($shown:literal $part:path;)*) => {
        $(mod $name;)*
        $(mod $module;)*

        const PROGRAMS: &[(&str, Main)] = &[
            $((stringify!($name), $name::main),)*
            $(($shown, $part),)*
        ];
    };
}

programs! {
    breakpoint_after_error_in_other_task
    debug_mode_hang
    fast_error_in_root_after_spawn
    multi_daemon_subactors
    multi_nested_subactors_error_up_through_nurseries
    multi_subactor_root_errors
    multi_subactors
    open_ctx_modnofound
    pause_in_a_paused_task
    per_actor_debug
    pm_in_subactor
    recurrent_root_errors
    root_actor_breakpoint
    root_actor_breakpoint_forever
    root_actor_error
    root_cancelled_but_child_is_in_tty_lock
    root_self_cancelled_w_error
    root_timeout_while_child_crashed
    shielded_pause
    subactor_bp_in_ctx
    subactor_breakpoint
    subactor_error
    sync_bp
    sync_pause_in_a_root_task;

    fatal_signals
    root_and_child
    uncaptured;

    "abort_in_subactor" fatal_signals::abort_in_subactor;
    "double_panic_in_subactor" fatal_signals::double_panic_in_subactor;
    "root_error_after_child_breakpoint" root_and_child::root_error_after_child_breakpoint;
    "root_error_after_child_error" root_and_child::root_error_after_child_error;
    "root_error_before_child_breakpoint" root_and_child::root_error_before_child_breakpoint;
    "root_error_before_child_error" root_and_child::root_error_before_child_error;
    "segfault_in_subactor" fatal_signals::segfault_in_subactor;
    "stack_overflow_in_subactor" fatal_signals::stack_overflow_in_subactor;
    "uncaptured_beside_others" uncaptured::beside_others;
    "uncaptured_in_hidden_task" uncaptured::hidden;
    "uncaptured_in_panic" uncaptured::panic;
    "uncaptured_in_plain_code" uncaptured::plain_code;
    "uncaptured_in_root" uncaptured::root;
    "uncaptured_in_task" uncaptured::task;
}

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
