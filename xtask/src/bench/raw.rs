//! The plain side: what a program without any runtime gets out of the operating system.

mod bulk;
mod round_trip;
mod spawn;

use super::Measurement;

/// A small message, as a call's frame is.
pub(super) const MESSAGE_BYTES: usize = 64;

/// A large message, as a bulk stream's item is.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;

pub(super) const MEASUREMENTS: [Measurement; 5] = [
    ("raw_unix_rtt_s", round_trip::unix),
    ("raw_tcp_rtt_s", round_trip::tcp),
    ("raw_spawn_ready_s", spawn::ready),
    ("raw_spawn_64_s", spawn::sixty_four),
    ("raw_unix_64k_bytes_per_s", bulk::unix),
];

/// The middle value; `None` of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }
}
