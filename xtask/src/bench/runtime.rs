//! The runtime's side: what a user of tractor gets, measured in the root of a tree.

mod breakpoints;
mod calls;
mod deaths;
mod grove;
mod lives;
mod memory;
pub(crate) mod orphans;
pub(crate) mod prompts;
mod streams;

use std::time::Instant;

use anyhow::Result;
use futures::FutureExt as _;

use super::Measure::InTree;
use super::Measurement;

pub(super) const MEASUREMENTS: [Measurement; 20] = [
    ("rpc_rtt_s", InTree(|| calls::round_trip().boxed_local())),
    (
        "rpc_tcp_rtt_s",
        InTree(|| calls::tcp_round_trip().boxed_local()),
    ),
    (
        "rpc_concurrent_64_per_s",
        InTree(|| calls::many_in_flight().boxed_local()),
    ),
    (
        "stream_echo_rtt_s",
        InTree(|| streams::echo_round_trip().boxed_local()),
    ),
    (
        "stream_small_msgs_per_s",
        InTree(|| streams::small_items().boxed_local()),
    ),
    (
        "stream_64k_bytes_per_s",
        InTree(|| streams::blocks_of_bytes().boxed_local()),
    ),
    (
        "stream_64k_vec_bytes_per_s",
        InTree(|| streams::blocks_of_vec().boxed_local()),
    ),
    (
        "ping_in_flood_p99_s",
        InTree(|| streams::ping_beside_flood().boxed_local()),
    ),
    ("spawn_ready_s", InTree(|| lives::ready().boxed_local())),
    ("spawn_64_s", InTree(|| lives::many_ready().boxed_local())),
    (
        "cancel_reap_s",
        InTree(|| lives::cancel_and_reap().boxed_local()),
    ),
    (
        "one_cancels_all_8_s",
        InTree(|| lives::one_cancels_all().boxed_local()),
    ),
    ("tree_3x3_s", InTree(|| grove::up_and_down().boxed_local())),
    ("orphans_gone_s", InTree(|| orphans::gone().boxed_local())),
    (
        "subtree_gone_s",
        InTree(|| deaths::subtree_gone().boxed_local()),
    ),
    ("deaths_200_s", InTree(|| deaths::many_told().boxed_local())),
    (
        "idle_actor_private_bytes",
        InTree(|| memory::of_idle_actor().boxed_local()),
    ),
    (
        "lock_handover_s",
        InTree(|| prompts::handover().boxed_local()),
    ),
    ("crash_prompt_s", InTree(|| prompts::crash().boxed_local())),
    (
        "breakpoint_disarmed_s",
        InTree(|| breakpoints::disarmed().boxed_local()),
    ),
];

/// What a call of a benchmark carries: with the frame's and the call's header about as much as
/// the plain side's message.
type Message = [u8; 32];

#[tractor::rpc]
async fn echo(message: Message) -> Message {
    message
}

/// The times of so many rounds, in seconds.
async fn times(rounds: usize, round: impl AsyncFn() -> Result<f64>) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        times.push(round().await?);
    }
    Ok(times)
}

fn seconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}
