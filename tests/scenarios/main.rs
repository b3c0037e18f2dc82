//! The hangs, races and leaks that the Python project ever had, each once, with real
//! processes, by the id of `docs/deadlocks.md` (T: starting, cancelling, ending; R: finding; D: the
//! debugger), and random walks (F53). More of D is in `tests/terminal`.
//!
//! Each scenario is an async function that takes a seed, which decides its delays and orders, so
//! that it can be repeated with others: `TRACTOR_SEEDS=1..50 cargo test --test scenarios t07`
//! runs one with fifty seeds. A seed that has found something is a test of its own afterwards.
//!
//! Not here, because their tests are elsewhere:
//!
//! - T24 to T26: broadcasts, in `tests/promises/broadcast.rs`.
//! - T27: shared resources, in `tests/promises/resources.rs` and `tractor-core/src/resource`.
//! - T44: dumps by a signal, in `tests/faults/dumps.rs`.
//!
//! Not here, because they cannot happen to this runtime as it is; `docs/deadlocks.md` says what
//! comes closest:
//!
//! - T41, T42: two event loops in one process; there is one executor.
//! - R04: a registrar's address of a kind that an actor does not speak; all speak all kinds.
//! - R05: somebody else listens on the registrar's port; the system picks one that is free.
//! - R06: two programs that both want to be the registrar; each root is its own tree's.

mod broken_streams;
mod calls_and_errors;
mod cancelling;
mod chance;
mod context_failures;
mod contexts;
mod cut;
mod discovery;
mod interleavings;
mod interrupts;
mod links;
mod prompts;
mod spawning;
mod streams;
mod teardown;
mod walks;
mod walks_with_prompts;
mod wander;
mod without_terminal;

// What the actors run, and the sweep.
#[path = "../faults/calls.rs"]
mod calls;
#[path = "../support/mod.rs"]
mod support;
// A program in a terminal, and what appears there.
#[path = "../terminal/appearing.rs"]
mod appearing;
#[path = "../terminal/screen.rs"]
mod screen;
#[path = "../faults/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

/// A scenario that takes longer hangs: none waits for more than a ladder or two.
const HANG: Duration = Duration::from_secs(30);

/// A scenario that waits for its seed.
pub(crate) type Scenario = fn(u64) -> Pin<Box<dyn Future<Output = tractor::Result<()>>>>;

/// Makes the table, and a test of each.
macro_rules! scenarios {
    ($($id:literal $what:literal $module:ident :: $name:ident)*) => {
        /// Every scenario: its id, what it shows, and itself.
        pub(crate) const SCENARIOS: &[(&str, &str, Scenario)] =
            &[$(($id, $what, |seed| Box::pin($module::$name(seed)))),*];

        $(
            #[tractor::test(timeout = 600)]
            async fn $name() -> tractor::Result<()> {
                repeat($id).await
            }
        )*
    };
}

scenarios! {
    "T01" "a cancelled child exits with its link open"
        teardown::t01_cancelled_child_exits_with_its_link_open
    "T02" "a stuck task of a peer holds nobody up"
        teardown::t02_stuck_task_of_a_peer_holds_nobody_up
    "T03" "a silent child is ended by its parent"
        teardown::t03_silent_child_is_ended_by_its_parent
    "T04" "a missing socket file does not hold up an end"
        teardown::t04_missing_socket_file_does_not_hold_up
    "T05" "repeated lookups count once"
        teardown::t05_repeated_lookups_count_once
    "T06" "a cancelled wait for daemons asks them"
        teardown::t06_cancelled_wait_for_daemons_asks_them
    "T07" "the word of a cancel races a death"
        calls_and_errors::t07_cancel_ack_races_death
    "T08" "a start that is given up leaves nobody"
        spawning::t08_start_given_up_leaves_nobody
    "T08 far" "a far start that is given up leaves nobody"
        spawning::t08_far_start_given_up_leaves_nobody
    "T09" "a death while booting is told at once"
        spawning::t09_death_while_booting_is_told_at_once
    "T10" "every cancel is acknowledged"
        calls_and_errors::t10_every_cancel_is_acknowledged
    "T12" "nothing is a result"
        calls_and_errors::t12_nothing_is_a_result
    "T13" "a one-shot is cancelled from elsewhere"
        calls_and_errors::t13_one_shot_cancelled_from_elsewhere
    "T14" "two one-shots fail together"
        calls_and_errors::t14_two_one_shots_fail_together
    "T15" "a rendezvous with one who leaves"
        calls_and_errors::t15_rendezvous_with_one_who_leaves
    "T17" "a dropped call takes its children along"
        cancelling::t17_dropped_call_takes_its_children_along
    "T18" "a dead actor answers nothing, at once"
        calls_and_errors::t18_dead_actor_answers_nothing_at_once
    "T19" "a real error is not overwritten"
        calls_and_errors::t19_real_error_is_not_overwritten
    "T20" "a clean-up does not mask the error"
        calls_and_errors::t20_cleanup_does_not_mask_the_error
    "T21" "siblings that die together are both told"
        calls_and_errors::t21_siblings_that_die_together_are_both_told
    "T22" "three levels end side by side"
        teardown::t22_three_levels_end_side_by_side
    "T23" "busy parents and children end"
        teardown::t23_busy_parents_and_children_end
    "T28" "a flooded actor hears the cancel"
        cancelling::t28_flooded_actor_hears_the_cancel
    "T30" "an actor may call itself"
        links::t30_actor_may_call_itself
    "T31" "a caller is gone before the answer"
        cancelling::t31_caller_gone_before_the_answer
    "T32" "finished calls leave the table"
        cancelling::t32_finished_calls_leave_the_table
    "T33" "a half-sent call spoils no other"
        cancelling::t33_half_sent_call_spoils_no_other
    "T34" "a call that is given up at once leaves nothing"
        cancelling::t34_call_given_up_at_once_leaves_nothing
    "T35" "a start during a cancel is cancelled or refused"
        spawning::t35_start_during_cancel_is_cancelled_or_refused
    "T35 far" "a far start during a cancel is cancelled or refused"
        spawning::t35_far_start_during_cancel_is_cancelled_or_refused
    "T36" "a full pipe does not hold up the end"
        spawning::t36_full_pipe_does_not_hold_up_the_end
    "T37" "ended links cost nothing"
        links::t37_ended_links_cost_nothing
    "T38" "a child inherits no socket"
        spawning::t38_child_inherits_no_socket
    "T39" "an orphan that hears nothing is gone"
        teardown::t39_orphan_that_hears_nothing_is_gone
    "T40" "calls of the dead end"
        calls_and_errors::t40_calls_of_the_dead_end
    "T43" "a clean-up may call others"
        teardown::t43_cleanup_may_call_others
    "T45" "a broken link ends the child"
        links::t45_broken_link_ends_the_child
    "T46" "sync code two levels down is ended"
        teardown::t46_sync_code_two_levels_down_is_ended
    "T11" "a block that ends badly ends its stream"
        contexts::t11_block_that_ends_badly_ends_its_stream
    "T12 in contexts" "nothing is a value"
        contexts::t12_nothing_is_a_value_of_a_context
    "T15 in contexts" "a context with one who leaves"
        contexts::t15_context_with_one_who_leaves
    "T16" "a context is cancelled by another task"
        contexts::t16_context_cancelled_by_another_task
    "T17 in contexts" "a cancelled context takes its children along"
        context_failures::t17_cancelled_context_takes_its_children_along
    "T18 in contexts" "a context with the dead ends at once"
        context_failures::t18_context_with_the_dead_ends_at_once
    "T19 in contexts" "a failure is not overwritten"
        context_failures::t19_context_failure_is_not_overwritten
    "T20 in contexts" "a clean-up does not mask the error"
        context_failures::t20_context_cleanup_does_not_mask_the_error
    "T30 in contexts" "a context with oneself is refused"
        context_failures::t30_context_with_oneself_is_refused
    "T28 in streams" "a flooded reader holds nobody up"
        streams::t28_flooded_reader_holds_nobody_up
    "T29" "ends are opened at any time"
        streams::t29_ends_are_opened_at_any_time
    "T31 in contexts" "the caller is gone"
        streams::t31_caller_of_a_context_is_gone
    "T32 in streams" "finished ones leave the tables"
        streams::t32_finished_streams_leave_the_tables
    "T33 in streams" "a dropped sender spoils no other"
        streams::t33_dropped_sender_spoils_no_other_stream
    "T34 in contexts" "one that is given up at once leaves nothing"
        streams::t34_context_given_up_at_once_leaves_nothing
    "T34 in streams" "a cancel ends what a shield reads"
        streams::t34_cancel_ends_what_a_shield_reads
    "T35 in contexts" "one that is opened during a cancel ends"
        streams::t35_context_opened_during_cancel_ends
    "F53" "a random walk ends"
        walks::f53_random_walk_ends
    "F53 far" "a random walk over the network ends"
        walks::f53_far_walk_ends
    "R01" "one name twice answers every waiter"
        discovery::r01_one_name_twice_answers_every_waiter
    "R02" "a dead actor leaves the registry"
        discovery::r02_dead_actor_leaves_the_registry
    "R03" "no dead actor is handed out"
        discovery::r03_no_dead_actor_is_handed_out
    "R07" "who is found accepts"
        discovery::r07_who_is_found_accepts
    "R08" "lookups leave no descriptor"
        discovery::r08_lookups_leave_no_descriptor
    "R09" "a killed actor leaves no socket file"
        discovery::r09_killed_actor_leaves_no_socket_file
    "R10" "one of a burst dies in its boot"
        discovery::r10_one_of_a_burst_dies_in_its_boot
    "R11" "a probe is no peer, and a slow root answers"
        discovery::r11_probe_is_no_peer_and_slow_root_answers
    "D42" "a pause without a terminal waits for nobody"
        without_terminal::d42_pause_without_a_terminal_waits_for_nobody
}

/// Runs a scenario with each seed that was asked for.
async fn repeat(id: &str) -> tractor::Result<()> {
    let (_, what, scenario) = SCENARIOS
        .iter()
        .find(|(known, ..)| *known == id)
        .expect("it is listed");
    with_seeds(id, what, scenario).await
}

/// Runs what takes a seed with each that was asked for.
pub(crate) async fn with_seeds<F>(
    id: &str,
    what: &str,
    run: impl Fn(u64) -> F,
) -> tractor::Result<()>
where
    F: Future<Output = tractor::Result<()>>,
{
    for seed in seeds() {
        // Shown only if it fails, and the last one is the one that did.
        tree::note(&format!("{id} ({what}), seed {seed}"));
        let ended = async_std::future::timeout(HANG, run(seed)).await;
        ended.unwrap_or_else(|_| panic!("{id} hangs with seed {seed}"))?;
    }
    Ok(())
}

/// What `TRACTOR_SEEDS` says: `7`, or `1..50` with both ends. Otherwise one seed. With each begins
/// a new story: the journals of processes that are gone go too.
pub(crate) fn seeds() -> impl Iterator<Item = u64> {
    wanted_seeds().inspect(|_| forget_the_gone())
}

fn forget_the_gone() {
    let Some(journals) = std::env::var_os("TRACTOR_JOURNAL") else {
        return;
    };
    for journal in fs::read_dir(journals).into_iter().flatten().flatten() {
        let path = journal.path();
        let pid = path.file_stem().unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            // It only makes the story longer.
            let _ = fs::remove_file(path);
        }
    }
}

fn wanted_seeds() -> RangeInclusive<u64> {
    let Ok(text) = std::env::var("TRACTOR_SEEDS") else {
        return 1..=1;
    };
    let number = |text: &str| text.trim().parse().ok();
    let range = match text.split_once("..") {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(&text).map(|seed| (seed, seed)),
    };
    let (first, last) =
        range.unwrap_or_else(|| panic!("TRACTOR_SEEDS is {text:?}, not 7 or 1..50"));
    first..=last
}

#[test]
fn every_id_is_listed_once() {
    let ids: BTreeSet<_> = SCENARIOS.iter().map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), SCENARIOS.len());
}

/// Holds a test's own thread back until the moment that its seed has decided.
#[expect(
    clippy::disallowed_methods,
    reason = "the moment is what the seed decides"
)]
fn hold_back(time: std::time::Duration) {
    std::thread::sleep(time);
}
