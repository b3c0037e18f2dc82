//! What the numbers are called, what they mean and what is to be reached.
//!
//! The names are a contract: whoever reads the JSON relies on them. Only what was measured is
//! reported.

use anyhow::{Context, Result};

/// The meaning of one name.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// The number of the plain side that this one is divided by.
    pub(crate) base: Option<&'static str>,
    pub(crate) target: Option<Target>,
    pub(crate) about: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    BytesPerSecond,
    PerSecond,
}

/// A bound on the ratio to the base, or on the number itself where there is no base.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

use Target::{AtLeast, AtMost};
use Unit::{Bytes, BytesPerSecond, PerSecond, Seconds};

const RAW_UNIX: Option<&str> = Some("raw_unix_rtt_s");
const RAW_TCP: Option<&str> = Some("raw_tcp_rtt_s");
const RAW_SPAWN: Option<&str> = Some("raw_spawn_ready_s");
const RAW_SPAWN_64: Option<&str> = Some("raw_spawn_64_s");
const RAW_BULK: Option<&str> = Some("raw_unix_64k_bytes_per_s");

#[rustfmt::skip]
pub(crate) const ROWS: [Row; 25] = [
    row("raw_unix_rtt_s", Seconds, None, None, "64 bytes there and back, blocking Unix socket"),
    row("raw_tcp_rtt_s", Seconds, None, None, "the same over loopback TCP without delay"),
    row("raw_spawn_ready_s", Seconds, None, None, "start a process until its first byte"),
    row("raw_spawn_64_s", Seconds, None, None, "start 64 at once until the last one's byte"),
    row("raw_unix_64k_bytes_per_s", BytesPerSecond, None, None, "64 KiB blocks, blocking write"),
    row("rpc_rtt_s", Seconds, RAW_UNIX, Some(AtMost(0.25)), "a call of a function that is ready"),
    row("rpc_tcp_rtt_s", Seconds, RAW_TCP, None, "the same over loopback TCP"),
    row("rpc_concurrent_64_per_s", PerSecond, None, Some(AtLeast(300e3)), "calls with 64 in flight"),
    row("stream_echo_rtt_s", Seconds, RAW_UNIX, Some(AtMost(0.25)), "an item there and back on one stream"),
    row("stream_small_msgs_per_s", PerSecond, None, Some(AtLeast(10e6)), "u64 items one way"),
    row("stream_64k_bytes_per_s", BytesPerSecond, RAW_BULK, Some(AtLeast(0.8)), "64 KiB items one way"),
    row("stream_64k_vec_bytes_per_s", BytesPerSecond, RAW_BULK, None, "the same as Vec<u8>, not Bytes"),
    row("ping_in_flood_p99_s", Seconds, None, Some(AtMost(0.001)), "1 of 100 calls beside a flood of u64 items"),
    row("spawn_ready_s", Seconds, RAW_SPAWN, Some(AtMost(2.0)), "start an actor, ready for calls"),
    row("spawn_64_s", Seconds, RAW_SPAWN_64, Some(AtMost(2.0)), "start 64 actors at once"),
    row("cancel_reap_s", Seconds, None, None, "cancel an actor until it is reaped"),
    row("one_cancels_all_8_s", Seconds, None, Some(AtMost(0.015)), "one of 9 fails until all are reaped"),
    row("tree_3x3_s", Seconds, None, Some(AtMost(0.100)), "39 actors in three levels, up and down"),
    row("orphans_gone_s", Seconds, None, Some(AtMost(0.1)), "kill -9 of a root until the 12 actors below it are gone"),
    row("subtree_gone_s", Seconds, None, Some(AtMost(0.1)), "kill -9 of an actor until the 12 below it are gone"),
    row("deaths_200_s", Seconds, None, Some(AtMost(1.0)), "kill -9 of 200 children until their nursery has told all"),
    row("idle_actor_private_bytes", Bytes, None, Some(AtMost(2.0 * 1024.0 * 1024.0)), "memory of an idle actor"),
    row("lock_handover_s", Seconds, None, Some(AtMost(0.005)), "Enter after `c` until the prompt of the next actor"),
    row("crash_prompt_s", Seconds, None, Some(AtMost(0.02)), "a task fails in an actor until its prompt is shown"),
    row("breakpoint_disarmed_s", Seconds, None, Some(AtMost(2e-9)), "a breakpoint with debug mode off, in async code"),
];

const fn row(
    name: &'static str,
    unit: Unit,
    base: Option<&'static str>,
    target: Option<Target>,
    about: &'static str,
) -> Row {
    Row {
        name,
        unit,
        base,
        target,
        about,
    }
}

pub(crate) fn row_of(name: &str) -> Result<&'static Row> {
    ROWS.iter()
        .find(|row| row.name == name)
        .with_context(|| format!("{name} is not a known name"))
}

impl Target {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            AtMost(bound) => value <= bound,
            AtLeast(bound) => value >= bound,
        }
    }
}

impl Unit {
    /// The number as a person reads it, with a prefix.
    pub(crate) fn show(self, value: f64) -> String {
        const KIB: f64 = 1024.0;
        match self {
            Self::Seconds if value < 1e-6 => format!("{:.2} ns", value * 1e9),
            Self::Seconds if value < 1e-3 => format!("{:.2} µs", value * 1e6),
            Self::Seconds if value < 1.0 => format!("{:.2} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes if value < KIB * KIB => format!("{:.1} KiB", value / KIB),
            Self::Bytes => format!("{:.2} MiB", value / KIB / KIB),
            Self::BytesPerSecond => format!("{:.2} GB/s", value / 1e9),
            Self::PerSecond if value < 1e6 => format!("{:.1} k/s", value / 1e3),
            Self::PerSecond => format!("{:.2} M/s", value / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_has_a_base_of_the_plain_side_with_the_same_unit() {
        for row in &ROWS {
            let Some(base) = row.base else { continue };
            assert!(base.starts_with("raw_"), "{}", row.name);
            let base = row_of(base).unwrap();
            assert_eq!(
                format!("{:?}", base.unit),
                format!("{:?}", row.unit),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn names_end_with_their_unit() {
        for row in &ROWS {
            let ending = match row.unit {
                Seconds => "_s",
                Bytes => "_bytes",
                BytesPerSecond => "_bytes_per_s",
                PerSecond => "_per_s",
            };
            assert!(row.name.ends_with(ending), "{}", row.name);
        }
    }

    #[test]
    fn numbers_are_shown_with_a_prefix() {
        assert_eq!(Seconds.show(41.5e-6), "41.50 µs");
        assert_eq!(Seconds.show(0.035), "35.00 ms");
        assert_eq!(Bytes.show(2.5 * 1024.0 * 1024.0), "2.50 MiB");
        assert_eq!(BytesPerSecond.show(3.25e9), "3.25 GB/s");
        assert_eq!(PerSecond.show(22e6), "22.00 M/s");
    }
}
