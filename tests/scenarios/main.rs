//! The hangs, races and leaks that the Python project ever had, each once, with real
//! processes, by the id of `docs/deadlocks.md` (T: starting, cancelling, ending; R: finding; D: the
//! debugger), and the faults of `docs/faults.md` (F), random walks (F53) among them. More of D and
//! F is in `tests/terminal`.
//!
//! Each scenario takes a seed, which decides its delays, orders and numbers, so that it can be
//! repeated with others: `TRACTOR_SEEDS=1..50 cargo test --test scenarios t07` runs one with fifty
//! seeds. A seed that has found something is a test of its own afterwards.
//!
//! Not here, because they cannot happen to this runtime as it is; `docs/deadlocks.md` says what
//! comes closest:
//!
//! - T41, T42: two event loops in one process; there is one executor.
//! - R04: a registrar's address of a kind that an actor does not speak; all speak all kinds.
//! - R05: somebody else listens on the registrar's port; the system picks one that is free.
//! - R06: two programs that both want to be the registrar; each root is its own tree's.

mod broadcasts;
mod broken_streams;
mod calls_and_errors;
mod cancelling;
mod context_failures;
mod contexts;
mod discovery;
mod dumps;
mod faults;
mod interleavings;
mod interrupts;
mod links;
mod prompts;
mod resources;
mod spawning;
mod streams;
mod teardown;
mod walks;
mod walks_with_prompts;
mod without_terminal;

// Seeds, and what they decide.
mod chance;
mod seeds;
// What the actors run, and the sweep.
mod calls;
mod tree;
mod wander;
// Links, beneath the runtime.
mod cut;
// Programs that run as roots of their own.
#[path = "../support/mod.rs"]
mod support;
// A program in a terminal, and what appears there.
#[path = "../terminal/appearing.rs"]
mod appearing;
#[path = "../terminal/screen.rs"]
mod screen;

use seeds::scenarios;

scenarios! {
    teardown {
        t01_cancelled_child_exits_with_its_link_open
        t02_stuck_task_of_a_peer_holds_nobody_up
        t03_silent_child_is_ended_by_its_parent
        t04_missing_socket_file_does_not_hold_up
        t05_repeated_lookups_count_once
        t06_cancelled_wait_for_daemons_asks_them
        t22_three_levels_end_side_by_side
        t23_busy_parents_and_children_end
        t39_orphan_that_hears_nothing_is_gone
        t43_cleanup_may_call_others
        t46_sync_code_two_levels_down_is_ended
    }
    calls_and_errors {
        t07_cancel_ack_races_death
        t10_every_cancel_is_acknowledged
        t12_nothing_is_a_result
        t13_one_shot_cancelled_from_elsewhere
        t14_two_one_shots_fail_together
        t15_rendezvous_with_one_who_leaves
        t18_dead_actor_answers_nothing_at_once
        t19_real_error_is_not_overwritten
        t20_cleanup_does_not_mask_the_error
        t21_siblings_that_die_together_are_both_told
        t40_calls_of_the_dead_end
    }
    spawning {
        t08_start_given_up_leaves_nobody
        t08_far_start_given_up_leaves_nobody
        t09_death_while_booting_is_told_at_once
        t35_start_during_cancel_is_cancelled_or_refused
        t35_far_start_during_cancel_is_cancelled_or_refused
        t36_full_pipe_does_not_hold_up_the_end
        t38_child_inherits_no_socket
    }
    cancelling {
        t17_dropped_call_takes_its_children_along
        t28_flooded_actor_hears_the_cancel
        t31_caller_gone_before_the_answer
        t32_finished_calls_leave_the_table
        t33_half_sent_call_spoils_no_other
        t34_call_given_up_at_once_leaves_nothing
    }
    links {
        t30_actor_may_call_itself
        t37_ended_links_cost_nothing
        t45_broken_link_ends_the_child
    }
    contexts {
        t11_block_that_ends_badly_ends_its_stream
        t12_nothing_is_a_value_of_a_context
        t15_context_with_one_who_leaves
        t16_context_cancelled_by_another_task
    }
    context_failures {
        t17_cancelled_context_takes_its_children_along
        t18_context_with_the_dead_ends_at_once
        t19_context_failure_is_not_overwritten
        t20_context_cleanup_does_not_mask_the_error
        t30_context_with_oneself_is_refused
    }
    streams {
        t28_flooded_reader_holds_nobody_up
        t29_ends_are_opened_at_any_time
        t31_caller_of_a_context_is_gone
        t32_finished_streams_leave_the_tables
        t33_dropped_sender_spoils_no_other_stream
        t34_context_given_up_at_once_leaves_nothing
        t34_cancel_ends_what_a_shield_reads
        t35_context_opened_during_cancel_ends
    }
    broadcasts {
        t24_end_wakes_every_subscriber
        t25_cancelled_reader_is_replaced
        t26_last_subscriber_ends_the_sender
    }
    resources {
        t27_nobody_sees_a_resource_that_is_closed
        t27_cancelled_actor_closes_its_resource
    }
    walks {
        f53_random_walk_ends
        f53_far_walk_ends
    }
    discovery {
        r01_one_name_twice_answers_every_waiter
        r02_dead_actor_leaves_the_registry
        r03_no_dead_actor_is_handed_out
        r07_who_is_found_accepts
        r08_lookups_leave_no_descriptor
        r09_killed_actor_leaves_no_socket_file
        r10_one_of_a_burst_dies_in_its_boot
        r11_probe_is_no_peer_and_slow_root_answers
    }
    without_terminal {
        d42_pause_without_a_terminal_waits_for_nobody
    }
}
