//! Garbage decodes to an error or to a value that encodes and decodes to itself.
//!
//! Run with `cargo +nightly fuzz run codec -- -rss_limit_mb=512`: the limit is what finds a
//! length that was believed.

#![no_main]

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tractor_ipc::codec::{decode, encode};
use tractor_ipc::message::Hello;

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Number(Option<i128>, f64, char),
    Branch { left: Box<Self>, right: Box<Self> },
    Many(Vec<Self>, BTreeMap<u16, Self>),
    Empty(Vec<()>),
}

fn check<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        let again = encode(&value).expect("a decoded value encodes");
        let twice = decode::<T>(&again).expect("and decodes");
        assert!(encode(&twice).expect("and encodes").len() == again.len());
    }
}

fuzz_target!(|data: &[u8]| {
    check::<Tree>(data);
    check::<Hello>(data);
    check::<(HashSet<u8>, Option<Duration>, [u16; 3])>(data);
});
