//! The handshake, by what the tests of `tractor-ipc` check too.
//!
//! Run with `cargo +nightly fuzz run handshake`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tractor-ipc/tests/wire/fuzzed/handshake.rs"]
mod handshake;

fuzz_target!(|data: &[u8]| handshake::check(data));
