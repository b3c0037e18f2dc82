//! The decoder of frames, by what the tests of `tractor-ipc` check too.
//!
//! Run with `cargo +nightly fuzz run frames`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tractor-ipc/tests/wire/fuzzed/frames.rs"]
mod frames;

fuzz_target!(|data: &[u8]| frames::check(data));
