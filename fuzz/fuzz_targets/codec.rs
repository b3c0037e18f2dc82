//! The codec, by what the tests of `tractor-ipc` check too.
//!
//! Run with `cargo +nightly fuzz run codec -- -rss_limit_mb=512`: the limit is what finds a
//! length that was believed.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tractor-ipc/tests/wire/fuzzed/codec.rs"]
mod codec;

fuzz_target!(|data: &[u8]| codec::check(data));
