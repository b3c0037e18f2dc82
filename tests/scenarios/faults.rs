//! What can go wrong, made to happen to real processes. Each kind of fault has a number, by which
//! the tests name it.
//!
//! | numbers | where |
//! |---|---|
//! | 1, 32, 33 | `birth`: children that are not born, or not whole |
//! | 2, 3, 5, 45, 46 | `death`: processes that die, alone and together |
//! | 7, 54 | `subtrees`: deaths of those who have others below them |
//! | 7 | `orphans`: deaths of those who are just starting another |
//! | 11, 34, 40, 48 | `odd_deaths`: deaths that are not what they look like, or hide |
//! | 4, 17 | `streams`: streams whose other end is killed, stopped or slow |
//! | 12, 13, 15, 16 | `standstill`: processes that are stopped, blocked or deaf |
//! | 18, 20 to 22 | `strangers`: what connects to an actor's socket and is no peer |
//! | 24 to 27 | `handshakes`: who shakes hands with an actor and does not belong there |
//! | 23, 28 to 30 | `wire`: peers that say the wrong thing |
//! | 20 to 22 | `reasons`: what an actor says in its log of frames that are none |
//! | 31, 32, 47 | `shortage`: no descriptors left, far too many bytes, what cannot be written |
//! | 41, 42 | `registry`: names |
//! | 7 to 9, 14, 36 to 40, 43, 49 | `roots`: whole programs that are killed, stopped, cut off |
//! | 1, 7, 18, 20, 22, 32 | `far`: the same of children that connect back over the network |
//!
//! Every test ends with the sweep. The numbers that are not here belong to terminals, and have
//! their tests where these are, or to other hosts; `docs/faults.md` has all of them. 45 is also
//! `interleavings`, and 53 are the random walks, both beside this directory.

mod birth;
mod death;
mod far;
mod handshakes;
mod odd_deaths;
mod orphans;
mod raw;
mod reasons;
mod registry;
mod roots;
mod shortage;
mod standstill;
mod strangers;
mod streams;
mod subtrees;
mod wire;

use crate::seeds::scenarios;

scenarios! {
    birth {
        f01_child_that_dies_before_the_handshake_is_told_with_its_status
        f01_child_that_stops_in_its_boot_ends_with_its_start
        f01_child_that_stops_in_its_boot_ends_by_its_deadline
        f01_one_shot_that_cannot_be_called_ends
        f32_start_that_the_system_refuses_leaves_nothing
    }
    death {
        f02_killed_idle_child_cancels_its_siblings
        f03_death_during_calls_is_told_once_to_each
        f05_death_while_cancelling_is_recorded
        f45_cancel_that_races_completion_has_one_outcome
        f46_two_hundred_deaths_are_one_error
    }
    far {
        f01_far_child_that_dies_on_its_way_is_told_with_its_status
        f32_far_start_without_a_socket_leaves_nothing
        f01_far_child_that_stops_on_its_way_ends_with_its_start
        f01_far_child_that_is_cancelled_on_its_way_is_asked_to_end
        f22_strangers_do_not_come_in_for_a_far_child
        f18_silent_stranger_is_sent_away_and_the_far_child_comes
        f07_far_child_whose_parent_is_killed_is_gone
        f07_killed_far_actor_takes_its_subtree_along
        f20_reset_inside_a_frame_ends_its_link_only
    }
    handshakes {
        f24_wrong_secret_learns_nothing
        f24_impostor_with_a_wrong_secret_is_not_believed
        f25_replayed_and_reflected_handshakes_are_refused
        f26_other_protocol_version_is_named_to_both
        f27_other_build_and_other_tree_are_refused_by_name
        f27_another_actor_at_the_address_is_not_called
    }
    odd_deaths {
        f11_exit_inside_a_call_is_no_success
        f34_actor_out_of_memory_is_told_by_its_signal
        f34_kill_for_memory_is_told_as_one
        f40_stolen_exit_status_is_said_to_be_lost
        f48_death_is_told_although_the_link_stays_open
    }
    orphans {
        f07_orphan_stopped_before_its_first_act_is_killed
        f07_orphan_of_which_nobody_was_told_is_reaped
    }
    reasons {
        f20_reason_for_which_a_link_ended_stands_in_the_log
        f22_reason_for_which_a_stranger_is_refused_stands_in_the_log
    }
    registry {
        f42_one_name_of_many_parents_is_all_of_theirs
        f41_stopped_actor_is_not_forgotten
        f41_existing_links_do_not_need_the_registrar
    }
    shortage {
        f31_accept_without_descriptors_waits_and_does_not_spin
        f32_start_without_descriptors_fails_whole
        f32_lookup_without_descriptors_forgets_nobody
        f32_death_without_descriptors_is_dealt_with
        f32_orphan_that_could_not_be_watched_is_reaped
        f47_enormous_error_arrives_cut_short
        f47_error_that_cannot_be_serialized_comes_as_text
    }
    standstill {
        f12_stopped_child_is_said_to_be_stopped_and_lives
        f13_stopped_child_that_is_cancelled_is_killed_in_time
        f16_deaf_child_is_ended_by_the_ladder
        f16_deaf_child_is_ended_by_the_ladders_own_bounds
        f15_blocked_actor_answers_cancels_and_ends
        f15_blocked_root_reaps_and_answers
        f15_blocked_sibling_of_a_dead_child_is_ended
        f15_stalled_executor_is_told_with_who_blocks_and_who_waits
    }
    strangers {
        f18_silent_and_trickling_strangers_run_out_of_time
        f20_truncated_frame_ends_its_link_only
        f21_oversized_claim_is_refused_before_it_costs_anything
        f22_garbage_is_closed_and_not_logged_without_end
    }
    streams {
        f04_killed_sibling_is_a_lost_link_to_its_reader
        f17_slow_reader_holds_its_writer_in_bounded_memory
        f17_stopped_reader_holds_its_writer_in_bounded_memory
    }
    subtrees {
        f07_killed_middle_takes_its_subtree_along
        f07_ancestors_of_a_killed_middle_end_at_once
        f54_actor_of_another_user_ends_with_its_parent
        f54_stopped_actor_of_another_user_ends_with_the_root
        f07_parent_and_child_that_die_together_are_both_gone
    }
    wire {
        f23_undecodable_arguments_fail_their_call_only
        f28_unknown_function_fails_its_call_only
        f28_refused_call_names_the_function_that_was_called
        f20_frames_out_of_place_end_their_link_only
        f29_number_in_use_is_not_obeyed_and_unknown_ones_are_dropped
        f29_unasked_answers_complete_no_call
        f30_answer_after_the_cancel_is_dropped
        f29_undecodable_answer_fails_its_call_only
        f20_short_writes_lose_nothing
    }
}
